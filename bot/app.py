"""
Composition root of the bot: ensures the sandbox if it is needed, opens the orchestrator, builds the surfaces.

    run
    ├─ the sandbox, kept alive while it is used
    ├─ orchestrator (its own tree, see orchestrator/app.py)
    └─ surfaces
       ├─ keep_posted: progress, ends and notices, one poster a surface
       ├─ web: the page
       └─ each chat that there is a token for
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

from rich.console import Console

from bot.adapters.charts import cost_chart, shadow_chart
from bot.adapters.web.server import WebOptions, run_web
from bot.adapters.web.site import Site
from bot.adapters.web.surface import WebSurface
from bot.chat.surface import Backend, Chat, SurfaceFailed
from bot.service.desk import open_desk
from bot.service.posting import keep_posted
from bot.service.router import Router
from bot.settings import BotSettings
from orchestrator.adapters.system import SystemClock
from orchestrator.api import CapView, InstanceView
from orchestrator.app import SandboxAddress, open_orchestrator
from orchestrator.control.service import Service
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.policy.spend import Caps
from orchestrator.sandbox.launch import SandboxLaunchError, SandboxOptions, attached_sandbox
from orchestrator.settings import Settings

END_LIMIT = timedelta(seconds=30)
"""How long Ctrl-C waits for the proof that every machine is gone."""

FINISH_LIMIT = timedelta(seconds=5)
"""How long an answer or a post that is under way may take when the bot is stopped."""

CHAT_PAUSE = timedelta(minutes=1)
"""Before a chat that broke off in a way that its adapter did not expect is started again."""

log = logging.getLogger(__name__)
out = Console(highlight=False, soft_wrap=True)


class Stopping:
    """How the bot was told to stop: by hand (Ctrl-C, perhaps twice), or to be started again (SIGTERM)."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()
        self.by_hand = False

    def interrupt(self) -> None:
        if self.asked.is_set():
            self.at_once.set()
        self.by_hand = True
        self.asked.set()

    def terminate(self) -> None:
        self.asked.set()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM inside the block."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self.interrupt)
        loop.add_signal_handler(signal.SIGTERM, self.terminate)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            loop.remove_signal_handler(signal.SIGTERM)


