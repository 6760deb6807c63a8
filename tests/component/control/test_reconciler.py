"""Our books versus a cloud that hides machines, brings them back, or knows machines that our books have lost."""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.api import JobRequest
from orchestrator.control.moves import end_instance
from orchestrator.control.reconciler import WRITES
from orchestrator.control.rounds import ENDING
from orchestrator.domain.errors import CloudUnavailable, RequestError
from orchestrator.domain.ids import CloudRef, InstallationId, InstanceId, launch_key
from orchestrator.domain.instance import EndReason, InstanceState
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour, price_of
from orchestrator.domain.offer import Requirements
from tests import virtual_time
from tests.component.control.fleet import PRICE, US, Fleet, Watch, a_watch
from tests.component.control.test_stopping import Disk
from tests.contract.samples import ADA, VAST, HandClock

MINUTE = timedelta(minutes=1)
CENT = 10_000


def watching(folder: Path, story: Callable[[Watch], Awaitable[None]]) -> None:
    async def world() -> None:
        async with a_watch(folder) as watch:
            await story(watch)

    virtual_time.run(world())


def watching_on_a_disk(folder: Path, story: Callable[[Watch, Disk], Awaitable[None]]) -> None:
    async def world() -> None:
        disk = Disk()
        async with a_watch(folder, before_statement=disk.before_statement) as watch:
            await story(watch, disk)

    virtual_time.run(world())


