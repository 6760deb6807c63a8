"""What every store promises, held against each database that it runs on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.database.store import open_store, open_store_inline
from orchestrator.domain.errors import StaleWrite, StoreError
from orchestrator.domain.ids import CloudRef, ImageKey, InstanceId, JobId, LaunchKey, SessionId, UserId
from orchestrator.domain.instance import BLAMELESS, Address, EndReason, Instance, InstanceState
from orchestrator.domain.job import Failure, Job, JobState, Served
from orchestrator.domain.loras import EVERYBODY, AddedLora, LoraFile
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.notices import Notice
from orchestrator.domain.people import NoticeKind, Preset, Profile, QuietHours
from orchestrator.domain.policy.memory import Outcome
from orchestrator.domain.policy.spend import Spent
from orchestrator.domain.policy.wire import Link, StartTimes
from orchestrator.domain.session import Session, SessionState
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.ports.store import Asked, Booking, DayCost, Store
from tests.contract.samples import (
    ADA,
    BOB,
    NOW,
    OTHER_CLOUD,
    VAST,
    HandClock,
    a_job,
    a_session,
    an_instance,
    an_offer,
    seconds,
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["aiosqlite", "inline"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> AsyncIterator[Store]:
    opening: dict[str, AbstractAsyncContextManager[Store]] = {
        "aiosqlite": open_store(tmp_path / "books.db", clock),
        "inline": open_store_inline(tmp_path / "books.db", clock),
    }
    async with opening[request.param] as opened:
        yield opened


async def put(store: Store, *rows: Session | Job | Instance) -> None:
    """Add rows as they are, whatever state they are in."""
    async with store.writing() as books:
        for row in rows:
            match row:
                case Session():
                    await books.sessions.add(row, reason="test")
                case Job():
                    await books.jobs.add(row, reason="test")
                case Instance():
                    await books.instances.add(row, reason="test")


def names(rows: tuple[Session, ...] | tuple[Job, ...] | tuple[Instance, ...]) -> list[str]:
    return [row.id for row in rows]


class TestTransactions:
    async def test_what_a_block_wrote_is_there_when_it_has_ended(self, store: Store) -> None:
        await put(store, a_session())

        async with store.reading() as books:
            assert await books.sessions.get(SessionId("s1")) == a_session()

    async def test_a_block_that_raises_writes_nothing(self, store: Store) -> None:
        async def add_and_fail() -> None:
            async with store.writing() as books:
                await books.sessions.add(a_session(), reason="test")
                raise KeyError

        with pytest.raises(KeyError):
            await add_and_fail()

        async with store.reading() as books:
            assert await books.sessions.get(SessionId("s1")) is None
            assert await books.events("s1") == ()

    async def test_a_reading_sees_one_moment(self, store: Store) -> None:
        await put(store, a_session())

        async with store.reading() as books:
            first = await books.sessions.not_closed()
            await put(store, a_session("s2", user=BOB))
            second = await books.sessions.not_closed()

        assert names(first) == names(second) == ["s1"]

    async def test_a_reading_does_not_wait_for_a_writer(self, store: Store) -> None:
        async with store.writing() as writer:
            await writer.sessions.add(a_session(), reason="test")
            async with asyncio.timeout(5), store.reading() as reader:
                assert await reader.sessions.get(SessionId("s1")) is None

    async def test_a_writer_sees_what_it_has_written(self, store: Store) -> None:
        async with store.writing() as books:
            await books.sessions.add(a_session(), reason="test")
            assert names(await books.sessions.not_closed()) == ["s1"]

    async def test_writers_take_turns(self, store: Store) -> None:
        """A hundred read-modify-write blocks at once lose no update."""
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(self._count(store))

        async with store.reading() as books:
            assert await books.fact("count") == "100"

    async def _count(self, store: Store) -> None:
        async with store.writing() as books:
            count = int(await books.fact("count") or 0)
            await asyncio.sleep(0)
            await books.set_fact("count", str(count + 1))

    async def test_more_readings_than_connections_wait_for_one_another(self, store: Store) -> None:
        await put(store, a_session())
        seen: list[Session | None] = []

        async def read() -> None:
            async with store.reading() as books:
                await asyncio.sleep(0)
                seen.append(await books.sessions.get(SessionId("s1")))

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(read())

        assert seen == [a_session()] * 20

    async def test_a_write_while_reading_is_an_error(self, store: Store) -> None:
        with pytest.raises(StoreError, match="cannot be written"):
            async with store.reading() as books:
                await books.set_fact("a", "b")


class TestJobs:
    async def test_a_job_comes_back_as_it_was(self, store: Store) -> None:
        machine = an_instance()
        full = a_job(
            source=ImageKey("ab"),
            state=JobState.SUCCEEDED,
            started_at=NOW,
            ended_at=NOW + seconds(14.4),
            attempts=3,
            instance=machine.id,
            bridge="replicate",
            images=(ImageKey("01"), ImageKey("02")),
            served=Served(by="your RTX 4090", seconds=14.4, cost=MicroUsd(1300)),
            failure=Failure(key="unknown_lora", values={"name": "b0th", "tries": 2}),
            acknowledged_at=NOW + timedelta(days=1),
        )
        await put(store, a_session(), machine, full, a_job("j2"))

        async with store.reading() as books:
            assert await books.jobs.get(full.id) == full
            assert await books.jobs.by_key("web:j2") == a_job("j2")
            assert await books.jobs.get(JobId("nobody")) is None
            assert await books.jobs.by_key("nothing") is None

    async def test_a_key_is_taken_once(self, store: Store) -> None:
        await put(store, a_session(), a_job())

        with pytest.raises(StaleWrite):
            await put(store, a_job("j2", idempotency_key="web:j1"))

        async with store.reading() as books:
            assert await books.jobs.get(JobId("j2")) is None

    async def test_a_job_without_its_session_is_refused(self, store: Store) -> None:
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            await put(store, a_job())

    async def test_a_change_returns_the_row_with_its_new_version(self, store: Store) -> None:
        before = a_job()
        await put(store, a_session(), before)

        async with store.writing() as books:
            running = before.moved_to(JobState.RUNNING, NOW)
            written = await books.jobs.change(before, running, reason="dispatched")
            again = await books.jobs.change(written, replace(written, origin="moved"), reason="rebind")

        assert written == replace(running, version=1)
        assert again.version == 2
        async with store.reading() as books:
            assert await books.jobs.get(before.id) == again

    async def test_a_change_of_a_row_that_moved_on_is_stale(self, store: Store) -> None:
        before = a_job()
        await put(store, a_session(), before)
        async with store.writing() as books:
            await books.jobs.change(before, before.moved_to(JobState.RUNNING, NOW), reason="first")

        with pytest.raises(StaleWrite, match="j1"):
            async with store.writing() as books:
                await books.jobs.change(before, before.moved_to(JobState.CANCELLED, NOW), reason="second")

        async with store.reading() as books:
            job = await books.jobs.get(before.id)
            assert job is not None
            assert job.state is JobState.RUNNING

    async def test_a_stale_change_leaves_no_event_even_when_its_writer_goes_on(self, store: Store) -> None:
        before = a_job()
        await put(store, a_session(), before)

        async with store.writing() as books:
            stale = replace(before, version=7)
            with pytest.raises(StaleWrite):
                await books.jobs.change(stale, stale.moved_to(JobState.FAILED, NOW), reason="stale")
            await books.set_fact("went", "on")

        async with store.reading() as books:
            assert [event.after for event in await books.events("j1")] == ["QUEUED"]
            assert await books.fact("went") == "on"

    async def test_a_change_of_no_row_is_stale(self, store: Store) -> None:
        with pytest.raises(StaleWrite):
            async with store.writing() as books:
                await books.jobs.change(a_job(), a_job(), reason="nobody")

    async def test_unfinished_are_queued_and_running_ones_of_the_session_oldest_first(self, store: Store) -> None:
        await put(
            store,
            a_session(),
            a_session("s2", user=BOB),
            a_job("j3", submitted_at=NOW + seconds(1)),
            a_job("j2", state=JobState.RUNNING),
            a_job("j1"),
            a_job("j0", state=JobState.FAILED, ended_at=NOW),
            a_job("j9", session=SessionId("s2"), user=BOB),
        )

        async with store.reading() as books:
            assert names(await books.jobs.unfinished(SessionId("s1"))) == ["j1", "j2", "j3"]
            assert names(await books.jobs.running()) == ["j2"]
            assert await books.jobs.count_unfinished(ADA) == 3
            assert await books.jobs.count_unfinished(None) == 4
            assert await books.sessions.busy() == ("s1", "s2")

    async def test_dispatchable_is_the_oldest_queued_job_with_its_free_ready_machine(self, store: Store) -> None:
        machine = an_instance(state=InstanceState.READY, ready_at=NOW)
        await put(store, a_session(), machine, a_job("j2"), a_job("j1"), a_job("j0", submitted_at=NOW + seconds(1)))

        async with store.reading() as books:
            assert await books.jobs.dispatchable(10) == ((a_job("j1"), machine),)

    async def test_a_machine_that_paints_gets_nothing_more(self, store: Store) -> None:
        machine = an_instance(state=InstanceState.READY, ready_at=NOW)
        painting = a_job("j1", state=JobState.RUNNING, instance=machine.id)
        await put(store, a_session(), machine, painting, a_job("j2"))

        async with store.reading() as books:
            assert await books.jobs.dispatchable(10) == ()

    async def test_who_waits_for_a_machine_beside_a_picture_is_found_until_the_session_is_closed(
        self, store: Store
    ) -> None:
        waiting, closed = a_session(bridged_job=JobId("j1")), a_session("s2", user=BOB, bridged_job=JobId("j2"))
        painted, told = a_job("j1"), a_job("j2", user=BOB, session=SessionId("s2"))
        await put(store, waiting, replace(closed, state=SessionState.CLOSED), a_session("s3", user=UserId("web:cyd")))
        await put(store, painted, told)

        async with store.reading() as books:
            assert await books.sessions.get(SessionId("s1")) == waiting
            assert await books.sessions.bridged() == (painted,)

    async def test_a_job_that_runs_over_a_bridge_does_not_keep_the_machine_busy(self, store: Store) -> None:
        machine = an_instance(state=InstanceState.READY, ready_at=NOW)
        bridged = a_job("j1", state=JobState.RUNNING, bridge="replicate")
        await put(store, a_session(), machine, bridged, a_job("j2"))

        async with store.reading() as books:
            assert await books.jobs.dispatchable(10) == ((a_job("j2"), machine),)

    @pytest.mark.parametrize("state", sorted(set(InstanceState) - {InstanceState.READY}))
    async def test_only_ready_machines_get_jobs(self, store: Store, state: InstanceState) -> None:
        await put(store, a_session(), an_instance(state=state), a_job())

        async with store.reading() as books:
            assert await books.jobs.dispatchable(10) == ()

    async def test_two_ready_machines_of_one_session_do_not_get_the_same_job(self, store: Store) -> None:
        first = an_instance("i2", state=InstanceState.READY, ready_at=NOW)
        second = an_instance("i1", state=InstanceState.READY, ready_at=NOW + seconds(1))
        await put(store, a_session(), first, second, a_job())

        async with store.reading() as books:
            assert await books.jobs.dispatchable(10) == ((a_job(), first),)

    async def test_each_session_has_its_own_turn_oldest_job_first(self, store: Store) -> None:
        for number in range(4):
            user, session = UserId(f"web:{number}"), SessionId(f"s{number}")
            submitted = NOW - seconds(number)
            await put(
                store,
                a_session(session, user=user),
                an_instance(f"i{number}", session=session, user=user, state=InstanceState.READY, ready_at=NOW),
                a_job(f"j{number}", session=session, user=user, submitted_at=submitted),
                a_job(f"k{number}", session=session, user=user),
            )

        async with store.reading() as books:
            pairs = await books.jobs.dispatchable(3)

        assert [(job.id, machine.id) for job, machine in pairs] == [("j3", "i3"), ("j2", "i2"), ("j1", "i1")]

    async def test_bridgeable_are_queued_jobs_without_a_ready_machine(self, store: Store) -> None:
        await put(
            store,
            a_session(),
            a_session("s2", user=BOB),
            an_instance("i1", state=InstanceState.READY),
            an_instance("i2", session=SessionId("s2"), state=InstanceState.PREPARING),
            a_job("j1"),
            a_job("j4", session=SessionId("s2"), submitted_at=NOW + seconds(2)),
            a_job("j3", session=SessionId("s2"), submitted_at=NOW + seconds(1)),
            a_job("j2", session=SessionId("s2"), state=JobState.RUNNING),
        )

        async with store.reading() as books:
            assert names(await books.jobs.bridgeable(10)) == ["j3", "j4"]
            assert names(await books.jobs.bridgeable(1)) == ["j3"]
            assert names(await books.jobs.behind(10)) == ["j1"]

    async def test_pages_go_from_new_to_old_without_gap_or_repetition(self, store: Store) -> None:
        submitted = [NOW + seconds(number // 2) for number in range(7)]  # some at the same moment
        await put(store, a_session(), *(a_job(f"j{n}", submitted_at=at) for n, at in enumerate(submitted)))

        pages: list[list[str]] = []
        before: JobId | None = None
        async with store.reading() as books:
            while page := await books.jobs.page(user=ADA, before=before, limit=3):
                pages.append(names(page))
                before = page[-1].id

        assert pages == [["j6", "j5", "j4"], ["j3", "j2", "j1"], ["j0"]]

    async def test_a_page_is_of_one_user_or_of_all(self, store: Store) -> None:
        await put(
            store,
            a_session(),
            a_session("s2", user=BOB),
            a_job("j1"),
            a_job("j2", session=SessionId("s2"), user=BOB),
        )

        async with store.reading() as books:
            assert names(await books.jobs.page(user=BOB, before=None, limit=9)) == ["j2"]
            assert names(await books.jobs.page(user=None, before=None, limit=9)) == ["j2", "j1"]
            assert names(await books.jobs.page(user=None, before=JobId("j2"), limit=9)) == ["j1"]
            assert await books.jobs.page(user=None, before=JobId("nobody"), limit=9) == ()

    async def test_who_asked_goes_from_old_to_new_without_gap_or_repetition(self, store: Store) -> None:
        submitted = [NOW + seconds(number // 2) for number in range(5)]  # some at the same moment
        forgotten = a_job("j9", submitted_at=NOW, forgotten_at=NOW)
        await put(store, a_session(), *(a_job(f"j{n}", submitted_at=at) for n, at in enumerate(submitted)), forgotten)

        pages: list[tuple[Asked, ...]] = []
        async with store.reading() as books:
            while page := await books.jobs.asked(after=pages[-1][-1] if pages else None, limit=2):
                pages.append(page)

        assert [[asked.job for asked in page] for page in pages] == [["j0", "j1"], ["j2", "j3"], ["j4"]]
        assert pages[0][0] == Asked(job=JobId("j0"), at=NOW, user=ADA, surface=a_job().surface)

    async def test_pictures_of_a_session_are_counted_among_its_persons_newest_jobs(self, store: Store) -> None:
        two = (ImageKey("one"), ImageKey("two"))
        await put(
            store,
            a_session(state=SessionState.CLOSED),
            a_session("s2"),
            a_job("j1", session=SessionId("s2"), images=two),
            a_job("j2", images=two),
            a_job("j3", session=SessionId("s2"), images=two),
            a_job("j4", session=SessionId("s2"), images=two, forgotten_at=NOW),
        )

        async with store.reading() as books:
            second = await books.sessions.get(SessionId("s2"))
            assert second is not None
            assert await books.jobs.count_images(second, of_last=9) == 4
            assert await books.jobs.count_images(second, of_last=2) == 2

    async def test_unacknowledged_are_ends_not_yet_told_oldest_end_first(self, store: Store) -> None:
        late, early = NOW + seconds(9), NOW + seconds(5)
        await put(
            store,
            a_session(),
            a_job("j1", state=JobState.SUCCEEDED, ended_at=late),
            a_job("j2", state=JobState.CANCELLED, ended_at=early),
            a_job("j3", state=JobState.FAILED, ended_at=early, acknowledged_at=late),
            a_job("j4"),
        )

        async with store.reading() as books:
            assert names(await books.jobs.unacknowledged()) == ["j2", "j1"]


class TestSessions:
    async def test_a_session_comes_back_as_it_was(self, store: Store) -> None:
        full = a_session(
            state=SessionState.WARM,
            keep_until=NOW + timedelta(minutes=30),
            due_at=NOW + timedelta(microseconds=1),
            tries=3,
            released_at=NOW,
            idle_since=NOW - seconds(1),
        )
        await put(store, full)

        async with store.reading() as books:
            assert await books.sessions.get(full.id) == full
            assert await books.sessions.get(SessionId("nobody")) is None

    async def test_a_change_is_a_compare_and_set(self, store: Store) -> None:
        before = a_session()
        await put(store, before)

        async with store.writing() as books:
            written = await books.sessions.change(before, before.moved_to(SessionState.WARMING), reason="rent")
        with pytest.raises(StaleWrite):
            async with store.writing() as books:
                await books.sessions.change(before, before.moved_to(SessionState.CLOSED), reason="quiet")

        assert written == replace(before, state=SessionState.WARMING, version=1)

    @pytest.mark.parametrize("state", SessionState)
    async def test_a_person_has_one_session_that_takes_requests(self, store: Store, state: SessionState) -> None:
        takes_requests = state in {SessionState.OPEN, SessionState.WARMING, SessionState.WARM}
        await put(store, a_session(state=state), a_session("s2", user=BOB))

        async with store.reading() as books:
            found = await books.sessions.active_of(ADA)
        assert (found is not None) == takes_requests

        if takes_requests:
            with pytest.raises(StaleWrite):
                await put(store, a_session("s3"))
        else:
            await put(store, a_session("s3"))

    async def test_not_closed_are_oldest_first(self, store: Store) -> None:
        await put(
            store,
            a_session("s1", user=UserId("1"), opened_at=NOW + seconds(1)),
            a_session("s2", user=UserId("2"), state=SessionState.COOLING),
            a_session("s3", user=UserId("3"), state=SessionState.CLOSED),
        )

        async with store.reading() as books:
            assert names(await books.sessions.not_closed()) == ["s2", "s1"]

    async def test_due_are_those_whose_time_has_come_longest_overdue_first(self, store: Store) -> None:
        await put(
            store,
            a_session("s1", user=UserId("1"), due_at=NOW),
            a_session("s2", user=UserId("2"), due_at=NOW - seconds(9)),
            a_session("s3", user=UserId("3"), due_at=NOW + timedelta(microseconds=1)),
            a_session("s4", user=UserId("4")),
            a_session("s5", user=UserId("5"), due_at=NOW - seconds(99), state=SessionState.CLOSED),
        )

        async with store.reading() as books:
            assert names(await books.sessions.due(NOW, 10)) == ["s2", "s1"]
            assert names(await books.sessions.due(NOW, 1)) == ["s2"]
            assert await books.sessions.next_due_at() == NOW - seconds(9)

    async def test_without_a_due_session_nothing_is_next(self, store: Store) -> None:
        await put(store, a_session())

        async with store.reading() as books:
            assert await books.sessions.next_due_at() is None

    @pytest.mark.parametrize(
        ("present", "given", "expected"),
        [(None, 5, 5), (9, 5, 5), (5, 9, 5), (5, 5, 5)],
        ids=["unset", "earlier", "later", "same"],
    )
    async def test_a_touch_never_makes_it_later(
        self, store: Store, present: int | None, given: int, expected: int
    ) -> None:
        before = a_session(due_at=None if present is None else NOW + seconds(present))
        await put(store, before)

        async with store.writing() as books:
            await books.sessions.touch(before.id, NOW + seconds(given))

        async with store.reading() as books:
            assert await books.sessions.get(before.id) == replace(before, due_at=NOW + seconds(expected))

    async def test_a_snapshot_is_the_session_its_unfinished_jobs_and_its_machines(self, store: Store) -> None:
        warm = an_instance("i2", state=InstanceState.READY)
        ending = an_instance("i1", state=InstanceState.TERMINATING, end_reason=EndReason.VANISHED)
        gone = an_instance(
            "i0", state=InstanceState.TERMINATED, end_reason=EndReason.SSH_UNREACHABLE, ended_at=NOW - seconds(5)
        )
        await put(
            store,
            a_session(),
            a_session("s2", user=BOB),
            warm,
            ending,
            gone,
            an_instance("i9", session=SessionId("s2")),
            a_job("j1"),
            a_job("j2", state=JobState.CANCELLED, ended_at=NOW),
        )

        async with store.reading() as books:
            snapshot = await books.sessions.snapshot(SessionId("s1"))
            nobody = await books.sessions.snapshot(SessionId("nobody"))

        assert nobody is None
        assert snapshot is not None
        assert snapshot.session == a_session()
        assert snapshot.jobs == (a_job("j1"),)
        assert snapshot.instances == (ending, warm)
        assert snapshot.last_end == ending

    async def test_last_end_is_the_latest_one_and_no_draining_machine(self, store: Store) -> None:
        early = an_instance(
            "i9", state=InstanceState.TERMINATED, end_reason=EndReason.VANISHED, ended_at=NOW - seconds(9)
        )
        late = an_instance(
            "i1", state=InstanceState.TERMINATED, end_reason=EndReason.DISK_FULL, ended_at=NOW - seconds(5)
        )
        draining = an_instance("i5", state=InstanceState.DRAINING, end_reason=EndReason.IDLE)
        await put(store, a_session(), early, late, draining)

        async with store.reading() as books:
            snapshot = await books.sessions.snapshot(SessionId("s1"))

        assert snapshot is not None
        assert snapshot.last_end == late


class TestInstances:
    async def test_a_machine_comes_back_as_it_was(self, store: Store, full_instance: Instance) -> None:
        await put(store, a_session(), full_instance, an_instance("i2", session=None))

        async with store.reading() as books:
            assert await books.instances.get(full_instance.id) == full_instance
            assert await books.instances.get(InstanceId("i2")) == an_instance("i2", session=None)
            assert await books.instances.by_launch_key(LaunchKey("glowplug-a-1-i1")) == full_instance
            assert await books.instances.by_launch_key(LaunchKey("glowplug-a-1-i2")) is None

    async def test_a_clouds_name_of_a_machine_leads_to_every_row_that_had_it(
        self, store: Store, full_instance: Instance
    ) -> None:
        assert full_instance.ref is not None
        again = an_instance("i2", session=None, cloud=VAST, ref=full_instance.ref, created_at=NOW + seconds(1))
        elsewhere = an_instance("i3", session=None, cloud=OTHER_CLOUD, ref=full_instance.ref)
        await put(store, a_session(), again, full_instance, elsewhere)

        async with store.reading() as books:
            assert await books.instances.by_ref(VAST, full_instance.ref) == (full_instance, again)
            assert await books.instances.by_ref(VAST, CloudRef("another")) == ()

    async def test_a_launch_key_is_used_once(self, store: Store, full_instance: Instance) -> None:
        await put(store, a_session(), full_instance)

        with pytest.raises(StaleWrite):
            await put(store, replace(full_instance, id=InstanceId("i2")))

    async def test_a_change_is_a_compare_and_set(self, store: Store) -> None:
        before = an_instance()
        await put(store, a_session(), before)
        launching = replace(before.moved_to(InstanceState.LAUNCHING, NOW), launch_key=LaunchKey("k"), offer=an_offer())

        async with store.writing() as books:
            written = await books.instances.change(before, launching, reason="cheapest")
        with pytest.raises(StaleWrite):
            async with store.writing() as books:
                await books.instances.change(before, launching, reason="again")

        async with store.reading() as books:
            assert await books.instances.get(before.id) == written == replace(launching, version=1)

    async def test_in_states_are_oldest_first_over_all_states(self, store: Store) -> None:
        await put(
            store,
            a_session(),
            an_instance("i1", state=InstanceState.READY, created_at=NOW + seconds(1)),
            an_instance("i3", state=InstanceState.BOOTING),
            an_instance("i2", state=InstanceState.READY),
            an_instance("i0"),
            an_instance("i4", state=InstanceState.TERMINATED, created_at=NOW - seconds(1)),
        )

        async with store.reading() as books:
            found = await books.instances.in_states(InstanceState.READY, InstanceState.BOOTING)
            assert names(found) == ["i2", "i3", "i1"]
            found = await books.instances.in_states(InstanceState.READY, InstanceState.TERMINATED)
            assert names(found) == ["i4", "i2", "i1"]
            assert await books.instances.in_states() == ()

    async def test_of_cloud_are_those_that_may_exist_there(self, store: Store) -> None:
        for number, state in enumerate(InstanceState):
            await put(
                store, *([a_session()] if number == 0 else []), an_instance(f"i{number}", state=state, cloud=VAST)
            )
        await put(store, an_instance("j1", state=InstanceState.READY, cloud=OTHER_CLOUD))

        async with store.reading() as books:
            found = await books.instances.of_cloud(VAST)

        assert {machine.state for machine in found} == set(InstanceState) - {
            InstanceState.PLANNED,
            InstanceState.TERMINATED,
        }

    async def test_given_up_are_ordered_machines_of_the_session_since_then(self, store: Store) -> None:
        """Whether their end is proved plays no part, nor do plans that came to nothing."""

        def lost(name: str, at: float, **changes: Any) -> Instance:
            when = {"ordered_at": NOW, "given_up_at": NOW + seconds(at)}
            return an_instance(name, **({"state": InstanceState.TERMINATED} | when | changes))

        late, early = lost("i1", 20), lost("i2", 10, state=InstanceState.TERMINATING)
        await put(
            store,
            *(a_session(), a_session("s2", user=BOB), late, early),
            *(lost("i3", 9), lost("i4", 11, session=SessionId("s2")), lost("i5", 12, ordered_at=None)),
            an_instance("i6", state=InstanceState.BOOTING, ordered_at=NOW),
        )

        async with store.reading() as books:
            assert await books.instances.given_up(SessionId("s1"), NOW + seconds(10)) == (early, late)

    async def test_stages_come_in_the_order_in_which_they_begin(self, store: Store) -> None:
        models = Stage(step=Step.MODELS, state=StageState.RUNNING, started_at=NOW, bytes_done=5, bytes_total=2**40)
        await put(store, a_session(), an_instance())
        machine = InstanceId("i1")

        async with store.writing() as books:
            await books.instances.record_stage(machine, models)
            await books.instances.record_stage(machine, Stage(step=Step.BOOT, state=StageState.WAITING))
            await books.instances.record_stage(machine, replace(models, bytes_done=6, rate_bps=7))

        async with store.reading() as books:
            assert await books.instances.stages(machine) == (
                Stage(step=Step.BOOT, state=StageState.WAITING),
                replace(models, bytes_done=6, rate_bps=7),
            )

    async def test_stage_seconds_are_those_of_the_last_machines_that_got_ready(self, store: Store) -> None:
        await put(store, a_session())
        for number in range(4):
            ready_at = None if number == 3 else NOW + seconds(number)
            await put(store, an_instance(f"i{number}", cloud=VAST, ready_at=ready_at))
            took = Stage(
                step=Step.BOOT, state=StageState.DONE, started_at=NOW, ended_at=NOW + seconds(10.5 * (number + 1))
            )
            failed = replace(took, step=Step.SSH, state=StageState.FAILED)
            async with store.writing() as books:
                await books.instances.record_stage(InstanceId(f"i{number}"), took)
                await books.instances.record_stage(InstanceId(f"i{number}"), failed)

        async with store.reading() as books:
            assert await books.instances.stage_seconds(VAST, 2) == {"boot": (31.5, 21.0)}
            assert await books.instances.stage_seconds(OTHER_CLOUD, 2) == {}

    async def test_cold_starts_are_those_of_the_last_machines_that_got_ready(self, store: Store) -> None:
        await put(store, a_session())
        for number in range(4):
            ready_at = None if number == 3 else NOW + seconds(100.5 * number)
            await put(store, an_instance(f"i{number}", cloud=VAST, ordered_at=NOW, ready_at=ready_at))

        async with store.reading() as books:
            assert await books.instances.cold_starts(VAST, 2) == (201.0, 100.5)
            assert await books.instances.cold_starts(OTHER_CLOUD, 2) == ()

    @pytest.mark.parametrize("reason", EndReason)
    @pytest.mark.parametrize("proved_at", [None, NOW])
    async def test_only_ends_that_speak_against_the_machine_are_its_failures(
        self, store: Store, reason: EndReason, proved_at: datetime | None
    ) -> None:
        """
        Neither a person's wish, nor an empty account, nor a cloud that is down is the machine's fault.

        Such an end says something only of a machine that had made a picture before.
        """
        not_the_machine = BLAMELESS | {
            EndReason.ACCOUNT,
            EndReason.NO_OFFER,
            EndReason.OFFER_GONE,
            EndReason.CLOUD_UNAVAILABLE,
            EndReason.LAUNCH_LOST,
        }
        offer = an_offer("7")
        await put(
            store,
            a_session(),
            an_instance(
                state=InstanceState.TERMINATING, cloud=VAST, offer=offer, proved_at=proved_at, end_reason=reason
            ),
        )

        async with store.reading() as books:
            outcomes = await books.instances.outcomes(NOW, 10)

        worked = reason in not_the_machine
        outcome = Outcome(cloud=VAST, machine=offer.machine, host=offer.host, at=NOW, worked=worked)
        assert outcomes == (() if worked and proved_at is None else (outcome,))

    async def test_an_outcome_counts_from_the_end_and_only_since_then(self, store: Store) -> None:
        ended = an_instance(
            state=InstanceState.TERMINATED,
            cloud=VAST,
            offer=an_offer(),
            end_reason=EndReason.VANISHED,
            ended_at=NOW - seconds(30),
        )
        never_ordered = an_instance("i2", state=InstanceState.TERMINATED, cloud=VAST, end_reason=EndReason.VANISHED)
        await put(store, a_session(), ended, never_ordered)

        async with store.reading() as books:
            outcomes = await books.instances.outcomes(NOW - seconds(60), 10)
            assert [outcome.at for outcome in outcomes] == [NOW - seconds(30)]
            assert await books.instances.outcomes(NOW + seconds(1), 10) == ()

    async def test_of_many_outcomes_the_newest_are_told(self, store: Store) -> None:
        await put(store, a_session())
        for number in range(4):
            at = NOW + seconds(number)
            await put(
                store,
                an_instance(
                    f"i{number}",
                    state=InstanceState.TERMINATED,
                    state_since=at,
                    cloud=VAST,
                    offer=an_offer(),
                    end_reason=EndReason.VANISHED,
                    ended_at=at,
                ),
            )

        async with store.reading() as books:
            outcomes = await books.instances.outcomes(NOW, 2)

        assert [outcome.at for outcome in outcomes] == [NOW + seconds(3), NOW + seconds(2)]

    async def test_links_are_steps_that_ended_with_a_measured_speed(self, store: Store) -> None:
        """Whether the download came to its end or was too slow to; one that still runs has only a speed of just now."""
        await put(store, a_session())
        done = Stage(step=Step.MODELS, state=StageState.DONE, started_at=NOW, ended_at=NOW + seconds(9), rate_bps=7_000)
        slow = replace(done, step=Step.AGENT, state=StageState.FAILED, ended_at=NOW + seconds(5), rate_bps=3)
        unmeasured, running = replace(done, rate_bps=0), replace(done, state=StageState.RUNNING, ended_at=None)
        for number, stage in enumerate((done, slow, unmeasured, running)):
            await put(store, an_instance(f"i{number}", cloud=VAST, offer=an_offer(str(number))))
            async with store.writing() as books:
                await books.instances.record_stage(InstanceId(f"i{number}"), stage)

        async with store.reading() as books:
            links = await books.instances.links(NOW, 10)
            assert await books.instances.links(NOW + seconds(6), 10) == links[:1]
            assert await books.instances.links(NOW, 1) == links[:1]

        first, second = an_offer("0"), an_offer("1")
        fast = Link(
            cloud=VAST,
            machine=first.machine,
            host=first.host,
            at=NOW + seconds(9),
            bps=7_000,
            advertised_mbps=first.inet_down_mbps,
        )
        assert links == (fast, replace(fast, machine=second.machine, host=second.host, at=NOW + seconds(5), bps=3))

    async def test_start_times_span_the_steps_of_an_install_however_they_overlap(self, store: Store) -> None:
        await put(store, a_session())
        for number in range(3):
            ready_at = None if number == 2 else NOW + seconds(100.5 * (number + 1))
            await put(store, an_instance(f"i{number}", cloud=VAST, ordered_at=NOW, ready_at=ready_at))
        spans = {Step.BOOT: (0, 20), Step.TORCH: (20, 60), Step.COMFYUI: (50, 80.5), Step.MODELS: (25, 90)}
        async with store.writing() as books:
            for step, (begin, end) in spans.items():
                took = Stage(
                    step=step, state=StageState.DONE, started_at=NOW + seconds(begin), ended_at=NOW + seconds(end)
                )
                for number in range(3):
                    await books.instances.record_stage(InstanceId(f"i{number}"), took)

        async with store.reading() as books:
            newest = await books.instances.start_times(VAST, 1)
            both = await books.instances.start_times(VAST, 10)
            assert await books.instances.start_times(OTHER_CLOUD, 10) == ()

        assert newest == (StartTimes(total=201.0, models=65.0, install=60.5),)
        assert {times.total for times in both} == {100.5, 201.0}

    async def test_a_start_without_install_or_download_took_nothing_for_them(self, store: Store) -> None:
        await put(store, a_session(), an_instance(cloud=VAST, ordered_at=NOW, ready_at=NOW + seconds(30)))
        boot = Stage(step=Step.BOOT, state=StageState.DONE, started_at=NOW, ended_at=NOW + seconds(20))
        async with store.writing() as books:
            await books.instances.record_stage(InstanceId("i1"), boot)

        async with store.reading() as books:
            assert await books.instances.start_times(VAST, 10) == (StartTimes(total=30.0, models=0.0, install=0.0),)


@pytest.fixture
def full_instance() -> Instance:
    return an_instance(
        state=InstanceState.TERMINATING,
        version=4,
        cloud=VAST,
        launch_key=LaunchKey("glowplug-a-1-i1"),
        offer=an_offer(),
        ref=CloudRef("4711"),
        ordered_at=NOW,
        running_at=NOW + seconds(1),
        ready_at=NOW + seconds(2),
        proved_at=NOW + seconds(2),
        given_up_at=NOW + seconds(2.5),
        ended_at=NOW + seconds(3),
        end_reason=EndReason.HOST_LOST,
        reserved=MicroUsd(500_000),
        booked=MicroUsd(1),
        bytes_down=34_500_000_000,
        absences=1,
        missed_at=NOW + seconds(9),
        address=Address(host="127.0.0.1", port=2222, user="root"),
        host_key="ssh-ed25519 AAAA",
        comfyui_port=18188,
        variant="fp8",
    )


class TestEvents:
    async def test_each_move_is_told_with_its_time_and_reason(self, store: Store, clock: HandClock) -> None:
        before = a_job()
        await put(store, a_session(), before)
        clock.time += seconds(5)
        async with store.writing() as books:
            running = before.moved_to(JobState.RUNNING, NOW)
            await books.jobs.change(before, running, reason="dispatched", details={"machine": "i1", "waited_s": 5.0})

        async with store.reading() as books:
            first, second = await books.events("j1")

        assert (first.kind, first.before, first.after, first.reason) == ("job", "", "QUEUED", "test")
        assert (second.kind, second.before, second.after, second.reason) == ("job", "QUEUED", "RUNNING", "dispatched")
        assert (first.at, second.at) == (NOW, NOW + seconds(5))
        assert second.details == {"machine": "i1", "waited_s": 5.0}

    async def test_a_change_in_place_is_told_only_when_it_has_details(self, store: Store) -> None:
        before = an_instance()
        await put(store, a_session(), before)

        async with store.writing() as books:
            quiet = await books.instances.change(before, replace(before, booked=MicroUsd(5)), reason="booked")
            await books.instances.change(quiet, replace(quiet, absences=1), reason="absent", details={})

        async with store.reading() as books:
            moves = [(event.before, event.after, event.reason) for event in await books.events("i1")]
        assert moves == [("", "PLANNED", "test"), ("PLANNED", "PLANNED", "absent")]

    async def test_events_are_of_one_subject(self, store: Store) -> None:
        await put(store, a_session(), a_session("s2", user=BOB))

        async with store.reading() as books:
            assert [event.subject for event in await books.events("s2")] == ["s2"]
            assert await books.events("nobody") == ()


class TestLedger:
    async def test_what_apis_charged_for_a_session_is_added_up(self, store: Store) -> None:
        await put(
            store,
            a_session(),
            a_session("s2", user=BOB),
            a_job("j1"),
            a_job("j2", submitted_at=NOW + seconds(1)),
            a_job("j3", session=SessionId("s2"), user=BOB),
        )
        async with store.writing() as books:
            for job, amount in (("j1", 3_000), ("j1", 20_000), ("j2", 500), ("j3", 7)):
                await books.ledger.book(
                    Booking(at=NOW, user=ADA, cloud="api", instance=None, job=JobId(job), amount=MicroUsd(amount))
                )

        async with store.reading() as books:
            assert await books.ledger.bridged(a_session(), of_last=9) == 23_500
            assert await books.ledger.bridged(a_session(), of_last=1) == 500
            assert await books.ledger.bridged(a_session("s3"), of_last=9) == 0

    async def test_money_is_added_up_by_person_day_and_month(self, store: Store) -> None:
        day = datetime(2026, 3, 4, tzinfo=UTC)
        await self._book(store, ADA, day, 1)
        await self._book(store, ADA, day + timedelta(hours=23, minutes=59), 10)
        await self._book(store, BOB, day, 100)
        await self._book(store, ADA, day - timedelta(microseconds=1), 1_000)
        await self._book(store, ADA, day.replace(day=1), 10_000)
        await self._book(store, ADA, day.replace(day=1) - timedelta(microseconds=1), 100_000)

        async with store.reading() as books:
            spent = await books.ledger.spent(ADA, day=day, month=day.replace(day=1))

        assert spent == Spent(person_day=MicroUsd(11), day=MicroUsd(111), month=MicroUsd(11_111))

    async def test_what_is_reserved_beyond_its_bookings_counts_as_spent_until_the_proof(self, store: Store) -> None:
        await put(
            store,
            a_session(),
            an_instance("i1", state=InstanceState.READY, reserved=MicroUsd(1_000), booked=MicroUsd(400)),
            an_instance("i2", state=InstanceState.TERMINATING, reserved=MicroUsd(50)),
            an_instance("i3", state=InstanceState.READY, user=BOB, reserved=MicroUsd(7)),
            an_instance("i4", state=InstanceState.READY, reserved=MicroUsd(1), booked=MicroUsd(9_999)),
            an_instance("i5", state=InstanceState.TERMINATED, reserved=MicroUsd(5_000)),
        )
        day = datetime(2026, 3, 4, tzinfo=UTC)

        async with store.reading() as books:
            spent = await books.ledger.spent(ADA, day=day, month=day.replace(day=1))

        assert spent == Spent(person_day=MicroUsd(650), day=MicroUsd(657), month=MicroUsd(657))

    async def test_a_total_includes_its_beginning_and_not_its_end(self, store: Store) -> None:
        for number in range(3):
            await self._book(store, ADA, NOW + seconds(number), 10**number)

        async with store.reading() as books:
            assert await books.ledger.total(NOW, NOW + seconds(2)) == 11
            assert await books.ledger.total(NOW + seconds(9), NOW + seconds(10)) == 0

    async def test_by_day_adds_up_each_cloud_and_user(self, store: Store) -> None:
        await put(store, a_session(), an_instance(), a_job())
        booking = Booking(
            at=NOW, user=ADA, cloud="vast", instance=InstanceId("i1"), job=JobId("j1"), amount=MicroUsd(5)
        )
        async with store.writing() as books:
            for entry in (
                booking,
                replace(booking, at=NOW + timedelta(hours=8)),
                replace(booking, at=NOW + timedelta(hours=9)),
                replace(booking, user=BOB),
                replace(booking, cloud="replicate", instance=None),
                replace(booking, at=NOW - timedelta(days=1)),
            ):
                await books.ledger.book(entry)

        async with store.reading() as books:
            assert await books.ledger.by_day(NOW) == (
                DayCost(day="2026-03-04", cloud="replicate", user=ADA, amount=MicroUsd(5)),
                DayCost(day="2026-03-04", cloud="vast", user=ADA, amount=MicroUsd(10)),
                DayCost(day="2026-03-04", cloud="vast", user=BOB, amount=MicroUsd(5)),
                DayCost(day="2026-03-05", cloud="vast", user=ADA, amount=MicroUsd(5)),
            )

    async def test_pictures_are_those_of_jobs_that_succeeded_since(self, store: Store) -> None:
        three = (ImageKey("a"), ImageKey("b"), ImageKey("c"))
        done = a_job("j1", state=JobState.SUCCEEDED, ended_at=NOW, images=three)
        await put(
            store,
            a_session(),
            done,
            replace(done, id=JobId("j2"), idempotency_key="2", ended_at=NOW + seconds(1), images=three[:1]),
            replace(done, id=JobId("j3"), idempotency_key="3", state=JobState.CANCELLED),
            replace(done, id=JobId("j4"), idempotency_key="4", ended_at=NOW - seconds(1)),
        )

        async with store.reading() as books:
            assert await books.ledger.pictures(NOW) == 4
            assert await books.ledger.pictures(NOW + seconds(9)) == 0

    async def _book(self, store: Store, user: UserId, at: datetime, amount: int) -> None:
        async with store.writing() as books:
            booking = Booking(at=at, user=user, cloud="vast", instance=None, job=None, amount=MicroUsd(amount))
            await books.ledger.book(booking)


class TestNotices:
    NEWS = Notice(id=0, user=ADA, key="over_budget", values={"limit": 2.0, "cap": "day"}, topic="budget", at=NOW)

    async def test_the_same_news_is_stored_once_while_it_is_fresh(self, store: Store) -> None:
        later = replace(self.NEWS, at=NOW + seconds(60))
        async with store.writing() as books:
            assert await books.notices.add(self.NEWS, unless_since=NOW - seconds(600))
            assert not await books.notices.add(later, unless_since=NOW - seconds(1))
            assert await books.notices.add(later, unless_since=NOW)
            assert await books.notices.add(replace(self.NEWS, user=None, topic="key"), unless_since=NOW - seconds(600))

        async with store.reading() as books:
            first, second, third = await books.notices.unacknowledged()
        assert first == replace(self.NEWS, id=first.id)
        assert second.at == later.at
        assert third.user is None

    async def test_an_acknowledged_notice_is_not_told_again(self, store: Store) -> None:
        async with store.writing() as books:
            await books.notices.add(self.NEWS, unless_since=NOW)
            (notice,) = await books.notices.unacknowledged()
            await books.notices.acknowledge(notice.id, NOW + seconds(1))
            await books.notices.acknowledge(notice.id, NOW + seconds(2))
            assert await books.notices.unacknowledged() == ()


class TestFacts:
    async def test_a_fact_can_be_set_and_set_anew(self, store: Store) -> None:
        async with store.writing() as books:
            assert await books.fact("epoch") is None
            await books.set_fact("epoch", "1")
            await books.set_fact("epoch", "2")
            assert await books.fact("epoch") == "2"


class TestPresets:
    POSTER = Preset(name="poster", options="--ar 2:3")

    async def test_presets_are_read_by_name_and_only_ones_own(self, store: Store) -> None:
        fast = Preset(name="fast", options="--steps 2")
        async with store.writing() as books:
            for user, preset in ((ADA, self.POSTER), (ADA, fast), (BOB, Preset(name="poster", options="--ar 1:1"))):
                await books.people.put_preset(user, preset)

            assert await books.people.presets(ADA) == (fast, self.POSTER)

    async def test_a_preset_is_kept_once_a_name(self, store: Store) -> None:
        newer = Preset(name="poster", options="--ar 3:2")
        async with store.writing() as books:
            await books.people.put_preset(ADA, self.POSTER)
            await books.people.put_preset(ADA, newer)

            assert await books.people.presets(ADA) == (newer,)

    async def test_a_removed_preset_is_gone_and_the_second_removal_says_so(self, store: Store) -> None:
        async with store.writing() as books:
            await books.people.put_preset(ADA, self.POSTER)

            assert await books.people.remove_preset(ADA, "poster")
            assert not await books.people.remove_preset(ADA, "poster")
            assert await books.people.presets(ADA) == ()


def a_lora(name: str, *, strength: float = 1.0, is_shared: bool = False) -> AddedLora:
    file = LoraFile(url=f"https://a.example/{name}", size_bytes=7, sha256="ab" * 32)
    return AddedLora(name=name, file=file, strength=strength, triggers="an ink drawing", is_shared=is_shared)


class TestLoras:
    async def test_a_person_has_their_own_and_everybodys_and_their_own_of_one_name(self, store: Store) -> None:
        async with store.writing() as books:
            for user, lora in ((ADA, a_lora("ink")), (EVERYBODY, a_lora("ink", is_shared=True))):
                assert await books.loras.add(user, lora)
            assert await books.loras.add(EVERYBODY, a_lora("neon", is_shared=True))

            assert await books.loras.of(ADA) == (a_lora("ink"),)
            assert await books.loras.find(ADA, "ink") == a_lora("ink")
            assert await books.loras.find(BOB, "ink") == a_lora("ink", is_shared=True)
            assert await books.loras.find(ADA, "neon") == a_lora("neon", is_shared=True)
            assert await books.loras.find(ADA, "oil") is None

    async def test_a_name_is_taken_once(self, store: Store) -> None:
        async with store.writing() as books:
            assert await books.loras.add(ADA, a_lora("ink"))
            assert not await books.loras.add(ADA, a_lora("ink", strength=0.5))
            assert await books.loras.of(ADA) == (a_lora("ink"),)

            assert await books.loras.remove(ADA, "ink")
            assert not await books.loras.remove(ADA, "ink")

    async def test_whoever_joins_brings_theirs_and_the_person_keeps_theirs_of_one_name(self, store: Store) -> None:
        async with store.writing() as books:
            for user, lora in ((ADA, a_lora("ink")), (BOB, a_lora("ink", strength=0.5)), (BOB, a_lora("oil"))):
                await books.loras.add(user, lora)

            await books.people.join(BOB, ADA, NOW)

            assert await books.loras.of(ADA) == (a_lora("ink"), a_lora("oil"))
            assert await books.loras.of(BOB) == ()

    async def test_whoever_is_forgotten_leaves_none_behind(self, store: Store) -> None:
        own = a_lora("ink").for_job()
        over = replace(a_job(), state=JobState.CANCELLED, ended_at=NOW, own_lora=own)
        async with store.writing() as books:
            await books.sessions.add(a_session(), reason="test")
            await books.jobs.add(over, reason="test")
            await books.loras.add(ADA, a_lora("ink"))
            await books.loras.add(EVERYBODY, a_lora("neon", is_shared=True))
            kept = await books.jobs.get(over.id)
            assert kept is not None
            assert kept.own_lora == own

            await books.people.forget(ADA, NOW)

            forgotten = await books.jobs.get(over.id)
            assert forgotten is not None
            assert forgotten.own_lora is None
            assert await books.loras.of(ADA) == ()
            assert len(await books.loras.of(EVERYBODY)) == 1


class TestClaims:
    async def test_whoever_asks_first_has_it_until_it_is_old(self, store: Store) -> None:
        async with store.writing() as books:
            assert await books.people.claim("album", NOW, since=NOW - seconds(60))
            assert await books.people.claim("other", NOW, since=NOW - seconds(60))
            assert not await books.people.claim("album", NOW + seconds(60), since=NOW)
            assert await books.people.claim("album", NOW + seconds(61), since=NOW + seconds(1))


class TestPlaces:
    async def test_what_was_chosen_for_a_place_is_kept_for_that_place_alone(self, store: Store) -> None:
        async with store.writing() as books:
            await books.people.set_place_setting("guild", "pictures", "spoiler")
            await books.people.set_place_setting("guild", "pictures", "plain")
            await books.people.set_place_setting("group", "pictures", "spoiler")

            assert await books.people.place_setting("guild", "pictures") == "plain"
            assert await books.people.place_setting("guild", "other") == ""
            assert await books.people.place_setting("elsewhere", "pictures") == ""


class TestAccounts:
    CHAT, OTHER = UserId("discord:1"), UserId("telegram:2")

    async def test_an_account_is_a_person_by_itself_until_it_joins_one(self, store: Store) -> None:
        async with store.writing() as books:
            assert await books.people.person_of(self.OTHER) == self.OTHER

            await books.people.join(self.OTHER, self.CHAT, NOW)

            assert await books.people.person_of(self.OTHER) == self.CHAT
            assert await books.people.accounts_of(self.CHAT) == (self.OTHER,)
            assert await books.people.unlink(self.OTHER)
            assert not await books.people.unlink(self.OTHER)
            assert await books.people.person_of(self.OTHER) == self.OTHER

    async def test_everything_of_the_one_who_joins_is_the_persons(self, store: Store) -> None:
        mine = Notice(id=0, user=self.OTHER, key="over_budget", values={}, topic="budget", at=NOW)
        async with store.writing() as books:
            await books.sessions.add(a_session(user=self.OTHER), reason="test")
            await books.jobs.add(a_job(user=self.OTHER), reason="test")
            await books.instances.add(an_instance(user=self.OTHER), reason="test")
            for user, amount in ((self.OTHER, 300), (self.CHAT, 200)):
                booking = Booking(at=NOW, user=user, cloud="vast", instance=None, job=None, amount=MicroUsd(amount))
                await books.ledger.book(booking)
            await books.notices.add(mine, unless_since=NOW)
            for user in (self.OTHER, self.CHAT):
                await books.people.put_preset(user, Preset(name="same", options=f"--of {user}"))
            await books.people.put_preset(self.OTHER, Preset(name="own", options="--steps 2"))

            await books.people.join(self.OTHER, self.CHAT, NOW)

            (job,) = await books.jobs.page(user=self.CHAT, before=None, limit=9)
            session, machine = await books.sessions.get(SessionId("s1")), await books.instances.get(InstanceId("i1"))
            assert session is not None
            assert machine is not None
            assert {job.user, session.user, machine.user} == {self.CHAT}
            assert [(row.user, row.amount) for row in await books.ledger.by_day(NOW)] == [(self.CHAT, 500)]
            assert [notice.user for notice in await books.notices.unacknowledged()] == [self.CHAT]
            assert await books.people.presets(self.CHAT) == (
                Preset(name="own", options="--steps 2"),
                Preset(name="same", options="--of discord:1"),
            )
            assert await books.people.presets(self.OTHER) == ()

    async def test_whoever_read_a_row_before_the_join_cannot_write_the_old_name_back(self, store: Store) -> None:
        async with store.writing() as books:
            await books.sessions.add(a_session(user=self.OTHER), reason="test")
            await books.instances.add(an_instance(user=self.OTHER), reason="test")
            before = await books.instances.get(InstanceId("i1"))
            assert before is not None
            await books.people.join(self.OTHER, self.CHAT, NOW)

        with pytest.raises(StaleWrite):
            async with store.writing() as books:
                await books.instances.change(before, replace(before, absences=1), reason="test")

    async def test_a_code_is_taken_once_and_in_time(self, store: Store) -> None:
        async with store.writing() as books:
            await books.people.put_link_code(self.CHAT, "one", NOW + seconds(600))
            assert await books.people.take_link_code("other", NOW) is None
            assert await books.people.take_link_code("one", NOW + seconds(600)) == self.CHAT
            assert await books.people.take_link_code("one", NOW) is None

            await books.people.put_link_code(self.CHAT, "late", NOW + seconds(600))
            assert await books.people.take_link_code("late", NOW + seconds(601)) is None

    async def test_a_name_is_found_however_it_is_typed_until_its_owner_is_forgotten(self, store: Store) -> None:
        async with store.writing() as books:
            await books.people.put_name(self.CHAT, "Ada")
            await books.people.put_name(self.OTHER, "Straße")
            await books.people.put_name(self.OTHER, "ADA")
            await books.people.join(self.OTHER, self.CHAT, NOW)
            assert await books.people.called("ada", 9) == (self.CHAT, self.OTHER)
            assert await books.people.called("ada", 1) == (self.CHAT,)
            assert await books.people.called("strasse", 9) == ()
            assert await books.people.name_of(self.OTHER) == "ADA"

            await books.people.forget(self.CHAT, NOW)

            assert await books.people.called("ada", 9) == ()
            assert await books.people.name_of(self.OTHER) == ""


class TestProfiles:
    async def test_choices_come_back_as_they_were_until_their_owner_is_forgotten(self, store: Store) -> None:
        hours = QuietHours(begin=seconds(22 * 3600), end=seconds(8 * 3600), offset=-seconds(3.5 * 3600))
        chosen = Profile(muted=frozenset({NoticeKind.DONE, NoticeKind.BUDGET}), quiet=hours, wants_metadata=True)
        async with store.writing() as books:
            assert await books.people.profile(ADA) == Profile()
            await books.people.put_profile(ADA, Profile(wants_metadata=True))
            await books.people.put_profile(ADA, chosen)
            assert await books.people.profile(ADA) == chosen

            await books.people.forget(ADA, NOW)

            assert await books.people.profile(ADA) == Profile()
