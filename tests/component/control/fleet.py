"""A cloud in memory that bills by the second and can be made to lie, and a reconciler that looks at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.adapters.database.inline_db import BeforeStatement, at_once
from orchestrator.control.identity import take_identity
from orchestrator.control.links import Links
from orchestrator.control.market import Market
from orchestrator.control.reconciler import Reconciler
from orchestrator.domain.errors import CloudUnavailable
from orchestrator.domain.ids import CloudName, CloudRef, InstallationId, InstanceId, LaunchKey, launch_key
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour, price_of
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental, RentalState
from tests.component.control.stage import Stage, a_stage
from tests.component.control.test_heartbeat import Machines
from tests.contract.samples import ADA, VAST, HandClock, an_instance, an_offer

PRICE = MicroUsdPerHour(360_000)
US = InstallationId("abcd1234")


@dataclass(slots=True, kw_only=True)
class Fleet(CloudProvider):
    """
    Machines that run and are billed from their order until they are ended.

    Attributes:
        is_up: Whether it answers at all.
        cannot_be_asked: It lists its machines and tells nothing about a single one.
        hides: Machines that its listings leave out.
        denies: Machines that it does not know when it is asked by name.
        ghosts: Machines that have ended, and that its listings still show.
        deaf: How many orders to end a machine it accepts without doing anything.
    """

    clock: HandClock
    machines: dict[CloudRef, Rental] = field(default_factory=dict)
    ended: dict[CloudRef, datetime] = field(default_factory=dict)
    hides: set[CloudRef] = field(default_factory=set)
    denies: set[CloudRef] = field(default_factory=set)
    ghosts: set[CloudRef] = field(default_factory=set)
    is_up: bool = True
    cannot_be_asked: bool = False
    deaf: int = 0
    listings: int = 0
    name: CloudName = VAST

    def rent(self, label: str, *, began: datetime | None = None) -> CloudRef:
        """A machine of that label, ordered at *began* or now."""
        ref = CloudRef(str(len(self.machines) + 100))
        self.machines[ref] = Rental(
            cloud=VAST,
            ref=ref,
            label=label,
            state=RentalState.RUNNING,
            address=None,
            gpu="RTX 4090",
            price=PRICE,
            started_at=began or self.clock.now(),
        )
        return ref

    @property
    def living(self) -> set[CloudRef]:
        return self.machines.keys() - self.ended.keys()

    def bill(self) -> MicroUsd:
        spans = (
            self.ended.get(ref, self.clock.now()) - machine.started_at
            for ref, machine in self.machines.items()
            if machine.started_at is not None
        )
        return MicroUsd(sum(price_of(PRICE, span) for span in spans))

    async def account(self) -> Account:
        return Account(balance=None)

    async def rentals(self) -> tuple[Rental, ...]:
        self.listings += 1
        if not self.is_up:
            raise CloudUnavailable(self.name, "it does not answer")
        return tuple(self.machines[ref] for ref in sorted((self.living - self.hides) | self.ghosts))

    async def rental(self, ref: CloudRef) -> Rental | None:
        if not self.is_up or self.cannot_be_asked:
            raise CloudUnavailable(self.name, "it does not answer")
        return self.machines[ref] if ref in self.living - self.denies else None

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        return (an_offer(),)

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        return self.rent(key)

    async def terminate(self, ref: CloudRef) -> bool:
        if not self.is_up:
            raise CloudUnavailable(self.name, "it does not answer")
        was_there = ref in self.living
        if self.deaf:
            self.deaf -= 1
        elif was_there:
            self.ended[ref] = self.clock.now()
        return was_there


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A bot's books, the cloud, and the reconciler between them."""

    stage: Stage
    fleet: Fleet
    reconciler: Reconciler
    market: Market

    async def rounds(self, span: timedelta, *, every: timedelta = timedelta(minutes=1)) -> None:
        """Let *span* pass, with a listing now and then."""
        for _ in range(span // every):
            await self.reconciler.step()
            await asyncio.sleep(every.total_seconds())
            self.stage.clock.time += every

    async def machine(
        self, state: InstanceState = InstanceState.READY, *, epoch: int = 1, name: str = "i1"
    ) -> CloudRef:
        """A machine that the cloud bills and our books know, ordered now."""
        now, key = self.stage.clock.now(), launch_key(US, epoch, InstanceId(name))
        ref = self.fleet.rent(key)
        row = an_instance(
            name,
            session=None,
            user=ADA,
            state=state,
            created_at=now,
            state_since=now,
            cloud=VAST,
            launch_key=key,
            offer=replace(an_offer(), tariff=Tariff(running=PRICE)),
            ref=ref,
            ordered_at=now,
            running_at=None if state is InstanceState.BOOTING else now,
            host_key="ssh-ed25519 AAAA",
        )
        async with self.stage.shared.store.writing() as books:
            await books.instances.add(row, reason="test")
        return ref

    async def rows(self) -> tuple[Instance, ...]:
        return await self.stage.instances()

    async def booked(self) -> MicroUsd:
        now = self.stage.clock.now()
        async with self.stage.shared.store.reading() as books:
            return await books.ledger.total(now - timedelta(days=30), now + timedelta(seconds=1))

    async def told(self) -> list[str]:
        async with self.stage.shared.store.reading() as books:
            return [notice.key for notice in await books.notices.unacknowledged()]


@asynccontextmanager
async def a_watch(
    folder: Path, fleet: Fleet | None = None, *, home: str = "", before_statement: BeforeStatement = at_once
) -> AsyncIterator[Watch]:
    """
    A bot's reconciler on the books in *folder*.

    Args:
        home: Where the books say that they lie; a life of its own begins there unless it is empty.
    """
    async with a_stage(folder, before_statement=before_statement) as stage, asyncio.TaskGroup() as group:
        if fleet is None:
            fleet = Fleet(clock=stage.clock)
        else:
            stage.clock.time = fleet.clock.time
            fleet.clock = stage.clock
        if home:
            async with stage.shared.store.writing() as books:
                names = await take_identity(
                    books, wanted="", drawn=stage.shared.ids.instance(), home=home, now=stage.clock.now()
                )
            shared = replace(stage.shared, installation=names.installation, epoch=names.epoch, former=names.former)
        else:
            shared = stage.shared
        links = Links(
            hosts=Machines(is_home=False),
            comfies=ComfyUiConnector(),
            group=group,
            connect_limit=timedelta(seconds=1),
        )
        market = Market(shared, {VAST: fleet})
        reconciler = Reconciler(shared, clouds={VAST: fleet}, market=market, links=links)
        yield Watch(stage=replace(stage, shared=shared), fleet=fleet, reconciler=reconciler, market=market)