def test_a_bot_with_nothing_to_do_looks_at_its_cloud_every_minute(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        assert await watch.reconciler.step() == MINUTE

        late = watch.fleet.rent(launch_key(US, 1, InstanceId("late")))
        await watch.rounds(3 * MINUTE)
        assert late not in watch.fleet.living

    watching(tmp_path, story)


def test_nothing_is_on_offer_before_a_cloud_was_listed_completely(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        watch.fleet.is_up = False
        await watch.rounds(2 * MINUTE)
        watch.fleet.is_up = True
        answers = await watch.market.offers(Requirements(vram_mib=1, disk_gib=1))
        assert (answers.offers, list(answers.errors)) == ((), [VAST])

        await watch.rounds(MINUTE)
        assert (await watch.market.offers(Requirements(vram_mib=1, disk_gib=1))).offers

    watching(tmp_path, story)


@pytest.mark.parametrize("reason", [EndReason.LAUNCH_LOST, EndReason.NOT_NEEDED])
def test_a_machine_that_is_ended_before_it_was_seen_is_booked_at_what_it_really_costs(
    tmp_path: Path, reason: EndReason
) -> None:
    """Nobody has looked at it before it is ended, and nobody can afterwards."""

    async def story(watch: Watch) -> None:
        ref = await watch.machine(InstanceState.BOOTING)
        watch.fleet.machines[ref] = replace(watch.fleet.machines[ref], price=MicroUsdPerHour(2 * PRICE))
        watch.stage.clock.time += MINUTE
        (row,) = await watch.rows()
        async with watch.stage.shared.store.writing() as books:
            await end_instance(books, row, reason, watch.stage.clock.now())

        await watch.rounds(3 * MINUTE)

        assert (await watch.rows())[0].state is InstanceState.TERMINATED
        assert await watch.booked() == price_of(MicroUsdPerHour(2 * PRICE), MINUTE)

    watching(tmp_path, story)


def test_a_machine_that_a_listing_hides_and_the_cloud_knows_is_kept(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        hidden = await watch.machine()
        watch.fleet.hides = {hidden}
        await watch.rounds(10 * MINUTE)
        (row,) = await watch.rows()
        assert (row.state, watch.fleet.living) == (InstanceState.READY, {hidden})

    watching(tmp_path, story)


def test_a_machine_that_the_cloud_cannot_be_asked_about_is_kept(tmp_path: Path) -> None:
    """The second witness is down: that is no reason to give a machine up that may be painting."""

    async def story(watch: Watch) -> None:
        hidden = await watch.machine()
        watch.fleet.hides = {hidden}
        watch.fleet.cannot_be_asked = True
        await watch.rounds(5 * MINUTE)
        (row,) = await watch.rows()
        assert row.state is InstanceState.READY

    watching(tmp_path, story)


def test_an_old_listing_opens_no_closed_bill_while_nobody_can_be_asked(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        ref = await watch.machine()
        await watch.rounds(10 * MINUTE)
        (row,) = await watch.rows()
        async with watch.stage.shared.store.writing() as books:
            await end_instance(books, row, EndReason.IDLE, watch.stage.clock.now())
        await watch.rounds(MINUTE)
        watch.fleet.ghosts, watch.fleet.cannot_be_asked = {ref}, True
        await watch.rounds(5 * MINUTE)
        watch.fleet.ghosts, watch.fleet.cannot_be_asked = set(), False
        await watch.rounds(3 * MINUTE)

        assert [row.state for row in await watch.rows()] == [InstanceState.TERMINATED]
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=CENT / 10)

    watching(tmp_path, story)


def test_a_machine_that_a_listing_shows_after_its_end_is_ended_again_while_nobody_can_be_asked(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        await watch.machine()
        await watch.rounds(10 * MINUTE)
        (row,) = await watch.rows()
        watch.fleet.deaf, watch.fleet.cannot_be_asked = 1, True
        async with watch.stage.shared.store.writing() as books:
            await end_instance(books, row, EndReason.IDLE, watch.stage.clock.now())
        await watch.rounds(6 * MINUTE)

        assert watch.fleet.living == set()
        assert [row.state for row in await watch.rows()] == [InstanceState.TERMINATED]
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=CENT / 10)

    watching(tmp_path, story)


class Losing(Fleet):
    """What it is told to end ends; its answer never comes."""

    async def terminate(self, ref: CloudRef) -> bool:
        await Fleet.terminate(self, ref)
        raise CloudUnavailable(self.name, "the answer is lost")


def test_a_machine_that_was_hidden_and_painted_since_is_paid_for_until_its_end(tmp_path: Path) -> None:
    """One listing had lacked it, and the answer to its end was lost: only its pictures say how long it lived."""

    async def story(watch: Watch) -> None:
        ref = await watch.machine()
        await watch.rounds(10 * MINUTE)
        watch.fleet.hides = {ref}
        await watch.rounds(MINUTE)
        watch.stage.clock.time += 5 * MINUTE
        (row,) = await watch.rows()
        assert row.absences == 1
        watch.stage.shared.board.note_heard(row.id, watch.stage.clock.now())
        async with watch.stage.shared.store.writing() as books:
            await end_instance(books, row, EndReason.IDLE, watch.stage.clock.now())

        await watch.rounds(3 * MINUTE)

        assert [row.state for row in await watch.rows()] == [InstanceState.TERMINATED]
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=CENT / 10)

    async def world() -> None:
        async with a_watch(tmp_path, Losing(clock=HandClock())) as watch:
            await story(watch)

    virtual_time.run(world())


def test_a_machine_that_comes_back_after_its_burial_is_ended_and_paid_for_once(tmp_path: Path) -> None:
    """Hidden for minutes, denied by name, and deaf to its first end: the ledger still equals the bill."""

    async def story(watch: Watch) -> None:
        ref = await watch.machine()
        await watch.rounds(20 * MINUTE)
        watch.fleet.hides, watch.fleet.denies, watch.fleet.deaf = {ref}, {ref}, 1
        await watch.rounds(20 * MINUTE)
        assert [row.state for row in await watch.rows()] == [InstanceState.TERMINATED]

        watch.fleet.hides, watch.fleet.denies = set(), set()
        await watch.rounds(5 * MINUTE)

        assert watch.fleet.living == set()
        assert [row.state for row in await watch.rows()] == [InstanceState.TERMINATED] * 2
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=CENT / 10)

    watching(tmp_path, story)


def test_it_may_come_back_twice(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        ref = await watch.machine()
        for _ in range(2):
            watch.fleet.hides, watch.fleet.denies, watch.fleet.deaf = {ref}, {ref}, 2
            await watch.rounds(10 * MINUTE)
            assert {row.state for row in await watch.rows()} == {InstanceState.TERMINATED}
            watch.fleet.hides, watch.fleet.denies = set(), set()
            await watch.rounds(MINUTE)
        watch.fleet.deaf = 0
        await watch.rounds(5 * MINUTE)

        assert len(await watch.rows()) == 3
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=CENT / 10)

    watching(tmp_path, story)


def test_a_machine_ordered_since_the_backup_is_ended_and_paid_for_from_its_order_on(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        began = watch.stage.clock.now() - timedelta(hours=3)
        ref = watch.fleet.rent(launch_key(US, 1, InstanceId("since")), began=began)
        await watch.rounds(5 * MINUTE)

        assert ref not in watch.fleet.living
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=CENT / 10)
        assert "orphan_ended" in await watch.told()

    watching(tmp_path, story)


def test_a_clock_set_forward_puts_no_hour_on_the_bill_of_a_machine_that_turns_up(tmp_path: Path) -> None:
    """It is billed from the last listing that lacked it; how long ago that was no setting of the clock changes."""

    async def story(watch: Watch) -> None:
        await watch.rounds(2 * MINUTE)
        lacked_at, forward = watch.stage.clock.now() - MINUTE, timedelta(hours=1)
        late = watch.fleet.rent(launch_key(US, 1, InstanceId("late")))
        watch.stage.clock.set_by = forward
        watch.fleet.is_up = False
        await watch.rounds(2 * MINUTE)
        watch.fleet.is_up = True
        await watch.rounds(5 * MINUTE)

        since_then = watch.fleet.ended[late] - lacked_at - forward
        assert await watch.booked() == price_of(PRICE, since_then)

    watching(tmp_path, story)


def test_an_offer_sold_twice_is_paid_for_twice(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        ref = await watch.machine()
        twin = watch.fleet.rent(watch.fleet.machines[ref].label)
        await watch.rounds(5 * MINUTE)

        assert watch.fleet.living == {ref}
        assert twin in watch.fleet.ended
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=CENT)

    watching(tmp_path, story)


def test_a_machine_that_ended_itself_while_we_were_away_is_not_booked_until_today(tmp_path: Path) -> None:
    """The bot was off for two days; the machine's own switch ended it after ten silent minutes."""

    async def story(watch: Watch) -> None:
        ref = await watch.machine()
        await watch.rounds(5 * MINUTE)
        watch.fleet.ended[ref] = watch.stage.clock.now() + watch.stage.shared.limits.dead_man
        watch.stage.clock.time += timedelta(days=2)
        await watch.rounds(5 * MINUTE)

        assert [row.state for row in await watch.rows()] == [InstanceState.TERMINATED]
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=CENT)

    watching(tmp_path, story)


