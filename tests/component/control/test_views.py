"""What a card is told of a job: what it cost, which machine it is at, what goes on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.api import Cancelled, ColdStart, Late, Trouble
from orchestrator.control.newsroom import LATENESS, Newsroom
from orchestrator.control.views import Views
from orchestrator.domain import stages
from orchestrator.domain.ids import JobId
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.money import price_of
from tests.component.control.stage import Stage, a_stage
from tests.contract.samples import ADA

MINUTE = timedelta(minutes=1)
WARM = (InstanceState.PREPARING, InstanceState.READY)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as opened:
        yield opened


def about(instance: Instance, span: timedelta) -> object:
    """What *instance* costs in *span*, but for rounding."""
    return pytest.approx(price_of(instance.price, span), abs=5)


# What it cost.


async def test_a_card_shows_what_the_machines_cost_that_were_lost_before_the_one_it_waits_for(stage: Stage) -> None:
    job = await stage.ask()
    first = await stage.order()
    await stage.look(3 * MINUTE)
    await stage.lose(first)

    await stage.look(MINUTE)
    assert (await stage.view(job)).cost == about(first, 3 * MINUTE)

    await stage.order()
    await stage.look(2 * MINUTE)
    assert isinstance((await stage.view(job)).status, ColdStart)
    assert (await stage.view(job)).cost == about(first, 5 * MINUTE)


async def test_a_finished_card_shows_lost_machines_and_its_cold_start_and_no_later_ones(stage: Stage) -> None:
    job = await stage.ask()
    await stage.look(MINUTE)
    first = await stage.order()
    await stage.look(3 * MINUTE)
    await stage.lose(first)
    await stage.look()
    second = await stage.order()
    stage.clock.time += 2 * MINUTE
    second = await stage.move(second, *WARM)
    await stage.paint(job, second, MINUTE)

    await stage.look(MINUTE)
    await stage.lose(second)

    assert (await stage.view(job)).cost == about(first, 5 * MINUTE)


async def test_a_machine_whose_end_is_not_proved_costs_on_until_the_job_ends(stage: Stage) -> None:
    job = await stage.ask()
    first = await stage.order()
    await stage.lose(first, proved=False)
    await stage.look(MINUTE)
    assert (await stage.view(job)).cost == about(first, MINUTE)

    second = await stage.make_ready()
    await stage.paint(job, second, MINUTE)
    stage.clock.time += MINUTE

    assert (await stage.view(job)).cost == about(first, 2 * MINUTE)


async def test_of_a_warm_machine_that_is_lost_a_job_shows_the_time_since_it_was_asked_for(stage: Stage) -> None:
    first = await stage.ask(key="k1")
    machine = await stage.make_ready()
    await stage.paint(first, machine, 5 * MINUTE)
    job = await stage.ask(key="k2")
    stage.clock.time += MINUTE
    await stage.lose(machine, EndReason.VANISHED)

    assert (await stage.view(job)).cost == about(machine, MINUTE)
    assert (await stage.view(first)).cost == 0


async def test_a_cancelled_card_says_all_that_was_spent(stage: Stage) -> None:
    job = await stage.ask()
    first = await stage.order()
    stage.clock.time += 3 * MINUTE
    await stage.lose(first)
    await stage.look()
    await stage.order()
    stage.clock.time += MINUTE

    await stage.service.cancel(job, by=ADA)

    view = await stage.view(job)
    assert isinstance(view.status, Cancelled)
    assert view.cost == view.status.cost == about(first, 4 * MINUTE)


async def test_a_machine_that_an_admin_ended_is_on_nobodys_card(stage: Stage) -> None:
    job = await stage.ask()
    first = await stage.order()
    stage.clock.time += 3 * MINUTE
    await stage.lose(first, EndReason.ADMIN)
    await stage.look()

    assert (await stage.view(job)).cost == 0


# Which machine it is at.


async def cold_start(stage: Stage, job: JobId) -> ColdStart:
    status = (await stage.view(job)).status
    assert isinstance(status, ColdStart)
    return status


async def find_nothing(stage: Stage) -> None:
    """The market is empty; look until it is asked again."""
    [planned] = await stage.instances(InstanceState.PLANNED)
    await stage.lose(planned, EndReason.NO_OFFER, proved=False)
    while not await stage.instances(InstanceState.PLANNED):
        await stage.look(timedelta(seconds=1))


async def test_an_empty_market_is_no_machine(stage: Stage) -> None:
    job = await stage.ask()
    await find_nothing(stage)
    await find_nothing(stage)

    again = await cold_start(stage, job)
    assert (again.attempt, again.trouble and again.trouble.reason) == (1, EndReason.NO_OFFER)

    await stage.order()
    assert ((await cold_start(stage, job)).attempt, (await cold_start(stage, job)).trouble) == (1, None)


async def test_the_machine_number_counts_what_was_really_ordered(stage: Stage) -> None:
    job = await stage.ask()
    first = await stage.order()
    failed = stages.Stage(step=stages.Step.BOOT, state=stages.StageState.FAILED)
    async with stage.shared.store.writing() as books:
        await books.instances.record_stage(first.id, failed)
    await stage.lose(first)
    await stage.look()
    await find_nothing(stage)
    await stage.order()

    second = await cold_start(stage, job)
    assert (second.attempt, second.trouble) == (2, Trouble(reason=EndReason.HOST_LOST, step=stages.Step.BOOT))


async def test_a_request_that_came_later_counts_from_there(stage: Stage) -> None:
    await stage.ask(key="k1")
    await stage.lose(await stage.order())
    stage.clock.time += MINUTE
    job = await stage.ask(key="k2")
    await stage.order()

    assert ((await cold_start(stage, job)).attempt, (await cold_start(stage, job)).trouble) == (1, None)


async def test_a_warm_machine_that_was_lost_counts_too(stage: Stage) -> None:
    job = await stage.ask()
    await stage.lose(await stage.make_ready())
    await stage.look()

    assert (await cold_start(stage, job)).attempt == 2


# What takes long.


async def test_a_boot_that_takes_long_says_when_the_machine_is_given_up(stage: Stage) -> None:
    job = await stage.ask()
    booting = await stage.order()
    boot = stages.Stage(step=stages.Step.BOOT, state=stages.StageState.RUNNING, started_at=stage.clock.now())
    stage.shared.board.put_stage(booting.id, boot)
    assert (await cold_start(stage, job)).late is None

    stage.clock.time += 2 * MINUTE

    given_up_at = booting.state_since + stage.shared.limits.boot
    assert (await cold_start(stage, job)).late == Late(step=boot.step, is_measured=False, given_up_at=given_up_at)


async def test_while_a_machine_warms_up_its_card_is_made_anew_without_being_rung_for(stage: Stage) -> None:
    newsroom = Newsroom(stage.shared, Views(stage.shared))
    updates = newsroom.updates()

    async def read() -> None:
        await anext(updates)

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        await asyncio.sleep(0)
        assert await newsroom.step() is None

        await stage.ask()
        assert await newsroom.step() == LATENESS
        await reading
