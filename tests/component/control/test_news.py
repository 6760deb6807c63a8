"""What is left for the bot to tell: written when it happens, once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.control import news
from orchestrator.domain.ids import JobId
from orchestrator.domain.instance import EndReason, InstanceState
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.notices import Notice
from orchestrator.domain.policy.spend import Caps
from tests.component.control.stage import IDLE, Stage, a_stage
from tests.contract.samples import ADA, BOB

NONE = Caps(person_day=None, day=None, month=None)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as opened:
        yield opened


async def told(stage: Stage) -> list[Notice]:
    async with stage.shared.store.reading() as books:
        return list(await books.notices.unacknowledged())


async def warm(stage: Stage) -> None:
    """Ada's machine is warm after one picture."""
    job = await stage.ask()
    ready = await stage.make_ready()
    await stage.paint(job, ready, timedelta(seconds=4))


async def test_a_machine_that_is_about_to_go_is_told_two_minutes_before(stage: Stage) -> None:
    await warm(stage)
    await stage.picture()
    await stage.look(IDLE - timedelta(minutes=2, seconds=30))
    assert await told(stage) == []

    await stage.look(timedelta(seconds=31))
    await stage.look(timedelta(seconds=10))

    (notice,) = await told(stage)
    assert (notice.user, notice.key) == (ADA, "giving_back")


async def test_a_machine_that_was_kept_is_told_about_once_more(stage: Stage) -> None:
    await warm(stage)
    await stage.picture()
    await stage.look(IDLE - timedelta(minutes=1))
    await stage.service.keep(ADA, timedelta(minutes=30))

    await stage.look(timedelta(minutes=29))

    assert [notice.key for notice in await told(stage)] == ["giving_back", "giving_back"]


async def test_a_machine_that_made_nothing_goes_quietly(stage: Stage) -> None:
    await warm(stage)

    await stage.look(IDLE - timedelta(seconds=10))

    assert await told(stage) == []


async def test_what_was_given_up_is_told(stage: Stage) -> None:
    job = await stage.ask()
    await stage.look(timedelta(minutes=61))

    (notice,) = await told(stage)
    assert (notice.user, notice.key, notice.values["job"]) == (ADA, "job_failed", job)


async def test_pictures_are_told_only_to_those_who_waited(stage: Stage) -> None:
    quick, slow = await stage.ask(key="quick"), await stage.ask(key="slow")
    async with stage.shared.store.writing() as books:
        for name, after in ((quick, 60), (slow, 61)):
            await news.painted(books, await stage.job(name), stage.clock.now() + timedelta(seconds=after))

    (notice,) = await told(stage)
    assert notice.values["job"] == slow


async def test_what_was_asked_for_after_the_last_news_is_news_of_its_own(stage: Stage) -> None:
    first = await stage.ask(key="first")
    await done(stage, first, after=timedelta(minutes=2))
    second = await stage.ask(key="second")
    together = await stage.ask(key="together")
    await done(stage, second, after=timedelta(minutes=3))
    await done(stage, together, after=timedelta(seconds=4))

    assert [notice.values["job"] for notice in await told(stage)] == [first, second]


async def done(stage: Stage, job: JobId, *, after: timedelta) -> None:
    stage.clock.time += after
    async with stage.shared.store.writing() as books:
        await news.painted(books, await stage.job(job), stage.clock.now())


async def test_budgets_are_told_once_to_whom_they_concern(tmp_path: Path) -> None:
    caps = Caps(person_day=MicroUsd(400_000), day=MicroUsd(10_000_000), month=MicroUsd(450_000))
    async with a_stage(tmp_path, caps=caps) as stage:
        await stage.ask()
        machine = await stage.order()
        async with stage.shared.store.writing() as books:
            reserved = MicroUsd(340_000)
            await books.instances.change(machine, stage.reserve(machine, reserved), reason="test")
            for _ in range(2):
                await news.budgets(books, stage.shared, ADA, stage.clock.now())
        assert [(notice.user, notice.key) for notice in await told(stage)] == [(ADA, "budget_nearly_used")]

        async with stage.shared.store.writing() as books:
            (machine,) = await books.instances.in_states(InstanceState.BOOTING)
            await books.instances.change(machine, stage.reserve(machine, MicroUsd(460_000)), reason="test")
            await news.budgets(books, stage.shared, ADA, stage.clock.now())
            await news.budgets(books, stage.shared, BOB, stage.clock.now())

        assert [(notice.user, notice.key) for notice in await told(stage)][1:] == [
            (ADA, "over_budget"),
            (None, "over_budget"),
        ]


async def test_a_months_budget_is_told_once_a_month(tmp_path: Path) -> None:
    async with a_stage(tmp_path, caps=Caps(person_day=None, day=None, month=MicroUsd(400_000))) as stage:
        await stage.ask()
        machine = await stage.order()
        async with stage.shared.store.writing() as books:
            await books.instances.change(machine, stage.reserve(machine, MicroUsd(390_000)), reason="test")
        for _ in range(3):
            await stage.service.people.claim(f"a button at {stage.clock.now()}")
            async with stage.shared.store.writing() as books:
                await news.budgets(books, stage.shared, ADA, stage.clock.now())
            stage.clock.time += timedelta(days=8)

        assert [notice.key for notice in await told(stage)] == ["budget_nearly_used"]

        stage.clock.time += timedelta(days=8)
        async with stage.shared.store.writing() as books:
            await news.budgets(books, stage.shared, ADA, stage.clock.now())

        assert len(await told(stage)) == 2


async def test_a_machine_is_told_about_though_the_last_request_was_cancelled(stage: Stage) -> None:
    await warm(stage)
    await stage.picture()
    await stage.service.cancel(await stage.ask(key="k2"), by=ADA)
    await stage.look()

    await stage.look(IDLE - timedelta(minutes=1))

    assert [notice.key for notice in await told(stage)] == ["giving_back"]


async def test_without_caps_there_is_nothing_to_tell(stage: Stage) -> None:
    await stage.ask()
    machine = await stage.order()
    await stage.lose(machine, EndReason.VANISHED)
    async with stage.shared.store.writing() as books:
        await news.budgets(books, stage.shared, ADA, stage.clock.now())

    assert await told(stage) == []
