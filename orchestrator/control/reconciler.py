"""
Our books versus the clouds': adopt, finish, end orphans, bury ghosts; both ways, every minute and at the start.

It is also where machines end: TERMINATING is told to the cloud until two complete listings lack it, and what a
machine has cost is booked on the way.
"""

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from orchestrator.control import news
from orchestrator.control.budgets import caps_in_force
from orchestrator.control.health import note_cloud
from orchestrator.control.links import Links
from orchestrator.control.market import Market
from orchestrator.control.moves import book_due, charge, end_instance
from orchestrator.control.rounds import Rounds
from orchestrator.control.settling import Settling, complain
from orchestrator.control.shared import Shared
from orchestrator.control.sightings import Sightings, last_listing, note_listing
from orchestrator.control.timekeeping import note_time
from orchestrator.domain.books import (
    Finding,
    Gone,
    Listed,
    Names,
    Orphan,
    Rival,
    Seen,
    StillThere,
    Unknown,
    Vanished,
    compare,
)
from orchestrator.domain.errors import CloudError, StaleWrite, StoreError, VolumeMissing
from orchestrator.domain.ids import CloudName, CloudRef, InstanceId
from orchestrator.domain.instance import ORDERED, EndReason, Instance, InstanceState
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.offer import is_dearer
from orchestrator.domain.policy.spend import UNCAPPED, Caps, broken_cap, once_given_up
from orchestrator.ports.clock import Mark
from orchestrator.ports.cloud import CloudProvider, Rental
from orchestrator.ports.store import Books

log = logging.getLogger(__name__)

BOOK_EVERY = timedelta(seconds=5)
"""Beside each minute: while a machine is to go, rounds follow one another faster than the ledger has to grow."""

BALANCE_EVERY = timedelta(hours=1)
LOW_BALANCE = MicroUsd(5_000_000)
"""A day of one machine at a usual price."""

WRITES = 3
"""Tries to write down an end before the cloud is told of it again."""

NOTHING: Mapping[CloudRef, Rental] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Listing:
    """What *cloud* answered to a question *asked* then."""

    cloud: CloudProvider
    rentals: tuple[Rental, ...]
    asked: Mark

    @property
    def asked_at(self) -> datetime:
        return self.asked.at


