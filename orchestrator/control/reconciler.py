"""
Our books versus the clouds': adopt, finish, end orphans, bury ghosts; both ways, every minute and at the start.

It is also where machines end: TERMINATING is told to the cloud until two complete listings lack it, and what a
machine has cost is booked on the way.
"""

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.control import news
from orchestrator.control.board import CloudHealth
from orchestrator.control.budgets import caps_in_force
from orchestrator.control.links import Links
from orchestrator.control.market import Market
from orchestrator.control.moves import book_due, end_instance, tell
from orchestrator.control.shared import Shared
from orchestrator.domain.books import Finding, Found, Gone, Listed, Missed, Orphan, Seen, StillThere, Vanished, compare
from orchestrator.domain.errors import CloudError
from orchestrator.domain.ids import CloudName, HostId, LaunchKey, MachineId, OfferId, UserId, WorkflowName
from orchestrator.domain.instance import ORDERED, EndReason, Instance, InstanceState
from orchestrator.domain.job import Value
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.offer import Offer, Tariff
from orchestrator.domain.policy.spend import broken_cap
from orchestrator.ports.cloud import CloudProvider, Rental
from orchestrator.ports.store import Books

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=60)
ENDING = timedelta(seconds=2)
"""While a machine is to go, its cloud is listed this often; adapters space calls further where their cloud demands."""
STUBBORN_AFTER = timedelta(minutes=2)

BALANCE_EVERY = timedelta(hours=1)
LOW_BALANCE = MicroUsd(5_000_000)
"""A day of one machine at a usual price."""
NOBODY = UserId("nobody")
LISTING = "listing:"
"""The facts that say when each cloud was last listed, and how many machines nobody knew."""


