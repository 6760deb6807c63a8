"""The name and the number in our labels, over starts, copies and changed settings."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.control.identity import take_identity
from orchestrator.domain.books import Names
from orchestrator.domain.instance import EndReason, InstanceState
from tests.component.control.stage import Stage, a_stage
from tests.contract.samples import NOW


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as stage:
        yield stage


async def start(stage: Stage, *, wanted: str = "", drawn: str = "abcdefghijkl", home: str = "here") -> Names:
    async with stage.shared.store.writing() as books:
        return await take_identity(books, wanted=wanted, drawn=drawn, home=home, now=stage.clock.now())


async def test_a_name_is_drawn_once_and_kept(stage: Stage) -> None:
    first, second = await start(stage), await start(stage, drawn="mnopqrstuvwx")

    assert (first.installation, second.installation, second.former) == ("abcdefgh", "abcdefgh", ())


async def test_a_later_start_has_a_higher_number_whatever_the_clock_does(stage: Stage) -> None:
    first = await start(stage)
    stage.clock.time -= timedelta(hours=1)
    second = await start(stage)
    stage.clock.time += timedelta(days=1)
    third = await start(stage)

    assert first.epoch == int(NOW.timestamp())
    assert first.epoch < second.epoch < third.epoch


async def test_a_copy_takes_a_new_name_and_remembers_the_old_ones(stage: Stage) -> None:
    await start(stage)
    copy = await start(stage, drawn="mnopqrstuvwx", home="there")
    its_copy = await start(stage, drawn="123456789012", home="elsewhere")
    again = await start(stage, home="elsewhere")

    assert (copy.installation, copy.former) == ("mnopqrst", ("abcdefgh",))
    assert (its_copy.installation, its_copy.former) == ("12345678", ("abcdefgh", "mnopqrst"))
    assert (again.installation, again.former) == (its_copy.installation, its_copy.former)


async def test_a_name_that_the_operator_chose_stays_the_beginning_of_a_copys(stage: Stage) -> None:
    first = await start(stage, wanted="studio")
    copy = await start(stage, wanted="studio", home="there")
    again = await start(stage, wanted="studio", home="there")
    renamed = await start(stage, wanted="attic", home="there")

    assert (first.installation, copy.installation, again.installation) == ("studio", *["studioabcdefghij"] * 2)
    assert renamed.installation == "attic"


async def test_a_copy_leaves_its_machines_behind_and_keeps_its_jobs(stage: Stage) -> None:
    await start(stage)
    job = await stage.ask()
    ready = await stage.make_ready()
    await stage.begin_painting()

    await start(stage, home="there")
    await stage.look()

    left, *new = await stage.instances()
    assert (left.id, left.state, left.end_reason) == (ready.id, InstanceState.TERMINATING, EndReason.LEFT_BEHIND)
    assert left.is_left_alone
    assert new == []
    assert not (await stage.job(job)).is_over
