"""People are kept posted: no end is lost or told twice, and nobody who is slow holds up anybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.chat.card import Card, CardState
from bot.chat.fake import RecordingSurface
from bot.chat.handle import ReplyHandle
from bot.chat.model import Started
from bot.chat.pace import Pace, Rate
from bot.chat.surface import Scope
from bot.service.desk import Desk, open_desk
from bot.service.outbox import Outbox
from bot.service.posting import keep_posted
from bot.service.router import Router
from orchestrator.api import JobId, JobView, Notice, Running, UserId, Value
from tests.component.bot.conftest import Chat, until
from tests.component.bot.fake_orchestrator import BEGIN, FakeOrchestrator
from tests.unit.bot.samples import job, queued, succeeded


async def started(chat: Chat, text: str = "a cat") -> JobId:
    answer = await chat.say(text)
    assert isinstance(answer, Started)
    return answer.cards[0].job


@asynccontextmanager
async def posting(orchestrator: FakeOrchestrator, *surfaces: RecordingSurface) -> AsyncIterator[Chat]:
    """The loops run inside the block; they end with it as with the bot."""
    desk = open_desk(orchestrator, surfaces, lambda: BEGIN)
    async with asyncio.TaskGroup() as group:
        loops = group.create_task(keep_posted(desk))
        yield Chat(desk)
        loops.cancel()


def running(done: int) -> Running:
    return Running(done=done, of=20, eta=None, served_by="")


@pytest.mark.usefixtures("posted")
async def test_progress_is_shown_and_the_end_is_delivered_and_acknowledged(
    chat: Chat, orchestrator: FakeOrchestrator, surface: RecordingSurface
) -> None:
    name = await started(chat)
    orchestrator.move(name, running(1))
    await until(lambda: surface.messages.get(name) and surface.messages[name].state is CardState.RUNNING)

    orchestrator.succeed(name, b"one")

    await until(lambda: orchestrator.acknowledged == [name])
    assert [card.job for card in surface.delivered] == [name]
    assert surface.messages[name].images == (f"{name}-0",)


async def test_an_end_that_nobody_was_told_of_is_told_after_a_restart(
    chat: Chat, orchestrator: FakeOrchestrator, surface: RecordingSurface
) -> None:
    name = await started(chat)
    orchestrator.succeed(name, b"one")

    async with posting(orchestrator, surface):
        await until(lambda: orchestrator.acknowledged == [name])


async def test_a_surface_that_was_away_gets_the_end_when_it_is_back(
    chat: Chat, orchestrator: FakeOrchestrator, surface: RecordingSurface, posted: None
) -> None:
    """Takes a second: the pause after the first refusal."""
    surface.is_away = True
    name = await started(chat)
    orchestrator.move(name, running(1))
    orchestrator.succeed(name, b"one")
    await asyncio.sleep(0.05)
    assert orchestrator.acknowledged == []

    surface.is_away = False

    await until(lambda: orchestrator.acknowledged == [name])
    assert len(surface.delivered) == 1


async def test_a_slow_surface_gets_the_newest_version_and_holds_up_no_other(
    orchestrator: FakeOrchestrator,
) -> None:
    slow, quick = Slow(name="slow"), RecordingSurface(name="recording")
    async with posting(orchestrator, slow, quick) as chat:
        stuck = orchestrator.views[await started(chat)]
        orchestrator.views[stuck.id] = replace(stuck, surface="slow")
        for done in range(20):
            orchestrator.move(stuck.id, running(done))
        other = await started(chat, "a dog")
        orchestrator.succeed(other, b"one")
        await until(lambda: orchestrator.acknowledged == [other])

        slow.may_go.set()

        await until(lambda: slow.messages.get(stuck.id) and slow.messages[stuck.id].bar)
        last = slow.messages[stuck.id].bar
    assert last is not None
    assert last.text == "step 19 of 20"
    assert len(slow.shown) <= 3


class Slow(RecordingSurface):
    """Takes nothing until it may."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.may_go = asyncio.Event()

    async def show(self, card: Card) -> ReplyHandle:
        await self.may_go.wait()
        return await super().show(card)


