"""Each chat surface, held to the port."""

import json
import re
from collections.abc import AsyncIterator

import pytest

from bot.adapters.web.surface import WebSurface
from bot.chat.fake import RecordingSurface
from orchestrator.api import JobId
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.contract.surface_suite import Subject, SurfaceSuite
from tests.discord.world import a_town, words_of


class TestRecording(SurfaceSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        surface = RecordingSurface()

        def leave() -> None:
            surface.is_away = True

        return Subject(
            surface=surface,
            chat="ada",
            read=lambda job: surface.messages[job].line if job in surface.messages else "",
            count=lambda: len(surface.messages),
            news=lambda: [note.sentence for note in surface.notes],
            leave=leave,
        )


class OpenPage:
    """A page that follows events, as a browser does."""

    def __init__(self, surface: WebSurface) -> None:
        reader = surface.readers.add("")
        assert reader is not None
        self._surface = surface
        self._reader = reader
        self._cards: dict[str, str] = {}
        self._news: list[str] = []

    def _look(self) -> None:
        for event in self._reader.unsent().decode().split("\n\n"):
            kind, _, data = event.partition("\ndata: ")
            if kind == "event: card":
                card = json.loads(data)
                self._cards[card["id"]] = card["view"]["line"]
            elif kind == "event: notice":
                self._news.append(json.loads(data)["text"])

    def read(self, job: JobId) -> str:
        self._look()
        return self._cards.get(job, "")

    def count(self) -> int:
        self._look()
        return len(self._cards)

    def news(self) -> list[str]:
        self._look()
        return self._news

    def close(self) -> None:
        self._surface.readers.remove(self._reader)


class TestWeb(SurfaceSuite):
    @pytest.fixture
    def subject(self) -> Subject:
        surface = WebSurface()
        page = OpenPage(surface)
        return Subject(surface=surface, chat="ada", read=page.read, count=page.count, news=page.news, leave=page.close)


class TestDiscord(SurfaceSuite):
    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        orchestrator = FakeOrchestrator()
        async with a_town() as town, town.bot(orchestrator, lambda: orchestrator.now, posts=False) as discord:

            def read(job: JobId) -> str:
                messages = [message for message in discord.cards() if f":{job}" in str(message.components)]
                return plain(words_of(messages[-1])) if messages else ""

            def news() -> list[str]:
                told = [message for actor in (town.ada, town.root) for message in actor.user.dm_channel.history()]
                return [message.content for message in told]

            def leave() -> None:
                town.env.inject_error("*", "*", status=503, times=None)

            yield Subject(
                surface=discord.surface,
                chat=str(town.channel.id),
                person=str(town.ada.id),
                read=read,
                count=lambda: len(discord.cards()),
                news=news,
                leave=leave,
            )


def plain(text: str) -> str:
    """As Discord shows it: without the marks that keep markup from being some."""
    return re.sub(r"\\(.)", r"\1", text).replace("\u200b", "")
