"""Each chat surface, held to the port."""

import json
import re
from collections.abc import AsyncIterator

import discord
import pytest
import simcord

from bot.adapters.web.surface import WebSurface
from bot.chat.fake import RecordingSurface
from orchestrator.api import JobId
from tests.adapters.discord.rest import checked_rest
from tests.adapters.discord.stage import Stage, set_stage
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.contract.surface_suite import Subject, SurfaceSuite
from tests.telegram.server import telegram_server
from tests.telegram.world import ADA, ROOT, telegram_bot


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


class Member:
    """Somebody who looks at a channel of a server, and at what the bot writes to them alone."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def read(self, job: JobId) -> str:
        """What a client shows: a backslash is not seen."""
        texts = [message.embeds[0].description or "" for message in self._stage.messages()]
        names = [str(message.components) for message in self._stage.messages()]
        found = (text for text, name in zip(texts, names, strict=True) if f":{job}'" in name)
        return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", next(found, ""))

    def count(self) -> int:
        return len(self._stage.messages())

    def news(self) -> list[str]:
        return [message.content for message in self._stage.root.user.dm_channel.history()]

    def close(self) -> None:
        self._stage.env.inject_error("*", "*", status=503, times=None)


class TestDiscord(SurfaceSuite):
    """The person who looks is an admin, so all news reaches them."""

    @pytest.fixture
    async def subject(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Subject]:
        env = simcord.Env(discord.Client(intents=discord.Intents.none()))
        with checked_rest(monkeypatch) as rest:
            stage = set_stage(env, rest)
            await env.start()
            member = Member(stage)
            yield Subject(
                surface=stage.surface,
                chat=str(stage.channel.id),
                user=str(stage.root.id),
                read=member.read,
                count=member.count,
                news=member.news,
                leave=member.close,
            )
            await env.shutdown()


class TestTelegram(SurfaceSuite):
    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        orchestrator = FakeOrchestrator()
        async with (
            telegram_server() as server,
            telegram_bot(server, orchestrator, lambda: orchestrator.now, posts=False) as telegram,
        ):

            def read(job: JobId) -> str:
                known = [card for card in telegram.cards() if any(f":{job}" in data for data in card.buttons.values())]
                return known[-1].text if known else ""

            def news() -> list[str]:
                return [text for chat in (ADA, ROOT) for text in telegram.heard(chat)]

            yield Subject(
                surface=telegram.surface,
                chat=str(ADA),
                read=read,
                count=lambda: len(telegram.cards()),
                news=news,
                leave=lambda: server.misbehave("*", 502, "Bad Gateway", times=None),
            )