def test_a_machine_that_goes_while_it_moves_on_is_missed_by_the_next_listing_and_not_a_minute_later(
    tmp_path: Path,
) -> None:
    """A listing that was asked for before a row moved says nothing of it; until the next one it is booked."""

    async def story(watch: Watch) -> None:
        ref = await watch.machine(InstanceState.PREPARING)
        await watch.rounds(2 * MINUTE)
        now = watch.fleet.ended[ref] = watch.stage.clock.now()
        (row,) = await watch.rows()
        async with watch.stage.shared.store.writing() as books:
            moved = replace(row, state_since=now + timedelta(milliseconds=1))  # while the cloud was answering
            await books.instances.change(row, moved, reason="test")
        watch.stage.shared.board.doubt(VAST)
        assert await watch.reconciler.step() == ENDING

        await watch.rounds(2 * ENDING, every=ENDING)
        await watch.rounds(3 * MINUTE)
        assert await watch.booked() == pytest.approx(watch.fleet.bill(), abs=price_of(PRICE, ENDING))

    watching(tmp_path, story)


def test_an_end_is_written_down_at_once_by_a_database_that_was_busy(tmp_path: Path) -> None:
    """The process may be killed before its next round, and nobody else knows when the machine ended."""

    async def story(watch: Watch, disk: Disk) -> None:
        await watch.machine()
        await watch.rounds(2 * MINUTE)
        (row,) = await watch.rows()
        async with watch.stage.shared.store.writing() as books:
            await end_instance(books, row, EndReason.IDLE, watch.stage.clock.now())
        disk.refusals = 2
        await watch.reconciler.step()

        assert disk.refusals == 0
        assert [row.ended_at for row in await watch.rows()] == [watch.stage.clock.now()]

    watching_on_a_disk(tmp_path, story)


def test_an_end_that_cannot_be_written_down_keeps_no_other_machine_alive(tmp_path: Path) -> None:
    async def story(watch: Watch, disk: Disk) -> None:
        await watch.machine(name="i1")
        await watch.machine(name="i2")
        async with watch.stage.shared.store.writing() as books:
            for row in await books.instances.in_states(InstanceState.READY):
                await end_instance(books, row, EndReason.IDLE, watch.stage.clock.now())
        disk.refusals = WRITES
        assert await watch.reconciler.step() == ENDING

        assert watch.fleet.living == set()
        assert sum(row.ended_at is None for row in await watch.rows()) == 1

    watching_on_a_disk(tmp_path, story)


def test_a_budget_holds_while_the_cloud_does_not_answer(tmp_path: Path) -> None:
    """Its last ten minutes, until its switch ends it, are kept free from the start."""

    async def story(watch: Watch) -> None:
        await watch.stage.service.set_cap("day", MicroUsd(100_000))
        await watch.machine()
        await watch.rounds(2 * MINUTE)
        watch.fleet.is_up = False
        for _ in range(40):
            (row,) = await watch.rows()
            if row.state is InstanceState.READY:  # heartbeats go out to it until then
                watch.stage.shared.board.note_heard(row.id, watch.stage.clock.now())
            await watch.rounds(MINUTE)

        (row,) = await watch.rows()
        assert row.end_reason is EndReason.OVER_BUDGET
        assert 100_000 < await watch.booked() <= 120_000 + price_of(PRICE, MINUTE)

    watching(tmp_path, story)