async def test_a_bot_that_leaves_finishes_the_post_under_way_and_begins_no_other(
    orchestrator: FakeOrchestrator,
) -> None:
    class Late(RecordingSurface):
        async def deliver(self, card: Card) -> ReplyHandle:
            handle = await super().deliver(card)
            under_way.set()
            await may_answer.wait()
            return handle

    surface, leaving, under_way, may_answer = Late(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    desk = open_desk(orchestrator, [surface], lambda: BEGIN)
    async with asyncio.TaskGroup() as group:
        posting = group.create_task(keep_posted(desk, leaving))
        chat = Chat(desk)
        name = await started(chat)
        orchestrator.succeed(name, b"one")
        await under_way.wait()

        leaving.set()
        await asyncio.sleep(0)
        orchestrator.succeed(await started(chat, "a dog"), b"two")
        may_answer.set()
        await posting

    assert [card.job for card in surface.delivered] == orchestrator.acknowledged == [name]


class Fussy(RecordingSurface):
    """Has a bug, which one card brings out."""

    async def deliver(self, card: Card) -> ReplyHandle:
        if card.prompt == "bad":
            raise ValueError("a bug of this surface")
        return await super().deliver(card)


async def test_one_card_that_cannot_be_posted_does_not_stop_the_others(orchestrator: FakeOrchestrator) -> None:
    async with posting(orchestrator, Fussy()) as chat:
        bad, good = await started(chat, "bad"), await started(chat, "good")

        orchestrator.succeed(bad, b"one")
        orchestrator.succeed(good, b"two")

        await until(lambda: orchestrator.acknowledged == [good])


MOVED = ReplyHandle(surface="recording", chat="room", message="another")


class Moving(RecordingSurface):
    """Its messages are deleted all the time, so it makes new ones."""

    async def deliver(self, card: Card) -> ReplyHandle:
        await super().deliver(card)
        return MOVED


async def test_a_card_that_had_to_move_is_remembered_where_it_is_now(orchestrator: FakeOrchestrator) -> None:
    async with posting(orchestrator, Moving()) as chat:
        name = await started(chat)

        orchestrator.succeed(name, b"one")

        await until(lambda: orchestrator.acknowledged == [name])
    assert orchestrator.views[name].origin == MOVED.encode()


async def test_a_first_card_that_was_not_taken_is_offered_again_though_nothing_new_happens(
    chat: Chat, orchestrator: FakeOrchestrator, surface: RecordingSurface, posted: None
) -> None:
    """Takes a second: the pause after the first refusal."""
    surface.is_away = True
    name = await started(chat)
    await until(lambda: surface.refused)

    surface.is_away = False

    await until(lambda: name in surface.messages)


async def test_of_progress_that_cannot_be_shown_the_newest_is_kept(
    chat: Chat, orchestrator: FakeOrchestrator, surface: RecordingSurface, posted: None
) -> None:
    surface.is_away = True
    name = await started(chat)
    orchestrator.move(name, running(1))
    await until(lambda: surface.refused)

    orchestrator.move(name, running(2))
    surface.is_away = False

    await until(lambda: surface.shown)
    assert [card.bar and card.bar.text for card in surface.shown] == ["step 2 of 20"]


@pytest.mark.usefixtures("posted")
async def test_jobs_of_a_surface_that_is_not_there_wait_for_it(chat: Chat, orchestrator: FakeOrchestrator) -> None:
    name = await started(chat)
    orchestrator.views[name] = replace(orchestrator.views[name], surface="discord")
    orchestrator.succeed(name, b"one")
    other = await started(chat)
    orchestrator.succeed(other, b"one")

    await until(lambda: other in orchestrator.acknowledged)

    assert name not in orchestrator.acknowledged


async def test_a_version_that_was_made_before_the_card_moved_goes_to_where_it_is_now(
    orchestrator: FakeOrchestrator,
) -> None:
    """The orchestrator learns of a first message a moment after it was made; views of that moment speak of none."""

    class FirstMessage(RecordingSurface):
        async def show(self, card: Card) -> ReplyHandle:
            self.shown.append(card)
            if card.handle.message.startswith("m"):  # the command; the card has no message yet
                orchestrator.move(card.job, running(2))
                return ReplyHandle(surface=self.name, chat=card.handle.chat, message="the card")
            return card.handle

    surface = FirstMessage()
    async with posting(orchestrator, surface) as chat:
        await started(chat)
        await until(lambda: len(surface.shown) >= 2)

    assert surface.shown[1].handle.message == "the card"


async def test_where_a_card_is_that_could_not_be_written_down_is_written_down_before_its_pictures_go_there() -> None:
    """Else nobody would find it after a restart, and the pictures would be posted again in another message."""

    class Busy(FakeOrchestrator):
        is_busy = True

        async def rebind(self, job: JobId, origin: str) -> None:
            if self.is_busy:
                raise ValueError("the store is busy")
            await super().rebind(job, origin)

    class FirstMessage(RecordingSurface):
        async def show(self, card: Card) -> ReplyHandle:
            await super().show(card)
            return MOVED

        async def deliver(self, card: Card) -> ReplyHandle:
            assert orchestrator.views[card.job].origin == MOVED.encode()
            return await super().deliver(card)

    orchestrator, surface = Busy(), FirstMessage()
    async with posting(orchestrator, surface) as chat:
        name = await started(chat)
        orchestrator.move(name, running(1))
        await until(lambda: name in surface.messages)
        orchestrator.is_busy = False
        orchestrator.succeed(name, b"one")
        await until(lambda: orchestrator.acknowledged == [name])

    assert surface.delivered[0].handle == MOVED


async def test_updates_that_break_off_are_asked_for_again(surface: RecordingSurface) -> None:
    """Takes a second: the pause before asking again."""

    class Breaking(FakeOrchestrator):
        breaks = 1

        async def updates(self) -> AsyncIterator[JobView]:
            if self.breaks:
                self.breaks -= 1
                raise ValueError("the store is busy")
            async for view in super().updates():
                yield view

    orchestrator = Breaking()
    async with posting(orchestrator, surface) as chat:
        name = await started(chat)
        orchestrator.succeed(name, b"one")
        await until(lambda: orchestrator.acknowledged == [name])


async def test_a_surface_may_say_that_a_card_moved(chat: Chat, orchestrator: FakeOrchestrator, desk: Desk) -> None:
    name = await started(chat)

    await Router(desk).moved(name, MOVED)

    assert orchestrator.views[name].origin == MOVED.encode()


# Notices.


def notice(number: int, user: str | None) -> Notice:
    values: dict[str, Value] = {"cloud": "sandbox", "machine": "m", "minutes": 12}
    owner = UserId(user) if user else None
    return Notice(id=number, user=owner, key="machine_will_not_die", values=values, topic=f"t{number}", at=BEGIN)


async def test_news_for_admins_is_told_and_acknowledged(
    orchestrator: FakeOrchestrator, surface: RecordingSurface
) -> None:
    orchestrator.open_notices = {1: notice(1, None), 2: notice(2, "recording:ada"), 3: notice(3, "discord:1")}
    async with posting(orchestrator, surface):
        await until(lambda: set(orchestrator.open_notices) == {3})
    assert [note.user for note in surface.notes] == [None, "recording:ada"]
    assert surface.notes[0].sentence.startswith("sandbox still shows the machine m, 12 minutes after its end")


# The outbox.


def paced(writes: int, per: timedelta) -> Pace:
    return Pace(lambda _: Rate(writes=writes, per=per, kept_back=1))


async def test_ends_come_before_progress() -> None:
    outbox = Outbox(paced(10, timedelta(seconds=1)), Scope.CHAT)
    outbox.put(job(queued(), id=JobId("waits")))
    outbox.put(job(succeeded(), id=JobId("ended")))

    assert [(await outbox.take()).id, (await outbox.take()).id] == ["ended", "waits"]


async def test_a_newer_version_takes_the_place_of_an_older_one_and_never_the_other_way_round() -> None:
    outbox = Outbox(paced(10, timedelta(seconds=1)), Scope.CHAT)
    older, newer = job(queued(2)), job(queued(1))
    outbox.put(newer)
    outbox.put(older)

    assert await outbox.take() is newer


async def test_no_card_is_posted_twice_at_once() -> None:
    outbox = Outbox(paced(10, timedelta(seconds=1)), Scope.CHAT)
    outbox.put(job(queued()))
    first = await outbox.take()
    outbox.put(job(succeeded()))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await outbox.take()
    outbox.done(first.id)

    assert (await outbox.take()).ended_at is not None


async def test_progress_leaves_room_for_an_end() -> None:
    outbox = Outbox(paced(2, timedelta(hours=1)), Scope.CHAT)
    for name in ("a", "b"):
        outbox.put(job(queued(), id=JobId(name)))
    await outbox.take()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await outbox.take()

    outbox.put(job(succeeded(), id=JobId("c")))

    assert (await outbox.take()).id == "c"


async def test_each_card_has_a_pace_of_its_own_where_the_surface_says_so() -> None:
    outbox = Outbox(paced(1, timedelta(hours=1)), Scope.CARD)
    for name in ("a", "b"):
        outbox.put(job(queued(), id=JobId(name)))

    assert {(await outbox.take()).id, (await outbox.take()).id} == {"a", "b"}


def test_the_pace_holds_over_any_stretch() -> None:
    pace = paced(3, timedelta(seconds=10))
    written = []
    now = 0.0
    for _ in range(30):
        now = max(now, pace.free_at("room", now))
        pace.spend("room", now)
        written.append(now)
        now += 0.1

    assert all(later - earlier > 9.999 for earlier, later in zip(written, written[3:], strict=False))
    assert pace.free_at("elsewhere", now) == now


def test_what_was_not_written_after_all_leaves_its_room() -> None:
    pace = paced(1, timedelta(hours=1))
    pace.spend("room", 0.0)
    assert pace.free_at("room", 1.0) == 3600.0

    pace.refund("room")

    assert pace.free_at("room", 1.0) == 1.0


def test_a_chat_that_asked_for_a_pause_gets_it() -> None:
    pace = paced(10, timedelta(seconds=1))

    pace.close("room", 30.0)

    assert pace.free_at("room", 1.0) == 30.0
    assert pace.free_at("room", 31.0) == 31.0
    assert pace.free_at("elsewhere", 1.0) == 1.0


def test_a_handle_survives_its_way_through_the_database() -> None:
    handle = ReplyHandle(surface="web", chat='a "room"', message="1")

    assert ReplyHandle.decode(handle.encode()) == handle
    assert ReplyHandle.decode("nonsense") == ReplyHandle(surface="", chat="")
    assert ReplyHandle.decode("[1]") == ReplyHandle.decode("1") == ReplyHandle(surface="", chat="")
