"""News beside the cards: to whom, when, and once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.chat.fake import RecordingSurface
from bot.chat.handle import ReplyHandle
from bot.service.desk import open_desk
from bot.service.notices import LIMIT_S, MOST_WAITING, tell_notices
from orchestrator.api import (
    Failed,
    Failure,
    JobId,
    JobRequest,
    Notice,
    NoticeKind,
    Profile,
    QuietHours,
    UserId,
    Value,
)
from tests import virtual_time
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator

ADA, ADA_TOO = UserId("discord:1"), UserId("telegram:2")


@pytest.fixture
def surfaces() -> dict[str, RecordingSurface]:
    return {name: RecordingSurface(name=name) for name in ("discord", "telegram", "web")}


@asynccontextmanager
async def telling(orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]) -> AsyncIterator[None]:
    desk = open_desk(orchestrator, surfaces.values(), lambda: orchestrator.now)
    async with asyncio.TaskGroup() as group:
        loop = group.create_task(tell_notices(desk, asyncio.Event()))
        yield
        loop.cancel()


async def asked(orchestrator: FakeOrchestrator, surface: str = "discord") -> JobId:
    """Ada's request, which is over."""
    request = JobRequest(
        user=ADA,
        surface=surface,
        origin=ReplyHandle(surface=surface, chat="room", message="m").encode(),
        idempotency_key=f"key of {surface}",
        workflow=None,
        values={"prompt": "a lighthouse at dusk"},
    )
    ticket = await orchestrator.submit(request)
    orchestrator.succeed(ticket.job, b"one", b"two")
    return ticket.job


def leave(orchestrator: FakeOrchestrator, key: str, user: UserId | None = ADA, **values: Value) -> None:
    number = len(orchestrator.open_notices) + 1
    orchestrator.open_notices[number] = Notice(
        id=number, user=user, key=key, values=values, topic=key, at=orchestrator.now
    )


async def told(orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]) -> None:
    """Let everything be told that is going to be."""
    async with telling(orchestrator, surfaces):
        await until(lambda: not orchestrator.open_notices)