def test_an_order_that_never_became_a_machine_costs_nothing(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        await watch.machine(InstanceState.TERMINATING)
        (row,) = await watch.rows()
        watch.fleet.machines.clear()
        async with watch.stage.shared.store.writing() as books:
            lost = replace(row, ref=None, end_reason=EndReason.LAUNCH_LOST)
            await books.instances.change(row, lost, reason="test")
        await watch.rounds(15 * MINUTE)

        assert [row.state for row in await watch.rows()] == [InstanceState.TERMINATED]
        assert await watch.booked() == 0

    watching(tmp_path, story)


def test_a_copied_data_folder_leaves_the_machines_of_the_living_one_alone(tmp_path: Path) -> None:
    async def world() -> None:
        async with a_watch(tmp_path, home="here") as living:
            living_name = living.stage.shared.installation
            before = await living.machine()
            await living.rounds(MINUTE)
            shutil.copytree(tmp_path, tmp_path / "copy")
        fleet = living.fleet
        since = fleet.rent(launch_key(living_name, living.stage.shared.epoch, InstanceId("since")))
        async with a_watch(tmp_path / "copy", fleet, home="elsewhere") as copy:
            await copy.rounds(30 * MINUTE)

            assert fleet.living == {before, since}
            assert copy.stage.shared.installation != living_name
            assert copy.stage.shared.former == (living_name,)
            assert (await copy.told()).count("left_behind") == 2
            (row,) = await copy.rows()
            assert row.is_left_alone

            fleet.ended = dict.fromkeys((before, since), fleet.clock.now())
            await copy.rounds(5 * MINUTE)
            (row,) = await copy.rows()
            assert (row.state, row.end_reason) == (InstanceState.TERMINATED, EndReason.LEFT_BEHIND)

    virtual_time.run(world())


def test_the_living_one_does_not_touch_what_a_copy_orders(tmp_path: Path) -> None:
    async def world() -> None:
        async with a_watch(tmp_path, home="here") as living:
            shutil.copytree(tmp_path, tmp_path / "copy")
            async with a_watch(tmp_path / "copy", Fleet(clock=HandClock()), home="elsewhere") as copy:
                name, epoch = copy.stage.shared.installation, copy.stage.shared.epoch
            ref = living.fleet.rent(launch_key(name, epoch, InstanceId("its")))
            await living.rounds(5 * MINUTE)

            assert living.fleet.living == {ref}
            assert await living.rows() == ()
            assert living.stage.shared.gate.is_open

    virtual_time.run(world())


def test_books_that_stay_where_they_are_keep_their_name_and_machines(tmp_path: Path) -> None:
    async def world() -> None:
        async with a_watch(tmp_path, home="here") as first:
            ref = await first.machine()
        async with a_watch(tmp_path, first.fleet, home="here") as second:
            await second.rounds(5 * MINUTE)

            assert second.stage.shared.installation == first.stage.shared.installation
            assert second.stage.shared.epoch > first.stage.shared.epoch
            assert second.fleet.living == {ref}
            assert [row.state for row in await second.rows()] == [InstanceState.READY]

    virtual_time.run(world())


def test_a_bot_that_sees_a_later_one_of_its_own_name_orders_nothing_and_ends_only_its_own(tmp_path: Path) -> None:
    async def story(watch: Watch) -> None:
        own = await watch.machine()
        later = watch.fleet.rent(launch_key(US, 2, InstanceId("later")))
        unknown = watch.fleet.rent(launch_key(US, 1, InstanceId("unknown")))
        await watch.rounds(5 * MINUTE)

        assert watch.fleet.living == {own, later, unknown}
        assert await watch.told() == ["rival"]
        assert not watch.stage.shared.gate.is_open
        with pytest.raises(RequestError, match="has_rival"):
            await watch.stage.service.submit(
                JobRequest(
                    user=ADA, surface="web", origin="", idempotency_key="k", workflow=None, values={"prompt": "a cat"}
                )
            )

    watching(tmp_path, story)


@pytest.mark.parametrize("label", ["", "training-run", launch_key(InstallationId("other123"), 3, InstanceId("x"))])
def test_machines_of_others_are_never_touched(tmp_path: Path, label: str) -> None:
    async def story(watch: Watch) -> None:
        ref = watch.fleet.rent(label)
        await watch.rounds(5 * MINUTE)

        assert (watch.fleet.living, await watch.rows(), await watch.told()) == ({ref}, (), [])

    watching(tmp_path, story)