class Reconciler:
    """The loop's step; see the module."""

    def __init__(
        self, shared: Shared, *, clouds: Mapping[CloudName, CloudProvider], market: Market, links: Links
    ) -> None:
        self._shared = shared
        self._clouds = clouds
        self._market = market
        self._links = links
        self._balance_at: dict[CloudName, float] = {}
        self._last_round: dict[CloudName, float] = {}

    async def step(self) -> timedelta | None:
        """One round over all clouds; then as soon as something is to go, else each minute while anything lives."""
        too_soon = await self._rounds()
        if too_soon is not None:
            return too_soon
        await self._book_all()
        async with self._shared.store.reading() as books:
            live = await books.instances.in_states(*sorted(ORDERED))
            waiting = await books.jobs.count_unfinished(None)
        if any(instance.state is InstanceState.TERMINATING for instance in live):
            return ENDING
        unlisted = any(self._shared.board.cloud(name).listed_at is None for name in self._clouds)
        if unlisted and waiting:
            return ENDING
        return EVERY if live or waiting else None

    async def _rounds(self) -> timedelta | None:
        """A round over each cloud, at least two seconds after its last one; else how long to wait."""
        now = asyncio.get_running_loop().time()
        ready_at = {name: self._last_round.get(name, -math.inf) + ENDING.total_seconds() for name in self._clouds}
        due = [cloud for name, cloud in sorted(self._clouds.items()) if ready_at[name] <= now]
        if not due and ready_at:
            return timedelta(seconds=min(ready_at.values()) - now)
        async with asyncio.TaskGroup() as group:
            for cloud in due:
                self._last_round[cloud.name] = now
                group.create_task(self._round(cloud))
        return None

    async def _round(self, cloud: CloudProvider) -> None:
        await self._end_what_must_go(cloud)
        asked_at = self._shared.clock.now()
        try:
            rentals = await cloud.rentals()
        except CloudError as error:
            await self._market.refused(error)
            return
        await self._market.answered(cloud.name)
        if rentals:
            await self._look_at_balance(cloud)
        findings = await self._settle(cloud, rentals, asked_at)
        unknown = sum(isinstance(finding, Orphan) for finding in findings)
        await self._note_listing(cloud.name, unknown, asked_at)
        if any(not isinstance(finding, Seen) for finding in findings):
            self._ring()

    async def _look_at_balance(self, cloud: CloudProvider) -> None:
        """Once an hour while money is spent: a cloud without money deletes what runs."""
        now = asyncio.get_running_loop().time()
        if now < self._balance_at.get(cloud.name, -math.inf):
            return
        self._balance_at[cloud.name] = now + BALANCE_EVERY.total_seconds()
        try:
            balance = (await cloud.account()).balance
        except CloudError as error:
            log.info("the balance at %s is not known: %s", cloud.name, error)
            return
        if balance is not None and balance < LOW_BALANCE:
            async with self._shared.store.writing() as books:
                await news.low_balance(books, cloud.name, balance, self._shared.clock.now())
            self._shared.wakeups.notices.wake()

    async def _note_listing(self, cloud: CloudName, unknown: int, asked_at: datetime) -> None:
        """For ``/status`` here, and for ``glowplug status`` beside us."""
        self._shared.board.put_cloud(cloud, CloudHealth(unknown_machines=unknown, listed_at=asked_at))
        async with self._shared.store.writing() as books:
            await books.set_fact(LISTING + cloud, json.dumps({"at": asked_at.timestamp(), "unknown": unknown}))

    async def _end_what_must_go(self, cloud: CloudProvider) -> None:
        """Tell the cloud to end every TERMINATING machine that it has not yet agreed to end."""
        async with self._shared.store.reading() as books:
            rows = await books.instances.of_cloud(cloud.name)
        for row in rows:
            if row.state is not InstanceState.TERMINATING or row.ended_at is not None or row.ref is None:
                continue
            await self._links.drop(row.id)
            try:
                await cloud.terminate(row.ref)
            except CloudError as error:
                await self._market.refused(error)
                await self._complain(row)
                continue
            async with self._shared.store.writing() as books:
                accepted = replace(row, ended_at=self._shared.clock.now(), absences=0)
                await books.instances.change(row, accepted, reason="end accepted", details={"ref": row.ref})

    async def _settle(
        self, cloud: CloudProvider, rentals: tuple[Rental, ...], asked_at: datetime
    ) -> tuple[Finding, ...]:
        by_ref = {rental.ref: rental for rental in rentals}
        async with self._shared.store.writing() as books:
            findings = compare(
                await books.instances.of_cloud(cloud.name),
                [Listed(ref=rental.ref, label=rental.label) for rental in rentals],
                installation=self._shared.installation,
                asked_at=asked_at,
                late_machine=self._shared.limits.late_machine,
            )
            for finding in findings:
                rental = by_ref.get(finding.ref) if isinstance(finding, Orphan) else None
                await self._act(books, finding, rental, self._shared.clock.now())
        return findings

    async def _act(self, books: Books, finding: Finding, rental: Rental | None, now: datetime) -> None:
        match finding:
            case Seen(instance=row):
                if row.absences:
                    await books.instances.change(row, replace(row, absences=0), reason="listed again")
            case Missed(instance=row):
                await books.instances.change(row, replace(row, absences=row.absences + 1), reason="not listed")
            case Found(instance=row, ref=ref):
                log.warning("instance %s turned up late as %s", row.id, ref)
                await books.instances.change(row, replace(row, ref=ref, absences=0), reason="turned up", details={})
            case StillThere(instance=row):
                await books.instances.change(row, replace(row, ended_at=None, absences=0), reason="still there")
                await self._complain_in(books, row, now)
            case Vanished(instance=row):
                log.warning("instance %s vanished from %s", row.id, row.cloud)
                await end_instance(books, row, EndReason.VANISHED, now)
            case Gone(instance=row):
                await self._bury(books, row, now)
            case Orphan():
                if rental is not None:
                    await self._take_in(books, rental, now)

    async def _bury(self, books: Books, row: Instance, now: datetime) -> None:
        """Twice not listed: the bill is closed."""
        ended = replace(row, ended_at=row.ended_at or row.state_since)
        ended = await books.instances.change(row, ended, reason="gone")
        ended = await book_due(books, ended, now)
        final = replace(ended.moved_to(InstanceState.TERMINATED, now), reserved=ended.booked)
        await books.instances.change(ended, final, reason=str(row.end_reason or ""))
        if row.session is not None:
            await books.sessions.touch(row.session, now)
        self._shared.board.forget_instance(row.id)
        log.info(
            "instance %s at %s is gone: %s; %.0f s, $%.4f",
            row.id,
            row.cloud,
            row.end_reason,
            ((ended.ended_at or now) - (ended.ordered_at or now)).total_seconds(),
            ended.booked / 1_000_000,
        )

    async def _take_in(self, books: Books, rental: Rental, now: datetime) -> None:
        """A machine with our label that nobody knows becomes a row to be ended."""
        log.warning("machine %s at %s carries our label and is nobody's: ending it", rental.ref, rental.cloud)
        key = LaunchKey(rental.label)
        is_new_key = await books.instances.by_launch_key(key) is None
        row = Instance(
            id=self._shared.ids.instance(),
            session=None,
            user=NOBODY,
            workflow=WorkflowName(""),
            state=InstanceState.TERMINATING,
            created_at=now,
            state_since=now,
            cloud=rental.cloud,
            launch_key=key if is_new_key else None,
            offer=_offer_of(rental),
            ref=rental.ref,
            ordered_at=rental.started_at or now,
            running_at=rental.started_at or now,
            end_reason=EndReason.ORPHAN,
        )
        await books.instances.add(row, reason=str(EndReason.ORPHAN))
        values: dict[str, Value] = {"cloud": str(rental.cloud), "machine": str(rental.ref)}
        await tell(books, None, "orphan_ended", values, topic=f"orphan:{rental.ref}", now=now)

    async def _complain(self, row: Instance) -> None:
        async with self._shared.store.writing() as books:
            await self._complain_in(books, row, self._shared.clock.now())

    async def _complain_in(self, books: Books, row: Instance, now: datetime) -> None:
        """A machine that will not die is a person's business."""
        if now - row.state_since < STUBBORN_AFTER:
            return
        values: dict[str, Value] = {
            "cloud": str(row.cloud),
            "machine": str(row.ref),
            "minutes": (now - row.state_since).seconds // 60,
        }
        await tell(books, None, "machine_will_not_die", values, topic=f"stubborn:{row.id}", now=now)
        self._shared.wakeups.notices.wake()

    async def _book_all(self) -> None:
        """Bring the ledger up to date, and end machines where a cap is far exceeded."""
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            for row in await books.instances.in_states(*sorted(ORDERED - {InstanceState.LAUNCHING})):
                booked = await book_due(books, row, now)
                await news.budgets(books, self._shared, row.user, now)
                if not booked.is_over and await self._is_far_over_budget(books, booked, now):
                    await end_instance(books, booked, EndReason.OVER_BUDGET, now)

    async def _is_far_over_budget(self, books: Books, row: Instance, now: datetime) -> bool:
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        spent = await books.ledger.spent(row.user, day=day, month=day.replace(day=1))
        reserved = max(row.reserved - row.booked, 0)
        caps = await caps_in_force(books, self._shared)
        return broken_cap(caps, spent, MicroUsd(-reserved), share=1.2) is not None

    def _ring(self) -> None:
        for wakeup in (
            self._shared.wakeups.sessions,
            self._shared.wakeups.provisioner,
            self._shared.wakeups.runner,
            self._shared.wakeups.newsroom,
            self._shared.wakeups.notices,
        ):
            wakeup.wake()


def _offer_of(rental: Rental) -> Offer:
    """What is known about a machine that nobody remembers ordering: its price at least."""
    return Offer(
        cloud=rental.cloud,
        id=OfferId(""),
        machine=MachineId(""),
        host=HostId(""),
        gpu=rental.gpu,
        vram_mib=0,
        disk_gib=0,
        tariff=Tariff(running=rental.price),
        reliability=0.0,
        inet_down_mbps=0.0,
        location="",
    )
