"""
What every place to talk to people must do: the promises of ``bot/chat/surface.py``.

Inherit it and give it a ``subject``.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from bot.chat.card import Card, draw
from bot.chat.handle import ReplyHandle
from bot.chat.model import Note
from bot.chat.surface import ChatSurface, SurfaceUnavailable
from orchestrator.api import JobId, Status, UserId
from tests.unit.bot.samples import cold, job, queued, succeeded, telling

NASTY = "@everyone <b>bold</b> **stars** `ticks` [link](http://evil.example) \u202e {x} " + "long " * 400


@dataclass(frozen=True, kw_only=True)
class Subject:
    """
    A surface, and a look at what people see there.

    Attributes:
        chat: Where cards are put.
        user: The account of whoever looks, where that is not the name of the chat.
        read: The words of a job's message as they are seen now; empty when there is none.
        count: How many messages of cards there are.
        news: What was told beside the cards.
        leave: Makes the surface unreachable.
    """

    surface: ChatSurface
    chat: str
    read: Callable[[JobId], str]
    count: Callable[[], int]
    news: Callable[[], list[str]]
    leave: Callable[[], None]
    user: str = ""

    @property
    def account(self) -> UserId:
        return UserId(f"{self.surface.name}:{self.user or self.chat}")


class SurfaceSuite(ABC):
    @pytest.fixture
    @abstractmethod
    def subject(self) -> Subject:
        """A surface with one person, ``ada``, who looks."""

    def card(self, subject: Subject, status: str = "queued", *, name: str = "job1", prompt: str = "a cat") -> Card:
        """A card of that surface."""
        handle = ReplyHandle(surface=subject.surface.name, chat=subject.chat, message=f"message of {name}")
        statuses: dict[str, Status] = {"queued": queued(), "cold": cold(), "succeeded": succeeded()}
        view = job(
            statuses[status],
            id=JobId(name),
            user=subject.account,
            surface=subject.surface.name,
            origin=handle.encode(),
            values={"prompt": prompt},
        )
        return draw(view, telling())

    async def test_it_has_a_name_a_pace_and_a_way_to_say_the_time(self, subject: Subject) -> None:
        surface = subject.surface

        assert surface.name
        assert surface.limits.at_once >= 1
        assert surface.pace.free_at(subject.chat, 0.0) == 0.0
        assert surface.voice.clock(telling().now)

    async def test_a_card_is_one_message_that_lives(self, subject: Subject) -> None:
        first = self.card(subject)
        handle = await subject.surface.show(first)
        later = replace(self.card(subject, "cold"), handle=handle)
        handle = await subject.surface.show(later)

        end = replace(self.card(subject, "succeeded"), handle=handle)
        await subject.surface.deliver(end)

        assert subject.count() == 1
        assert end.line in subject.read(end.job)

    async def test_the_first_line_is_what_people_read(self, subject: Subject) -> None:
        card = self.card(subject, "cold")

        await subject.surface.show(card)

        assert card.line in subject.read(card.job)

    async def test_an_end_may_be_delivered_again(self, subject: Subject) -> None:
        """A crash between posting and acknowledging makes the same end come twice."""
        end = self.card(subject, "succeeded")

        handle = await subject.surface.deliver(end)
        again = await subject.surface.deliver(replace(end, handle=handle))

        assert again == handle
        assert subject.count() == 1

    async def test_an_end_needs_no_progress_before_it(self, subject: Subject) -> None:
        end = self.card(subject, "succeeded")

        await subject.surface.deliver(end)

        assert end.line in subject.read(end.job)

    async def test_cards_are_apart(self, subject: Subject) -> None:
        one, two = self.card(subject, name="one"), self.card(subject, "cold", name="two")

        async with asyncio.TaskGroup() as group:
            for card in (one, two):
                group.create_task(subject.surface.show(card))

        assert subject.count() == 2
        assert one.line in subject.read(one.job)
        assert two.line in subject.read(two.job)

    async def test_whatever_is_typed_is_only_text(self, subject: Subject) -> None:
        card = self.card(subject, "succeeded", prompt=NASTY)

        await subject.surface.deliver(card)

        assert card.line in subject.read(card.job)

    async def test_news_is_told(self, subject: Subject) -> None:
        await subject.surface.notify(Note(user=subject.account, sentence="Your budget is nearly used.", topic="budget"))
        await subject.surface.notify(Note(user=None, sentence="A cloud refuses our key.", topic="cloud"))

        assert subject.news() == ["Your budget is nearly used.", "A cloud refuses our key."]

    async def test_what_cannot_be_told_now_is_refused_and_not_lost(self, subject: Subject) -> None:
        subject.leave()

        with pytest.raises(SurfaceUnavailable):
            await subject.surface.notify(Note(user=None, sentence="A cloud refuses our key."))
