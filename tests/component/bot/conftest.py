"""A bot on an orchestrator in memory: the production line from command to card."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from bot.chat.commands import Command
from bot.chat.fake import RecordingSurface
from bot.chat.handle import ReplyHandle
from bot.chat.model import Answer, Call, Person
from bot.chat.typed import read_command
from bot.service.desk import Desk, open_desk
from bot.service.posting import keep_posted
from bot.service.router import Router
from orchestrator.api import UserId
from tests.component.bot.fake_orchestrator import FakeOrchestrator


@pytest.fixture
def orchestrator() -> FakeOrchestrator:
    return FakeOrchestrator()


@pytest.fixture
def surface() -> RecordingSurface:
    return RecordingSurface()


@pytest.fixture
def desk(orchestrator: FakeOrchestrator, surface: RecordingSurface) -> Desk:
    return open_desk(orchestrator, [surface], lambda: orchestrator.now)


class Chat:
    """People who type on the recording surface."""

    def __init__(self, desk: Desk) -> None:
        self._router = Router(desk)
        self._keys = 0

    async def say(
        self, text: str, *, by: str = "ada", is_admin: bool = False, key: str = "", place: str = "room"
    ) -> Answer:
        return await self.do(read_command(text), by=by, is_admin=is_admin, key=key, place=place)

    async def do(
        self,
        command: Command,
        *,
        by: str = "ada",
        is_admin: bool = False,
        key: str = "",
        place: str = "room",
        is_overheard: bool = False,
        is_among_adults: bool = True,
    ) -> Answer:
        self._keys += 1
        return await self._router.handle(
            Call(
                person=Person(user=UserId(f"recording:{by}"), surface="recording", is_admin=is_admin),
                command=command,
                handle=ReplyHandle(surface="recording", chat="room", message=f"m{self._keys}"),
                key=key or f"key{self._keys}",
                place=place,
                is_overheard=is_overheard,
                is_among_adults=is_among_adults,
            )
        )


@pytest.fixture
def chat(desk: Desk) -> Chat:
    return Chat(desk)


@pytest.fixture
async def posted(desk: Desk) -> AsyncIterator[None]:
    """The loops that keep people posted run while the test does."""
    async with asyncio.TaskGroup() as group:
        loops = group.create_task(keep_posted(desk))
        yield
        loops.cancel()


async def until(fact: Callable[[], object], limit_s: float = 10) -> None:
    """Wait until *fact* is one."""
    async with asyncio.timeout(limit_s):
        while not fact():
            await asyncio.sleep(0.005)