async def test_pictures_are_told_where_they_were_asked_for(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    orchestrator.people.accounts[ADA_TOO] = ADA
    leave(orchestrator, "job_done", job=await asked(orchestrator, "telegram"))

    await told(orchestrator, surfaces)

    (note,) = surfaces["telegram"].notes
    assert (note.user, note.sentence, note.chat) == (ADA_TOO, "2 pictures done: a lighthouse at dusk", "room")
    assert surfaces["discord"].notes == []


async def test_a_surface_that_is_away_leaves_it_to_the_other_account(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    orchestrator.people.accounts[ADA_TOO] = ADA
    surfaces["discord"].is_away = True
    leave(orchestrator, "job_done", job=await asked(orchestrator))

    await told(orchestrator, surfaces)

    (note,) = surfaces["telegram"].notes
    assert note.chat == "", "she may not be mentioned in a chat of another surface"


async def test_whoever_takes_no_messages_on_one_account_is_told_on_the_other(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    orchestrator.people.accounts[ADA_TOO] = ADA
    surfaces["discord"].closed.add(ADA)
    leave(orchestrator, "job_done", job=await asked(orchestrator))

    await told(orchestrator, surfaces)

    assert [note.user for note in surfaces["telegram"].notes] == [ADA_TOO]


def test_an_account_that_is_closed_is_not_tried_again_while_the_other_is_away(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    async def some_minutes() -> None:
        orchestrator.people.accounts[ADA_TOO] = ADA
        surfaces["discord"].closed.add(ADA)
        surfaces["telegram"].is_away = True
        leave(orchestrator, "job_done", job=await asked(orchestrator))
        async with telling(orchestrator, surfaces):
            await until(lambda: surfaces["telegram"].refused >= 4, limit_s=300)
            surfaces["telegram"].is_away = False
            await until(lambda: not orchestrator.open_notices, limit_s=300)

    virtual_time.run(some_minutes())

    assert surfaces["discord"].refused == 1
    assert len(surfaces["telegram"].notes) == 1


async def test_whoever_is_closed_everywhere_counts_as_told(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    orchestrator.people.accounts[ADA_TOO] = ADA
    surfaces["discord"].closed.add(ADA)
    surfaces["telegram"].closed.add(ADA_TOO)
    for surface in surfaces.values():
        surface.closed.add(None)
    leave(orchestrator, "job_done", job=await asked(orchestrator))
    leave(orchestrator, "cloud_account", user=None, cloud="vast", problem="no money")

    await told(orchestrator, surfaces)

    assert not any(surface.notes for surface in surfaces.values())


def test_a_surface_that_hangs_delays_the_news_of_others_once_a_round(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    bob = UserId("telegram:9")
    surfaces["discord"].call_s = 10_000

    async def a_round() -> float:
        job = await asked(orchestrator)
        for _ in range(5):
            leave(orchestrator, "job_done", job=job)
        leave(orchestrator, "over_budget", user=bob, cap="person_day")
        async with telling(orchestrator, surfaces):
            await until(lambda: surfaces["telegram"].notes, limit_s=1000)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(a_round()) < 2 * LIMIT_S


async def test_more_news_than_is_held_waits_for_room_and_is_told_in_the_same_life(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    for _ in range(MOST_WAITING + 5):
        leave(orchestrator, "over_budget", cap="person_day")

    await told(orchestrator, surfaces)

    assert len(surfaces["discord"].notes) == MOST_WAITING + 5


async def test_a_failure_says_why(orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]) -> None:
    job = await asked(orchestrator)
    failure = Failure(key="no_offer", values={})
    orchestrator.views[job] = replace(orchestrator.views[job], status=Failed(failure=failure))
    leave(orchestrator, "job_failed", job=job)

    await told(orchestrator, surfaces)

    assert (
        surfaces["discord"]
        .notes[0]
        .sentence.startswith("This was not painted: a lighthouse at dusk. No cloud has a suitable GPU")
    )


async def test_a_machine_that_is_about_to_go_comes_with_a_button_to_keep_it(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    at = orchestrator.now + timedelta(minutes=2)
    orchestrator.warm(ADA)
    orchestrator.sessions[ADA] = replace(orchestrator.sessions[ADA], warm_until=at)
    job = await asked(orchestrator)
    leave(orchestrator, "giving_back", job=job, at=at.timestamp(), gpu="RTX 4090")

    await told(orchestrator, surfaces)

    (note,) = surfaces["discord"].notes
    assert note.sentence.startswith("Your RTX 4090 is given back at ")
    assert [(button.label[:4], name) for button, name in note.buttons] == [("Keep", job)]


async def test_a_machine_that_was_kept_meanwhile_is_not_said_to_go(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    at = orchestrator.now + timedelta(minutes=2)
    orchestrator.warm(ADA)
    leave(orchestrator, "giving_back", job=await asked(orchestrator), at=at.timestamp(), gpu="RTX 4090")
    await orchestrator.keep(ADA, timedelta(minutes=30))

    await told(orchestrator, surfaces)

    assert surfaces["discord"].notes == []


async def test_of_two_accounts_on_one_chat_the_one_that_asked_in_private_is_told(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    orchestrator.people.accounts |= {ADA_TOO: ADA, UserId("telegram:1"): ADA}
    job = await asked(orchestrator, "telegram")
    origin = ReplyHandle(surface="telegram", chat="2", message="m").encode()
    orchestrator.views[job] = replace(orchestrator.views[job], origin=origin)
    leave(orchestrator, "job_done", job=job)

    await told(orchestrator, surfaces)

    assert [note.user for note in surfaces["telegram"].notes] == [ADA_TOO]


async def test_whoever_can_never_be_told_does_not_pile_up_news(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    for surface in surfaces.values():
        surface.is_away = True
    leave(orchestrator, "job_failed", job=await asked(orchestrator))
    leave(orchestrator, "machine_will_not_die", user=None, cloud="vast", machine="m", minutes=5)
    orchestrator.now += timedelta(days=2, seconds=1)

    await told(orchestrator, surfaces)


async def test_what_a_person_muted_is_not_told(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    orchestrator.people.profiles[ADA] = Profile(muted=frozenset({NoticeKind.DONE}))
    leave(orchestrator, "job_done", job=await asked(orchestrator))

    await told(orchestrator, surfaces)

    assert surfaces["discord"].notes == []


async def test_in_quiet_hours_news_waits(orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]) -> None:
    now = orchestrator.now
    orchestrator.people.profiles[ADA] = Profile(quiet=hour_from(now))
    leave(orchestrator, "over_budget", cap="person_day")
    leave(orchestrator, "cloud_account", user=None, cloud="vast", problem="no money")

    async with telling(orchestrator, surfaces):
        await until(lambda: set(orchestrator.open_notices) == {1})
    assert not [note for note in surfaces["discord"].notes if note.user == ADA]

    orchestrator.now = now + timedelta(hours=2)
    await told(orchestrator, surfaces)
    assert [note.user for note in surfaces["discord"].notes if note.user] == [ADA]


async def test_what_nobody_wants_to_know_any_more_is_left_out(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    job = await asked(orchestrator)
    leave(orchestrator, "job_done", job=job)
    leave(orchestrator, "giving_back", job=job, at=orchestrator.now.timestamp(), gpu="RTX 4090")
    leave(orchestrator, "job_done", job="forgotten")
    orchestrator.now += timedelta(hours=2)

    await told(orchestrator, surfaces)

    assert surfaces["discord"].notes == []


async def test_the_page_shows_its_ends_by_itself(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    leave(orchestrator, "job_done", job=await asked(orchestrator, "web"))

    await told(orchestrator, surfaces)

    assert not any(surface.notes for surface in surfaces.values())


async def test_admins_who_do_not_want_it_are_left_out(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    surfaces["telegram"].admins = (ADA_TOO, UserId("telegram:9"))
    orchestrator.people.accounts[ADA_TOO] = ADA
    orchestrator.people.profiles[ADA] = Profile(muted=frozenset({NoticeKind.ACCOUNT}))
    leave(orchestrator, "cloud_account", user=None, cloud="vast", problem="no money")

    await told(orchestrator, surfaces)

    assert surfaces["telegram"].notes[0].leaving_out == {ADA_TOO}
    assert len(surfaces["discord"].notes) == 1


def hour_from(now: datetime) -> QuietHours:
    """One quiet hour that begins now."""
    since_midnight = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
    return QuietHours(begin=since_midnight, end=since_midnight + timedelta(hours=1), offset=timedelta())


async def test_admins_who_are_all_asleep_hear_of_it_when_they_are_up(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    surfaces["telegram"].admins = (ADA_TOO,)
    orchestrator.people.profiles[ADA_TOO] = Profile(quiet=hour_from(orchestrator.now))
    leave(orchestrator, "cloud_account", user=None, cloud="vast", problem="no money")

    async with telling(orchestrator, surfaces):
        await until(lambda: surfaces["web"].notes)
    assert surfaces["telegram"].notes == []
    assert orchestrator.open_notices

    orchestrator.now += timedelta(hours=1)
    await told(orchestrator, surfaces)
    assert surfaces["telegram"].notes[0].leaving_out == frozenset()


async def test_one_admin_who_is_awake_is_enough(
    orchestrator: FakeOrchestrator, surfaces: dict[str, RecordingSurface]
) -> None:
    surfaces["telegram"].admins = (ADA_TOO, UserId("telegram:9"))
    orchestrator.people.profiles[ADA_TOO] = Profile(quiet=hour_from(orchestrator.now))
    leave(orchestrator, "cloud_account", user=None, cloud="vast", problem="no money")

    await told(orchestrator, surfaces)

    assert surfaces["telegram"].notes[0].leaving_out == {ADA_TOO}
