"""Connecting: what an operator has to change is one sentence, and everything else is tried again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import discord
import pytest
from aiohttp import web

from bot.adapters.discord import surface as surface_module
from bot.adapters.discord.client import NEEDED
from bot.adapters.discord.failures import failed, translated
from bot.adapters.discord.surface import DiscordOptions, DiscordSurface
from bot.chat.access import Access
from bot.chat.surface import Backend, SurfaceFailed, SurfaceUnavailable
from bot.service.desk import open_desk
from bot.service.router import Router
from tests.adapters.discord.stage import Stage
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4.secret.part"


@dataclass(kw_only=True)
class Door:
    """A Discord that knows no token, or is down."""

    status: int = 401
    knocks: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.knocks += 1
        return web.json_response({"message": "no", "code": 0}, status=self.status)


@pytest.fixture
async def door(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    door = Door()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", door.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setattr(discord.http.Route, "BASE", f"http://127.0.0.1:{runner.addresses[0][1]}/api/v10")
    yield door
    await runner.cleanup()


def connecting() -> tuple[DiscordSurface, Backend]:
    surface = DiscordSurface(DiscordOptions(token=TOKEN, access=Access()))
    orchestrator = FakeOrchestrator()
    desk = open_desk(orchestrator, [surface], lambda: orchestrator.now)
    backend = Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=lambda: orchestrator.now)
    return surface, backend


async def test_a_wrong_token_is_one_sentence_that_does_not_show_it(door: Door) -> None:
    surface, backend = connecting()

    with pytest.raises(SurfaceFailed) as refused:
        await surface.run(backend)

    assert refused.value.sentence.startswith("Discord refuses DISCORD_TOKEN; copy it anew")
    assert TOKEN not in str(refused.value)
    assert TOKEN not in repr(DiscordOptions(token=TOKEN, access=Access()))
    assert refused.value.__context__ is None or TOKEN not in str(refused.value.__context__)


async def test_a_discord_that_is_down_is_tried_again(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """discord.py tries five times by itself, with pauses; they are left out here."""
    monkeypatch.setattr(surface_module, "FIRST_PAUSE_S", 0.01)
    door.status = 418  # no fault of ours and no reason that is known: as good as down, and not tried by discord.py
    surface, backend = connecting()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(surface.run(backend))
        await until(lambda: door.knocks >= 3)
        running.cancel()


def closed(code: int) -> discord.ConnectionClosed:
    class Socket:
        close_code = code

    socket: Any = Socket()  # it reads the code alone
    return discord.ConnectionClosed(socket, shard_id=None)


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (discord.PrivilegedIntentsRequired(None), "none that is privileged"),
        (closed(4004), "takes DISCORD_TOKEN no longer"),
        (closed(4014), "refuses the intents"),
        (discord.LoginFailure("no"), "copy it anew"),
    ],
)
def test_each_fault_of_the_settings_says_what_to_change(error: Exception, part: str) -> None:
    problem = failed(error)

    assert problem is not None
    assert part in problem.sentence


def test_a_lost_connection_is_no_fault_of_the_settings() -> None:
    assert failed(closed(1006)) is None
    assert failed(aiohttp.ClientConnectionError()) is None


def answer(status: int) -> Any:
    """Only its status and its reason are read."""

    class Answer:
        reason = "because"

    made = Answer()
    vars(made)["status"] = status
    return made


def no_gateway() -> Exception:
    made: Any = discord.GatewayNotFound
    return cast("Exception", made())


@pytest.mark.parametrize(
    "error",
    [
        discord.DiscordServerError(answer(503), "down"),
        discord.HTTPException(answer(429), "slow down"),
        discord.RateLimited(3.0),
        no_gateway(),
        closed(1006),
        aiohttp.ClientConnectionError(),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_whatever_means_that_discord_is_away_is_said_so(error: Exception) -> None:
    with pytest.raises(SurfaceUnavailable), translated():
        raise error


def test_what_discord_forbids_is_no_such_thing() -> None:
    forbidden = discord.Forbidden(answer(403), "no")

    with pytest.raises(discord.Forbidden), translated():
        raise forbidden


def test_the_guide_invites_with_exactly_what_is_needed() -> None:
    guide = (Path(__file__).parents[3] / "docs/guide-discord.md").read_text(encoding="utf-8")

    assert f"permissions={NEEDED.value}" in guide
    assert "scope=bot+applications.commands" in guide


async def test_a_bot_in_no_server_says_how_to_invite_it(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    client = stage.surface.client
    client._connection._guilds.clear()

    await client.on_ready()

    assert f"permissions={NEEDED.value}" in caplog.messages[-1]
