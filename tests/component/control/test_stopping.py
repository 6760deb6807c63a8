"""Stopped by hand: every machine is ended first, whatever the disk says for a while."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orchestrator.adapters.database.database import Statement
from orchestrator.domain.errors import DiskFull
from orchestrator.domain.instance import EndReason, InstanceState
from tests import virtual_time
from tests.component.control.stage import Stage, a_stage

LIMIT = timedelta(minutes=1)


@dataclass(slots=True)
class Disk:
    """Attributes: refusals: So many commits more find no room."""

    refusals: int = 0

    async def before_statement(self, statement: Statement) -> None:
        if statement.sql == "COMMIT" and self.refusals:
            self.refusals -= 1
            raise DiskFull("the disk is full; make room")


async def ends_of(stage: Stage) -> list[EndReason | None]:
    return [machine.end_reason for machine in await stage.instances()]


def test_machines_are_given_up_as_soon_as_the_disk_has_room_again(tmp_path: Path) -> None:
    async def story() -> None:
        disk = Disk()
        async with a_stage(tmp_path, before_statement=disk.before_statement) as stage:
            await stage.ask()
            await stage.make_ready()
            disk.refusals = 3

            await stage.service.end_all(LIMIT)

            assert await ends_of(stage) == [EndReason.SHUTDOWN]

    virtual_time.run(story())


def test_what_could_not_be_given_up_is_told_when_the_limit_is_over(tmp_path: Path) -> None:
    async def story() -> None:
        disk = Disk()
        async with a_stage(tmp_path, before_statement=disk.before_statement) as stage:
            await stage.ask()
            machine = await stage.make_ready()
            disk.refusals = 10**9

            left = await stage.service.end_all(LIMIT)

            assert [(view.id, view.state) for view in left] == [(machine.id, InstanceState.READY)]

    virtual_time.run(story())