async def run(settings: Settings, bot_settings: BotSettings) -> int:
    """Run until told to stop; returns the exit status."""
    stopping = Stopping()
    problem: Exception | None = None
    with stopping.signals():
        try:
            async with _sandbox(settings) as sandbox:
                out.print(_in_use(settings, sandbox))
                async with open_orchestrator(settings, sandbox) as orchestrator:
                    for line in _changed_caps(settings.caps(), await orchestrator.caps()):
                        out.print(line)
                    await _serve(orchestrator, bot_settings, stopping)
        except* (OrchestratorError, SandboxLaunchError, OSError) as group:
            problem = _first(group)
    if problem is not None:
        out.print(f"glowplug cannot run: {problem}")
    return 0 if problem is None else 1


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """The first error of a group, however deeply it is nested."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _serve(orchestrator: Service, bot_settings: BotSettings, stopping: Stopping) -> None:
    page = WebSurface()
    chats = _chats(bot_settings)
    clock = SystemClock()
    desk = open_desk(
        orchestrator,
        [page, *chats],
        clock.now,
        chart=cost_chart,
        shadow_chart=shadow_chart,
        logs_prompts=bot_settings.log_prompts,
    )
    backend = Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=clock.now)
    options = WebOptions(port=bot_settings.web_port, on_listening=_announce)
    leaving = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        posting = group.create_task(keep_posted(desk, leaving), name="keep posted")
        surfaces = (
            posting,
            group.create_task(run_web(Site(surface=page, backend=backend), options), name="web"),
            *(group.create_task(_run(chat, backend), name=chat.name) for chat in chats),
        )
        await stopping.asked.wait()
        if stopping.by_hand:
            await _end_machines(orchestrator, stopping)
        else:
            out.print("stopping; machines are kept for the next start, unfinished jobs stay queued")
        leaving.set()
        await _finish(posting, chats, stopping)
        for surface in surfaces:
            surface.cancel()


async def _finish(posting: asyncio.Task[None], chats: Iterable[Chat], stopping: Stopping) -> None:
    """Let posts and answers that are under way come to their end, so that the next start repeats none of them."""
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(_finished(chat), name=f"finish {chat.name}") for chat in chats]
        everything = group.create_task(asyncio.wait({posting, *answers}))
        impatient = group.create_task(stopping.at_once.wait())
        await asyncio.wait(
            {everything, impatient}, timeout=FINISH_LIMIT.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        for each in (*answers, everything, impatient):
            each.cancel()


async def _finished(chat: Chat) -> None:
    try:
        await chat.finish()
    except Exception:
        log.exception("%s could not finish what it was answering", chat.name)


def _chats(settings: BotSettings) -> list[Chat]:
    """The chats that there is a token for; the library of one that there is none for is never loaded."""
    chats: list[Chat] = []
    if settings.discord_token:
        chats.append(_discord(settings))
    if settings.telegram_token:
        chats.append(_telegram(settings))
    return chats


def _telegram(settings: BotSettings) -> Chat:
    from bot.adapters.telegram.polling import Webhook  # noqa: PLC0415 - a quarter of a start, see _chats
    from bot.adapters.telegram.surface import TelegramOptions, TelegramSurface  # noqa: PLC0415

    webhook = Webhook(url=settings.telegram_webhook, port=settings.telegram_webhook_port)
    options = TelegramOptions(
        token=settings.telegram_token.get_secret_value(),
        access=settings.telegram_access,
        api=settings.telegram_api,
        webhook=webhook if settings.telegram_webhook else None,
    )
    return TelegramSurface(options)


def _discord(settings: BotSettings) -> Chat:
    from bot.adapters.discord.surface import DiscordOptions, DiscordSurface  # noqa: PLC0415

    options = DiscordOptions(
        token=settings.discord_token.get_secret_value(),
        access=settings.discord_access,
        admin_channel=settings.discord_admin_channel,
    )
    return DiscordSurface(options)


async def _run(chat: Chat, backend: Backend) -> None:
    """Run one chat; when it cannot run, the others do."""
    while True:
        try:
            await chat.run(backend)
        except SurfaceFailed as error:
            out.print(f"{chat.name} is left out: {error.sentence}")
            return
        except Exception:
            log.exception("%s broke off; it is started again in a minute", chat.name)
        await asyncio.sleep(CHAT_PAUSE.total_seconds())


def _announce(url: str) -> None:
    out.print(f"open {url} and type /imagine a lighthouse at dusk")


async def _end_machines(orchestrator: Service, stopping: Stopping) -> None:
    """Ctrl-C: end every machine and say so; a second Ctrl-C leaves at once and says what is left."""
    overview = await orchestrator.overview()
    if not overview.instances:
        out.print("stopping; no machine is rented")
        return
    out.print(f"ending {len(overview.instances)} machine(s); Ctrl-C again leaves at once")
    async with asyncio.TaskGroup() as group:
        ending = group.create_task(orchestrator.end_all(END_LIMIT))
        impatient = group.create_task(stopping.at_once.wait())
        await asyncio.wait({ending, impatient}, return_when=asyncio.FIRST_COMPLETED)
        left = ending.result() if ending.done() else (await orchestrator.overview()).instances
        ending.cancel()
        impatient.cancel()
    _say_what_is_left(left)


def _say_what_is_left(left: tuple[InstanceView, ...]) -> None:
    if not left:
        out.print("every machine is gone; unfinished jobs stay queued for the next start")
    for machine in left:
        out.print(f"still there: {machine.gpu} at {machine.cloud} ({machine.state}); see: glowplug sweep")


@asynccontextmanager
async def _sandbox(settings: Settings) -> AsyncIterator[SandboxAddress | None]:
    """The sandbox that these settings use, if any; the embedded one is started and kept alive inside the block."""
    if settings.sandbox_url:
        yield SandboxAddress(url=settings.sandbox_url.rstrip("/"), key=settings.sandbox_key.get_secret_value())
    elif settings.needs_sandbox:
        async with attached_sandbox(settings.data, options=SandboxOptions(faults=settings.sandbox_faults)) as running:
            yield SandboxAddress(url=running.url, key=running.key)
    else:
        yield None


def _changed_caps(of_settings: Caps, in_force: Iterable[CapView]) -> Iterator[str]:
    """A line for each cap that an admin has changed: it holds in place of the one that the settings name."""
    for cap in in_force:
        if cap.limit != getattr(of_settings, cap.name):
            limit = "none" if cap.limit is None else f"${cap.limit / 1e6:.2f}"
            yield f"an admin changed the cap {cap.name}: {limit} (see /admin budget)"


def _in_use(settings: Settings, sandbox: SandboxAddress | None) -> str:
    """The first line of output: where pictures are made and what that may cost."""
    if sandbox is not None:
        return f"glowplug on the sandbox cloud at {sandbox.url}: nothing is rented for real, nothing costs money"
    apis = [] if settings.bridge == "none" else [*settings.bridge_access()]
    meanwhile = f"; while one is cold pictures come from {', '.join(apis)}" if apis else ""
    if settings.rents_for_real:
        caps = settings.caps()
        most = f"${caps.day / 1e6:.2f} a day, ${caps.month / 1e6:.2f} a month" if caps.day and caps.month else "no cap"
        return f"glowplug rents real machines at {', '.join(settings.cloud_keys())}, at most {most}{meanwhile}"
    if settings.static_hosts:
        return f"glowplug on machines of yours: nothing is rented{meanwhile}"
    if apis == ["comfy_endpoint"]:
        return f"glowplug on the ComfyUI at {settings.comfyui_url}: nothing is rented"
    return f"glowplug on {', '.join(apis)}: nothing is rented, and pictures cost what is charged there"
