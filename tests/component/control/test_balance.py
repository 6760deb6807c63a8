"""A cloud whose balance runs out is an admin's business, while money is spent there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.control.links import Links
from orchestrator.control.market import Market
from orchestrator.control.reconciler import LOW_BALANCE, Reconciler
from orchestrator.domain.errors import CloudUnavailable, VolumeMissing
from orchestrator.domain.ids import CloudName, CloudRef, LaunchKey
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental, RentalState
from tests import virtual_time
from tests.component.control.stage import Stage, a_stage
from tests.component.control.test_heartbeat import Machines
from tests.contract.samples import VAST

SOMEBODYS = Rental(
    cloud=VAST,
    ref=CloudRef("7"),
    label="not ours",
    state=RentalState.RUNNING,
    address=None,
    gpu="RTX 4090",
    price=MicroUsdPerHour(340_000),
    started_at=None,
)


@dataclass(slots=True, kw_only=True)
class Purse(CloudProvider):
    """
    An account with some money, and machines that are none of our business.

    Attributes:
        balance: None where the cloud does not answer.
        lacks: What the settings name and it does not have.
        asked: How often it was asked for the balance.
    """

    balance: MicroUsd | None
    machines: tuple[Rental, ...] = (SOMEBODYS,)
    name: CloudName = VAST
    asked: int = 0
    lacks: str = ""

    async def account(self) -> Account:
        self.asked += 1
        if self.lacks:
            raise VolumeMissing(self.name, self.lacks, balance=self.balance)
        if self.balance is None:
            raise CloudUnavailable(self.name, "it does not answer")
        return Account(balance=self.balance)

    async def rentals(self) -> tuple[Rental, ...]:
        return self.machines

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        return ()

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        raise AssertionError("nothing is ordered here")

    async def rental(self, ref: CloudRef) -> Rental | None:
        return None

    async def terminate(self, ref: CloudRef) -> bool:
        raise AssertionError("nothing is ended here")


@asynccontextmanager
async def reconciling(folder: Path, purse: Purse) -> AsyncIterator[tuple[Stage, Reconciler]]:
    async with a_stage(folder) as stage, asyncio.TaskGroup() as group:
        links = Links(
            hosts=Machines(is_home=False),
            comfies=ComfyUiConnector(),
            group=group,
            connect_limit=timedelta(seconds=1),
        )
        market = Market(stage.shared, {VAST: purse})
        yield stage, Reconciler(stage.shared, clouds={VAST: purse}, market=market, links=links)


async def rounds(stage: Stage, reconciler: Reconciler, span: timedelta) -> None:
    """A round a minute, for so long."""
    for _ in range(span // timedelta(minutes=1)):
        await reconciler.step()
        await asyncio.sleep(60)
        stage.clock.time += timedelta(minutes=1)


async def told(stage: Stage) -> list[tuple[str, object]]:
    async with stage.shared.store.reading() as books:
        return [(notice.key, notice.values.get("left_usd")) for notice in await books.notices.unacknowledged()]


def test_a_low_balance_is_told_once_a_day(tmp_path: Path) -> None:
    async def world() -> None:
        async with reconciling(tmp_path, Purse(balance=MicroUsd(LOW_BALANCE - 1_000_000))) as (stage, reconciler):
            await rounds(stage, reconciler, timedelta(hours=20))
            assert await told(stage) == [("low_balance", 4.0)]

            await rounds(stage, reconciler, timedelta(hours=6))
            assert len(await told(stage)) == 2

    virtual_time.run(world())


def test_the_balance_is_asked_for_once_an_hour_and_only_while_there_are_machines(tmp_path: Path) -> None:
    async def world() -> None:
        purse = Purse(balance=LOW_BALANCE)
        async with reconciling(tmp_path, purse) as (stage, reconciler):
            await rounds(stage, reconciler, timedelta(hours=2))
            assert purse.asked == 2
            assert await told(stage) == []

            purse.machines = ()
            await rounds(stage, reconciler, timedelta(hours=2))
            assert purse.asked == 2

    virtual_time.run(world())


def test_without_machines_it_is_asked_for_once_so_that_people_can_be_told(tmp_path: Path) -> None:
    async def world() -> None:
        purse = Purse(balance=LOW_BALANCE, machines=())
        async with reconciling(tmp_path, purse) as (stage, reconciler):
            await rounds(stage, reconciler, timedelta(hours=2))
            health = stage.shared.board.cloud(VAST)

        assert purse.asked == 1
        assert (health.balance, health.has_good_key) == (LOW_BALANCE, True)
        assert health.listed_at is not None

    virtual_time.run(world())


def test_a_cloud_that_does_not_tell_is_no_news(tmp_path: Path) -> None:
    async def world() -> None:
        async with reconciling(tmp_path, Purse(balance=None)) as (stage, reconciler):
            await rounds(stage, reconciler, timedelta(hours=2))
            assert await told(stage) == []

    virtual_time.run(world())


def test_a_volume_that_is_not_there_is_told_once_a_day_and_the_key_is_good(tmp_path: Path) -> None:
    async def world() -> None:
        purse = Purse(balance=LOW_BALANCE, lacks="no volume of that name", machines=())
        async with reconciling(tmp_path, purse) as (stage, reconciler):
            await rounds(stage, reconciler, timedelta(minutes=3))
            health = stage.shared.board.cloud(VAST)
            async with stage.shared.store.reading() as books:
                (notice,) = await books.notices.unacknowledged()

        assert (notice.key, notice.values["problem"]) == ("volume_missing", "vast: no volume of that name")
        assert (health.has_good_key, health.problem, health.balance) == (True, "", LOW_BALANCE)

    virtual_time.run(world())
