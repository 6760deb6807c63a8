"""Starting: a token that Discord refuses is one sentence, and everything else is tried again."""

from collections.abc import AsyncIterator

import discord
import pytest
from aiohttp import web

from bot.adapters.discord.surface import DiscordOptions, DiscordSurface
from bot.chat.access import Access
from bot.chat.surface import Backend, SurfaceFailed
from bot.service.desk import open_desk
from bot.service.router import Router
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator

SECRET = "a.very-secret.token"


class Gate:
    """Discord's API as far as a login goes."""

    def __init__(self) -> None:
        self.status = 401
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"message": "no", "code": 0}, status=self.status)


@pytest.fixture
async def gate(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    gate = Gate()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", gate.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setattr(discord.http.Route, "BASE", f"http://127.0.0.1:{runner.addresses[0][1]}")
    yield gate
    await runner.cleanup()


@pytest.fixture
def backend() -> Backend:
    orchestrator = FakeOrchestrator()
    desk = open_desk(orchestrator, [], lambda: orchestrator.now)
    return Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=lambda: orchestrator.now)


async def test_a_token_that_is_refused_is_said_in_one_sentence(gate: Gate, backend: Backend) -> None:
    surface = DiscordSurface(DiscordOptions(token=SECRET, access=Access()))

    with pytest.raises(SurfaceFailed) as failed:
        await surface.run(backend)

    assert "DISCORD_TOKEN" in failed.value.sentence
    assert SECRET not in failed.value.sentence
    assert SECRET not in repr(surface._options)


async def test_a_text_that_is_no_token_is_said_in_one_sentence(gate: Gate, backend: Backend) -> None:
    with pytest.raises(SurfaceFailed):
        await DiscordSurface(DiscordOptions(token="hello", access=Access())).run(backend)


async def test_a_discord_that_is_down_is_waited_for(
    gate: Gate, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Takes some seconds: the library's own tries, then ours."""
    gate.status = 503
    surface = DiscordSurface(DiscordOptions(token=SECRET, access=Access()))

    async def ended() -> None:
        await until(lambda: gate.asked >= 2, limit_s=60)
        gate.status = 401

    import asyncio  # noqa: PLC0415

    async with asyncio.TaskGroup() as group:
        group.create_task(ended())
        with pytest.raises(SurfaceFailed):
            await surface.run(backend)
