"""A second machine beside one that takes long: when it is tried, and that only one of them is left."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.api import ColdStart, Running
from orchestrator.control.bridges import Bridges
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.job import JobState
from orchestrator.domain.policy.hedging import Hedging
from orchestrator.domain.session import SessionState
from tests.component.control.stage import Stage, a_stage
from tests.contract.samples import ADA, BOB

LIVE = (InstanceState.PLANNED, InstanceState.BOOTING, InstanceState.PREPARING, InstanceState.READY)
UP = (InstanceState.PREPARING, InstanceState.READY)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as opened:
        yield opened


def allowing(stage: Stage, per_hour: int) -> Stage:
    rule = Hedging(per_hour=per_hour, not_before=timedelta(minutes=1))
    shared = replace(stage.shared, limits=replace(stage.shared.limits, hedging=rule))
    return replace(stage, shared=shared, sessions=type(stage.sessions)(shared, Bridges(shared)))


async def live(stage: Stage) -> list[Instance]:
    return list(await stage.instances(*LIVE))


async def of_bob(stage: Stage) -> list[Instance]:
    return [each for each in await live(stage) if each.user == BOB]


async def test_a_machine_that_is_no_later_than_usual_has_no_second(stage: Stage) -> None:
    await stage.ask()
    await stage.order()

    await stage.look(timedelta(minutes=5))

    assert len(await live(stage)) == 1


async def test_past_what_a_cold_start_usually_takes_a_second_is_planned_and_no_third(stage: Stage) -> None:
    job = await stage.ask()
    await stage.hedge()

    await stage.look(timedelta(minutes=15))

    assert len(await live(stage)) == 2
    status = (await stage.view(job)).status
    assert isinstance(status, ColdStart)
    assert status.has_second
    assert status.attempt == 1


async def test_the_cloud_s_own_history_says_what_is_late(stage: Stage) -> None:
    for number in range(3):
        job = await stage.ask(key=f"earlier {number}")
        machine = await stage.order()
        stage.clock.time += timedelta(seconds=100)
        await stage.move(machine, *UP)
        await stage.finish(job)
        await stage.service.release(ADA)
        await stage.look()

    await stage.ask(key="now")
    await stage.order()
    await stage.look(timedelta(seconds=99))
    assert len(await live(stage)) == 1

    await stage.look(timedelta(seconds=2))
    assert len(await live(stage)) == 2


@pytest.mark.parametrize("winner", [0, 1])
async def test_whichever_is_ready_first_is_kept_and_the_other_is_ended(stage: Stage, winner: int) -> None:
    await stage.ask()
    pair = await stage.hedge()

    kept = await stage.move(pair[winner], *UP)

    [ready] = await stage.instances(InstanceState.READY)
    [ended] = await stage.instances(InstanceState.TERMINATING)
    assert ready.id == kept.id
    assert (ended.id, ended.end_reason) == (pair[1 - winner].id, EndReason.OVERTAKEN)
    session = await stage.session()
    assert session is not None
    assert session.state is SessionState.WARM


async def test_of_two_that_are_ready_at_once_the_one_that_paints_is_kept(stage: Stage) -> None:
    job = await stage.ask()
    first, second = await stage.hedge()
    for machine in (first, second):
        before = machine
        for state in UP:
            now = stage.clock.now()
            after = replace(before.moved_to(state, now), ready_at=now, proved_at=now)
            async with stage.shared.store.writing() as books:
                before = await books.instances.change(before, after, reason="test")
    queued = await stage.job(job)
    async with stage.shared.store.writing() as books:
        running = replace(queued.moved_to(JobState.RUNNING, stage.clock.now()), instance=second.id)
        await books.jobs.change(queued, running, reason="test")
        await books.sessions.touch(queued.session, stage.clock.now())

    await stage.look()

    assert [each.id for each in await stage.instances(InstanceState.READY)] == [second.id]
    assert isinstance((await stage.view(job)).status, Running)


async def test_a_machine_that_has_yet_to_paint_wins_over_no_other_until_it_has(stage: Stage) -> None:
    await stage.ask()
    first, second = await stage.hedge()

    ready = await stage.move(first, *UP, proved=False)
    assert {each.id for each in await live(stage)} == {first.id, second.id}

    async with stage.shared.store.writing() as books:
        await books.instances.change(ready, replace(ready, proved_at=stage.clock.now()), reason="test")
        assert ready.session is not None
        await books.sessions.touch(ready.session, stage.clock.now())
    await stage.look()
    assert [each.id for each in await live(stage)] == [first.id]


async def test_when_nobody_waits_any_more_both_are_ended(stage: Stage) -> None:
    job = await stage.ask()
    await stage.hedge()
    await stage.service.cancel(job, by=ADA)

    await stage.look()
    await stage.look(timedelta(minutes=1))

    assert await live(stage) == []
    assert await stage.session() is None


async def test_when_the_first_is_lost_the_second_goes_on(stage: Stage) -> None:
    job = await stage.ask()
    first, second = await stage.hedge()

    await stage.lose(first)
    await stage.look()

    assert [each.id for each in await live(stage)] == [second.id]
    status = (await stage.view(job)).status
    assert isinstance(status, ColdStart)
    assert not status.has_second


async def test_what_the_slower_one_cost_is_on_the_card(stage: Stage) -> None:
    job = await stage.ask()
    _, second = await stage.hedge()
    both = (await stage.view(job)).cost

    ready = await stage.move(second, *UP)
    await stage.paint(job, ready, timedelta(seconds=4))

    assert (await stage.view(job)).cost >= both


async def test_a_second_machine_that_cannot_be_had_fails_nothing(stage: Stage) -> None:
    job = await stage.ask()
    await stage.order()
    await stage.look(timedelta(minutes=15))
    [planned] = await stage.instances(InstanceState.PLANNED)

    await stage.lose(planned, EndReason.OVER_BUDGET, proved=False)
    await stage.look(timedelta(minutes=1))

    assert isinstance((await stage.view(job)).status, ColdStart)
    assert len(await live(stage)) == 1


async def test_only_so_many_are_tried_an_hour_over_all_people_and_restarts(stage: Stage) -> None:
    stage = allowing(stage, 1)
    await stage.ask(user=ADA, key="a")
    await stage.hedge()
    stage.clock.time += timedelta(minutes=20)
    await stage.ask(user=BOB, key="b")
    await stage.order()

    await stage.look(timedelta(minutes=30))
    assert len(await of_bob(stage)) == 1

    await stage.look(timedelta(minutes=15))
    assert len(await of_bob(stage)) == 2


async def test_it_can_be_switched_off(stage: Stage) -> None:
    stage = allowing(stage, 0)
    await stage.ask()
    await stage.order()

    await stage.look(timedelta(minutes=50))

    assert len(await live(stage)) == 1
