"""Who gets a machine, who gives it back, and what is said when none can be had."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.api import CancelOutcome, ColdStart, Queued
from orchestrator.control.moves import end_instance
from orchestrator.control.shared import Limits
from orchestrator.domain.errors import RequestError
from orchestrator.domain.instance import EndReason, InstanceState
from orchestrator.domain.job import Failure, JobState
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.renting import FirstUser, RentingPolicy
from orchestrator.domain.policy.spend import Caps
from orchestrator.domain.session import SessionState
from tests.component.control.stage import IDLE, Stage, a_stage
from tests.contract.samples import ADA, BOB

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as opened:
        yield opened


async def give_up(stage: Stage, reason: EndReason) -> None:
    """What the provisioner does when it cannot have the planned machine."""
    [planned] = await stage.instances(InstanceState.PLANNED)
    async with stage.shared.store.writing() as books:
        await end_instance(books, planned, reason, stage.clock.now())
    await stage.look()


async def test_the_first_request_plans_one_machine_and_a_second_plans_no_other(stage: Stage) -> None:
    await stage.ask(key="k1")
    await stage.ask(key="k2")

    assert len(await stage.instances()) == 1
    session = await stage.session()
    assert session is not None
    assert session.state is SessionState.WARMING


async def test_two_people_have_a_machine_each(stage: Stage) -> None:
    await stage.ask(user=ADA, key="k1")
    await stage.ask(user=BOB, key="k2")

    assert {instance.user for instance in await stage.instances(InstanceState.PLANNED)} == {ADA, BOB}


async def test_the_same_key_is_the_same_job(stage: Stage) -> None:
    assert await stage.ask(key="k1") == await stage.ask(key="k1")


async def test_an_idle_machine_is_given_back_after_the_timeout_and_not_before(stage: Stage) -> None:
    job = await stage.ask()
    await stage.make_ready()
    await stage.finish(job)

    await stage.look(IDLE - timedelta(seconds=1))
    assert len(await stage.instances(InstanceState.READY)) == 1

    await stage.look(timedelta(seconds=1))
    [ended] = await stage.instances(InstanceState.TERMINATING)
    assert ended.end_reason is EndReason.IDLE
    assert await stage.session() is None


async def test_another_request_starts_the_timeout_anew(stage: Stage) -> None:
    first = await stage.ask(key="k1")
    await stage.make_ready()
    await stage.finish(first)
    stage.clock.time += IDLE - MINUTE
    second = await stage.ask(key="k2")
    await stage.finish(second)

    await stage.look(IDLE - MINUTE)

    assert len(await stage.instances(InstanceState.READY)) == 1


async def test_keep_outlasts_the_timeout_and_says_what_it_costs(stage: Stage) -> None:
    job = await stage.ask()
    ready = await stage.make_ready()
    await stage.finish(job)

    kept = await stage.service.keep(ADA, timedelta(minutes=30))
    await stage.look(timedelta(minutes=29))

    assert len(await stage.instances(InstanceState.READY)) == 1
    assert kept.cost == pytest.approx(ready.price * 20 / 60, rel=0.01)


async def test_release_finishes_what_is_under_way_and_then_gives_the_machine_back(stage: Stage) -> None:
    job = await stage.ask()
    await stage.make_ready()

    assert (await stage.service.release(ADA)).released
    await stage.look()
    assert len(await stage.instances(InstanceState.READY)) == 1

    await stage.finish(job)
    [ended] = await stage.instances(InstanceState.TERMINATING)
    assert ended.end_reason is EndReason.RELEASED


async def test_a_cancelled_cold_start_goes_on_for_half_a_minute_in_case_of_a_correction(stage: Stage) -> None:
    job = await stage.ask(key="k1")
    assert await stage.service.cancel(job, by=ADA) is CancelOutcome.CANCELLED
    await stage.look(timedelta(seconds=29))
    assert len(await stage.instances(InstanceState.PLANNED)) == 1

    await stage.ask(key="k2")
    await stage.look(timedelta(seconds=60))

    assert len(await stage.instances(InstanceState.PLANNED)) == 1


async def test_a_cold_start_that_nobody_waits_for_is_ended(stage: Stage) -> None:
    job = await stage.ask()
    await stage.service.cancel(job, by=ADA)
    await stage.look()

    await stage.look(timedelta(seconds=31))

    [ended] = await stage.instances()
    assert (ended.state, ended.end_reason) == (InstanceState.TERMINATED, EndReason.NOT_NEEDED)


async def test_a_job_belongs_to_the_one_who_asked(stage: Stage) -> None:
    job = await stage.ask()

    assert await stage.service.cancel(job, by=BOB) is CancelOutcome.NOT_YOURS
    assert (await stage.job(job)).state is JobState.QUEUED


async def test_a_machine_that_failed_is_replaced_at_once_and_the_card_says_so(stage: Stage) -> None:
    job = await stage.ask()
    [planned] = await stage.instances()
    booting = await stage.move(planned, InstanceState.LAUNCHING, InstanceState.BOOTING)
    async with stage.shared.store.writing() as books:
        await end_instance(books, booting, EndReason.BOOT_FAILED, stage.clock.now())

    await stage.look()

    view = await stage.service.job(job)
    assert view is not None
    assert isinstance(view.status, ColdStart)
    assert (view.status.attempt, view.status.trouble and view.status.trouble.reason) == (2, EndReason.BOOT_FAILED)


@pytest.mark.parametrize(
    "policy", [FirstUser(idle_timeout=IDLE), Auto(idle_timeout=IDLE)], ids=lambda policy: policy.name
)
async def test_with_one_try_a_job_fails_with_its_machine_and_no_other_is_ordered(
    tmp_path: Path, policy: RentingPolicy
) -> None:
    async with a_stage(tmp_path, limits=Limits(tries=1), policy=policy) as stage:
        job = await stage.ask()
        await stage.lose(await stage.order(), EndReason.SSH_UNREACHABLE)
        await stage.look()

        failed = await stage.job(job)
        assert failed.state is JobState.FAILED
        assert failed.failure == Failure(key="gave_up", values={"reason": "ssh_unreachable", "tries": 1})
        assert await stage.instances(InstanceState.PLANNED) == ()


async def test_with_two_tries_the_second_machine_may_still_do(tmp_path: Path) -> None:
    async with a_stage(tmp_path, limits=Limits(tries=2)) as stage:
        job = await stage.ask()
        await stage.lose(await stage.order())
        await stage.look()
        await stage.make_ready()
        await stage.finish(job)

        assert (await stage.job(job)).state is JobState.SUCCEEDED


async def test_a_machine_that_was_never_ordered_is_no_try(tmp_path: Path) -> None:
    async with a_stage(tmp_path, limits=Limits(tries=1)) as stage:
        job = await stage.ask()
        await give_up(stage, EndReason.NO_OFFER)
        await stage.look(MINUTE)

        assert (await stage.job(job)).state is JobState.QUEUED


async def test_the_tries_of_an_earlier_job_are_not_those_of_the_next(tmp_path: Path) -> None:
    async with a_stage(tmp_path, limits=Limits(tries=1)) as stage:
        await stage.ask(key="k1")
        await stage.lose(await stage.order())
        await stage.look()
        stage.clock.time += MINUTE
        second = await stage.ask(key="k2")
        await stage.look(MINUTE)

        assert (await stage.job(second)).state is JobState.QUEUED
        assert len(await stage.instances(InstanceState.PLANNED)) == 1


async def test_an_empty_market_is_asked_again_ever_more_slowly(stage: Stage) -> None:
    job = await stage.ask()
    waits = []
    for _ in range(4):
        await give_up(stage, EndReason.NO_OFFER)
        began = stage.clock.now()
        while not await stage.instances(InstanceState.PLANNED):
            await stage.look(timedelta(seconds=1))
        waits.append(stage.clock.now() - began)

    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert (await stage.job(job)).state is JobState.QUEUED


async def test_a_refused_account_is_tried_three_times_and_then_told(stage: Stage) -> None:
    job = await stage.ask()
    for _ in range(3):
        await give_up(stage, EndReason.ACCOUNT)
        await stage.look(MINUTE)

    failed = await stage.job(job)
    assert failed.failure is not None
    assert (failed.state, failed.failure.key) == (JobState.FAILED, "account")
    assert await stage.instances(InstanceState.PLANNED) == ()


async def test_a_job_waits_for_a_machine_until_its_deadline_and_no_longer(stage: Stage) -> None:
    job = await stage.ask()
    await give_up(stage, EndReason.NO_OFFER)

    await stage.look(stage.shared.limits.job_deadline)

    failed = await stage.job(job)
    assert failed.failure is not None
    assert (failed.failure.key, failed.failure.values["reason"]) == ("gave_up", "no_offer")


async def test_without_any_cloud_a_job_is_told_at_once(tmp_path: Path) -> None:
    async with a_stage(tmp_path, clouds=()) as stage:
        job = await stage.ask()

        assert (await stage.job(job)).state is JobState.FAILED


async def test_one_person_may_have_so_many_unfinished_jobs_and_no_more(stage: Stage) -> None:
    for number in range(3):
        await stage.ask(key=f"k{number}")

    with pytest.raises(RequestError, match="too_many_jobs"):
        await stage.ask(key="k4")


async def test_a_spent_budget_refuses_before_anything_is_queued(tmp_path: Path) -> None:
    async with a_stage(tmp_path, caps=Caps(person_day=MicroUsd(0), day=None, month=None)) as stage:
        with pytest.raises(RequestError, match="over_budget"):
            await stage.ask()

        assert await stage.service.jobs() == ()


async def test_while_draining_nothing_new_is_taken(stage: Stage) -> None:
    await stage.service.drain(on=True)
    with pytest.raises(RequestError, match="draining"):
        await stage.ask()

    await stage.service.drain(on=False)
    await stage.ask()


async def test_a_lost_warm_machine_leaves_its_session_open_and_its_jobs_queued(stage: Stage) -> None:
    job = await stage.ask()
    ready = await stage.make_ready()
    async with stage.shared.store.writing() as books:
        await end_instance(books, ready, EndReason.VANISHED, stage.clock.now())

    await stage.look()

    assert len(await stage.instances(InstanceState.PLANNED)) == 1
    view = await stage.service.job(job)
    assert view is not None
    assert not isinstance(view.status, Queued)


async def test_every_move_of_a_session_is_in_the_event_log(stage: Stage) -> None:
    job = await stage.ask()
    session = await stage.session()
    assert session is not None
    await stage.make_ready()
    await stage.finish(job)
    await stage.look(IDLE)

    async with stage.shared.store.reading() as books:
        events = await books.events(session.id)

    path = [event.after for event in events if event.before != event.after]
    assert path == ["OPEN", "WARMING", "WARM", "COOLING", "CLOSED"]


async def test_in_quiet_the_loop_says_that_it_has_nothing_to_do(stage: Stage) -> None:
    job = await stage.ask()
    await stage.make_ready()
    await stage.finish(job)
    await stage.look(IDLE)
    [ended] = await stage.instances(InstanceState.TERMINATING)
    async with stage.shared.store.writing() as books:
        gone = replace(ended.moved_to(InstanceState.TERMINATED, stage.clock.now()), ended_at=stage.clock.now())
        await books.instances.change(ended, gone, reason="gone")

    assert await stage.sessions.step() is None