class Reconciler:
    """The loop's step; see the module."""

    def __init__(
        self, shared: Shared, *, clouds: Mapping[CloudName, CloudProvider], market: Market, links: Links
    ) -> None:
        self._shared = shared
        self._clouds = clouds
        self._market = market
        self._links = links
        self._sightings = Sightings(shared.limits, shared.board, shared.clock)
        self._balance_at: dict[CloudName, float] = {}
        self._rounds = Rounds(shared.limits, shared.board, clouds)
        self._untaken: dict[CloudName, dict[CloudRef, tuple[Rental, datetime | None]]] = {}
        self._ended_at: dict[InstanceId, datetime] = {}  # ends that were agreed to, and not yet written down
        self._doubted: set[InstanceId] = set()  # ends that were agreed to, and that a listing denies

    async def step(self) -> timedelta | None:
        """A round over each cloud that is due; then as soon as something is to go, else each minute, also in quiet."""
        live, is_quiet = await self._look()
        if is_quiet:
            self._shared.clock.follow()
        await self._look_around(live)
        if self._is_booking_due():
            await self._book_all()
        await self._look()
        return self._rounds.wait(asyncio.get_running_loop().time())

    async def _look(self) -> tuple[tuple[Instance, ...], bool]:
        """Take in what is to be done where: machines that are ordered, and whether there is neither one nor a job."""
        async with self._shared.store.reading() as books:
            rows = await books.instances.in_states(*sorted(ORDERED | {InstanceState.PLANNED}))
            is_wanted = await books.jobs.count_unfinished(None) > 0
        live = tuple(row for row in rows if row.state is not InstanceState.PLANNED)
        self._rounds.look(live, is_wanted=is_wanted or len(live) < len(rows))
        return live, not live and not is_wanted

    async def _look_around(self, live: Iterable[Instance]) -> None:
        """Look at all clouds that are due, at once."""
        loop = asyncio.get_running_loop()
        due = self._rounds.due(loop.time())
        async with asyncio.TaskGroup() as group:
            for name in due:
                group.create_task(self._try_round(self._clouds[name], [row for row in live if row.cloud == name]))
        for name in due:
            self._rounds.end(name, loop.time())

    async def _try_round(self, cloud: CloudProvider, live: Sequence[Instance]) -> None:
        """One cloud's round; what cannot be written down now is found again by the next, as soon as may be."""
        try:
            await self._round(cloud, live)
        except StoreError as error:
            self._shared.board.doubt(cloud.name)
            if not isinstance(error, StaleWrite):
                log.warning("the round over %s: %s", cloud.name, error)

    async def _round(self, cloud: CloudProvider, live: Sequence[Instance]) -> None:
        await self._end_what_must_go(cloud, live)
        asked = self._shared.clock.mark()
        self._shared.board.trust(cloud.name)  # this listing answers every doubt so far
        try:
            rentals = await cloud.rentals()
        except CloudError as error:
            await self._market.refused(error)
            async with self._shared.store.writing() as books:
                await note_cloud(books, cloud.name, self._shared.board.cloud(cloud.name))
            return
        await self._market.answered(cloud.name)
        if rentals or cloud.name not in self._balance_at:
            await self._look_at_balance(cloud)
        findings = await self._settle(_Listing(cloud, rentals, asked), live)
        if any(not isinstance(finding, Seen) for finding in findings):
            self._ring()

    async def _look_at_balance(self, cloud: CloudProvider) -> None:
        """At the start, and once an hour while money is spent: a cloud without money deletes what runs."""
        now = asyncio.get_running_loop().time()
        if now < self._balance_at.get(cloud.name, -math.inf):
            return
        self._balance_at[cloud.name] = now + BALANCE_EVERY.total_seconds()
        try:
            balance = (await cloud.account()).balance
        except VolumeMissing as error:
            log.warning("%s", error)
            async with self._shared.store.writing() as books:
                await news.volume_missing(books, error, self._shared.clock.now())
            self._shared.wakeups.notices.wake()
            balance = error.balance
        except CloudError as error:
            log.info("the balance at %s is not known: %s", cloud.name, error)
            return
        health = self._shared.board.cloud(cloud.name)
        self._shared.board.put_cloud(cloud.name, replace(health, balance=balance, balance_at=self._shared.clock.now()))
        if balance is not None and balance < LOW_BALANCE:
            async with self._shared.store.writing() as books:
                await news.low_balance(books, cloud.name, balance, self._shared.clock.now())
            self._shared.wakeups.notices.wake()

    async def _end_what_must_go(self, cloud: CloudProvider, live: Iterable[Instance]) -> None:
        """Tell the cloud to end every TERMINATING machine that it has not yet agreed to end."""
        unwritten: StoreError | None = None
        for row in live:
            is_agreed = row.ended_at is not None and row.id not in self._doubted
            is_due = row.state is InstanceState.TERMINATING and not is_agreed and not row.is_left_alone
            if is_due and row.ref is not None:
                try:
                    await self._end(cloud, row, row.ref)
                except StoreError as error:  # the others are to end all the same
                    unwritten = error
        if unwritten is not None:
            raise unwritten

    async def _end(self, cloud: CloudProvider, row: Instance, ref: CloudRef) -> None:
        await self._links.drop(row.id)
        if row.running_at is None:
            row = await self._priced(cloud, row, ref)
        try:
            was_there = await cloud.terminate(ref)
        except CloudError as error:
            await self._market.refused(error)
            await self._complain(row)
            return
        if was_there:
            self._ended_at[row.id] = self._shared.clock.now()
        await self._write_down(cloud, row, was_there=was_there)
        self._ended_at.pop(row.id, None)
        self._doubted.discard(row.id)

    async def _write_down(self, cloud: CloudProvider, row: Instance, *, was_there: bool) -> None:
        """A busy database is tried again at once: until it is written down, only this process knows when it ended."""
        for last in (False,) * (WRITES - 1) + (True,):
            try:
                async with self._shared.store.writing() as books:
                    settling = await self._settling(books, cloud)
                    await settling.accept(row, ended_at=self._ended_at.get(row.id, row.ended_at), was_there=was_there)
            except StoreError as error:
                if last or isinstance(error, StaleWrite):
                    raise
            else:
                return

    async def _priced(self, cloud: CloudProvider, row: Instance, ref: CloudRef) -> Instance:
        """Learn what a machine costs that was perhaps never looked at since its order: once it is gone nobody can."""
        try:
            rental = await cloud.rental(ref)
        except CloudError as error:
            log.info("the price of machine %s is not known: %s", ref, error)
            return row
        if rental is None or row.offer is None or not is_dearer(row.offer, rental.price):
            return row
        async with self._shared.store.writing() as books:
            return await charge(books, row, rental.price)

    async def _settle(self, listing: _Listing, live: Sequence[Instance]) -> tuple[Finding, ...]:
        untold: frozenset[InstanceId] = frozenset()
        if live or listing.rentals:
            listing, untold = await self._ask_witnesses(listing)
        name, asked_at = listing.cloud.name, listing.asked_at
        by_ref = {rental.ref: rental for rental in listing.rentals}
        async with self._shared.store.writing() as books:
            findings = await self._compare(books, listing)
            for finding in findings:
                self._sightings.note(finding, asked_at, self._shared.clock.now())
            settling = await self._settling(books, listing.cloud, by_ref)
            for rental, missed_at in self._gone_unwritten(name, findings, by_ref):
                await settling.take_in_late(rental, missed_at)
            for finding in sorted(findings, key=lambda finding: not isinstance(finding, Rival)):
                if not self._waits(finding, untold):
                    await settling.act(finding)
            unknown = sum(isinstance(finding, Unknown) for finding in findings)
            rows = await books.instances.of_cloud(name)
            unlisted = {row.id: self._sightings.listed_at(row) for row in rows if row.ref not in by_ref}
            await note_listing(books, name, listing.asked, unknown=unknown, unlisted=unlisted)
            await note_cloud(books, name, self._shared.board.cloud(name))
        if any(row.ref and row.ref not in by_ref and row.state_since > asked_at for row in rows):
            self._shared.board.doubt(name)  # it moved meanwhile: this listing says nothing of it, the next one may
        del self._untaken[name]
        health = self._shared.board.cloud(name)
        self._shared.board.put_cloud(name, replace(health, unknown_machines=unknown, listed_at=asked_at))
        return findings

    def _waits(self, finding: Finding, untold: frozenset[InstanceId]) -> bool:
        """
        Whether nothing follows from it yet, since its cloud tells nothing of this machine by itself.

        One that we use is not given up; two listings prove an end that we wanted. One that a listing shows although the
        cloud had agreed to end it is ended again, and its bill stays closed until it is known to have been there.
        """
        match finding:
            case Vanished(instance=row):
                return row.id in untold
            case StillThere(instance=row) if row.id in untold:
                self._doubted.add(row.id)
                return True
        return False

    def _gone_unwritten(
        self, cloud: CloudName, findings: tuple[Finding, ...], there: Mapping[CloudRef, Rental]
    ) -> list[tuple[Rental, datetime]]:
        """
        Machines of nobody's that an earlier listing showed and this one does not, with when they were first missed.

        While the disk is full none of them can be written down.
        """
        known, now = self._untaken.setdefault(cloud, {}), self._shared.clock.now()
        for finding in findings:
            if isinstance(finding, Orphan):
                known[finding.ref] = there[finding.ref], None
        gone = sorted(known.keys() - there.keys())
        known.update({ref: (known[ref][0], known[ref][1] or now) for ref in gone})
        return [(known[ref][0], known[ref][1] or now) for ref in gone]

    async def _settling(
        self, books: Books, cloud: CloudProvider, there: Mapping[CloudRef, Rental] = NOTHING
    ) -> Settling:
        await self._sightings.begin(books, cloud.name)
        before = await last_listing(books, cloud.name)
        listed_before = None if before is None else self._shared.clock.date_of(before.asked)
        return Settling(self._shared, books, there, sightings=self._sightings, listed_before=listed_before)

    async def _compare(self, books: Books, listing: _Listing) -> tuple[Finding, ...]:
        shared = self._shared
        return compare(
            await books.instances.of_cloud(listing.cloud.name),
            [Listed(ref=rental.ref, label=rental.label) for rental in listing.rentals],
            names=Names(installation=shared.installation, epoch=shared.epoch, former=shared.former),
            asked_at=listing.asked_at,
            late_machine=shared.limits.late_machine,
        )

    async def _ask_witnesses(self, listing: _Listing) -> tuple[_Listing, frozenset[InstanceId]]:
        """
        Before machines are believed to be gone, or to be back, ask for each by its name: a listing may lie or be old.

        Returns the listing as it should have been, and the rows of machines about which the cloud told nothing.
        """
        cloud = listing.cloud
        async with self._shared.store.reading() as books:
            findings = await self._compare(books, listing)
        there = {rental.ref: rental for rental in listing.rentals}
        untold: set[InstanceId] = set()
        for finding in findings:
            ref = _doubtful(finding)
            if ref is None:
                continue
            try:
                rental = await cloud.rental(ref)
            except CloudError as error:
                log.info("asking about machine %s: %s", ref, error)
                untold.update({finding.instance.id} if isinstance(finding, Gone | Vanished | StillThere) else ())
                continue
            if (rental is None) == (ref in there):
                log.warning("the listing of %s lies about machine %s", cloud.name, ref)
            there.pop(ref, None)
            there.update({} if rental is None else {ref: rental})
        return replace(listing, rentals=tuple(there.values())), frozenset(untold)

    async def _complain(self, row: Instance) -> None:
        async with self._shared.store.writing() as books:
            await complain(books, row, self._shared.clock.now())
        self._shared.wakeups.notices.wake()

    def _is_booking_due(self) -> bool:
        booked_at = self._shared.board.booked_at
        return booked_at is None or asyncio.get_running_loop().time() - booked_at >= BOOK_EVERY.total_seconds()

    async def _book_all(self) -> None:
        """Bring the ledger up to date, and end machines where a cap is far exceeded."""
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            caps = await caps_in_force(books, self._shared)
            live = await books.instances.in_states(*sorted(ORDERED - {InstanceState.LAUNCHING}))
            if live:
                await note_time(books, self._shared.clock)
            rows = [await book_due(books, row, self._sightings.booked_until(row, now)) for row in live]
            for place, row in enumerate(rows if caps != UNCAPPED else ()):
                await news.budgets(books, self._shared, row.user, now)
                if not row.is_over and await self._is_far_over_budget(books, row, rows, caps, now):
                    rows[place] = await end_instance(books, row, EndReason.OVER_BUDGET, now)
        self._shared.board.booked_at = asyncio.get_running_loop().time()

    async def _is_far_over_budget(
        self, books: Books, row: Instance, live: Sequence[Instance], caps: Caps, now: datetime
    ) -> bool:
        """The last minutes count from the start: once its cloud does not answer it is too late to keep them free."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        spent = await books.ledger.spent(row.user, day=day, month=day.replace(day=1))
        at_most = once_given_up(spent, row, live, self._sightings.alone_for)
        return broken_cap(caps, at_most, MicroUsd(0), share=1.2) is not None

    def _ring(self) -> None:
        for wakeup in (
            self._shared.wakeups.sessions,
            self._shared.wakeups.provisioner,
            self._shared.wakeups.runner,
            self._shared.wakeups.newsroom,
            self._shared.wakeups.notices,
        ):
            wakeup.wake()


def _doubtful(finding: Finding) -> CloudRef | None:
    """The machine that a second witness is asked about: what follows from this finding cannot be taken back."""
    match finding:
        case Gone(instance=row) | Vanished(instance=row) | StillThere(instance=row):
            return row.ref
        case Seen(instance=row) if row.absences:  # an old listing shows it again, perhaps
            return row.ref
        case Orphan(ref=ref):
            return ref
        case _:
            return None
