"""
What people did, as it comes from Telegram: asked for again and again, or brought to a webhook.

An update is confirmed when it was handled, not before: after a crash Telegram tells it again, and the keys of our
calls make that harmless.
"""

import asyncio
import hmac
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError

from bot.adapters.telegram.failures import pause_of
from bot.adapters.telegram.reading import one_line, update_of
from bot.chat.surface import SurfaceFailed
from bot.chat.under_way import UnderWay

log = logging.getLogger(__name__)

WANTED = ["message", "edited_message", "callback_query"]
POLL_S = 25
AT_ONCE = 16
HANDLED_WITHIN_S = 120.0
IN_A_MOMENT_S = 0.5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header
LARGEST_UPDATE = 1 << 20

REFUSED = "Telegram refuses TELEGRAM_TOKEN; copy it anew from @BotFather (docs/guide-telegram.md)."

Handle = Callable[[Update], Awaitable[None]]


class Updates:
    """Handles updates side by side, bounded; one that fails takes nobody with it."""

    def __init__(self, handle: Handle, group: asyncio.TaskGroup) -> None:
        self._handle = handle
        self._group = group
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._unconfirmed: set[int] = set()
        self._seen: set[int] = set()
        self._under_way = UnderWay()

    async def take(self, update: Update) -> bool:
        """Begin with *update*, unless it was taken before; waits for a free place."""
        if update.update_id in self._seen:
            return False
        await self._slots.acquire()
        self._seen.add(update.update_id)
        self._unconfirmed.add(update.update_id)
        self._group.create_task(self._work(update), name=f"update:{update.update_id}")
        return True

    def offset(self) -> int | None:
        """What to ask for next: everything before it was handled. None before there was anything."""
        if not self._seen:
            return None
        first = min(self._unconfirmed, default=max(self._seen) + 1)
        self._seen = {number for number in self._seen if number >= first} or {first - 1}
        return first

    async def finish(self) -> None:
        """Wait until every update that was taken is handled."""
        await self._under_way.none()

    async def work(self, update: Update) -> None:
        """Handle *update* to its end, in this task."""
        with self._under_way.one():
            async with self._slots:
                await self._handled(update)

    async def _work(self, update: Update) -> None:
        try:
            with self._under_way.one():
                await self._handled(update)
                self._unconfirmed.discard(update.update_id)
        finally:
            self._slots.release()

    async def _handled(self, update: Update) -> None:
        try:
            async with asyncio.timeout(HANDLED_WITHIN_S):
                await self._handle(update)
        except TelegramError as error:
            log.warning("an update could not be answered: %s", one_line(error.message))
        except TimeoutError:
            log.warning("an update was not answered within %.0f s", HANDLED_WITHIN_S)
        except Exception:
            log.exception("an update could not be handled")


async def poll(bot: Bot, updates: Updates) -> None:
    """
    Ask for updates until cancelled.

    Raises:
        SurfaceFailed: The token is refused.
    """
    failures = 0
    loop = asyncio.get_running_loop()
    while True:
        asked_at = loop.time()
        try:
            batch = await bot.get_updates(offset=updates.offset(), timeout=POLL_S, allowed_updates=WANTED)
            failures = 0
        except InvalidToken:
            raise SurfaceFailed(REFUSED) from None
        except TelegramError as error:
            await asyncio.sleep(_pause_after(error, failures))
            failures += 1
            continue
        new = [update for update in batch if await updates.take(update)]
        is_early = loop.time() - asked_at < IN_A_MOMENT_S
        if not new and (batch or is_early):  # what is under way is told again each time; nothing new is waited for
            await asyncio.sleep(IN_A_MOMENT_S)


async def confirm(bot: Bot, updates: Updates) -> None:
    """Say what was handled, so that the next life is not told it again."""
    offset = updates.offset()
    if offset is None:
        return
    try:
        await bot.get_updates(offset=offset, limit=1, timeout=0, allowed_updates=WANTED)
    except TelegramError as error:
        log.info("what was handled could not be confirmed: %s", error)


def _pause_after(error: TelegramError, failures: int) -> float:
    pause = float(min(FIRST_PAUSE_S * 2 ** min(failures, 10), LONGEST_PAUSE_S))
    if isinstance(error, RetryAfter):
        return pause_of(error).total_seconds()
    if isinstance(error, Conflict):
        log.warning(
            "another program asks for this bot's updates (%s); only one can run with a token", one_line(error.message)
        )
    elif failures == 0 or not isinstance(error, NetworkError):
        log.warning("Telegram does not tell what is new: %s", one_line(error.message))
    return pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """
    Attributes:
        url: Under which Telegram reaches us; whatever answers there passes on to the port.
        port: On 127.0.0.1.
    """

    url: str
    port: int


async def listen(bot: Bot, updates: Updates, webhook: Webhook) -> None:
    """Have Telegram bring updates to us until cancelled."""
    secret = secrets.token_urlsafe(32)
    app = web.Application(client_max_size=LARGEST_UPDATE)

    async def receive(request: web.Request) -> web.Response:
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            return web.Response(status=HTTPStatus.FORBIDDEN)
        try:
            update = Update.de_json(update_of(json.loads(await request.read())), bot)
        except (ValueError, RecursionError, TelegramError):
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        await updates.work(update)
        return web.Response()

    app.router.add_post("/{anything:.*}", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", webhook.port).start()
        await bot.set_webhook(webhook.url, secret_token=secret, allowed_updates=WANTED)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
