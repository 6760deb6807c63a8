"""What follows from a listing for the books: one finding at a time, in the reconciler's transaction."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from orchestrator.control.moves import book_due, charge, end_instance, tell
from orchestrator.control.orphans import began_at, orphan_row
from orchestrator.control.shared import Shared
from orchestrator.control.sightings import Sightings
from orchestrator.domain.books import (
    Finding,
    Found,
    Gone,
    LeftBehind,
    Missed,
    Orphan,
    Rival,
    Seen,
    StillThere,
    Unknown,
    Vanished,
)
from orchestrator.domain.ids import CloudRef
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.job import Value
from orchestrator.ports.cloud import Rental
from orchestrator.ports.store import Books, Details

log = logging.getLogger(__name__)

STUBBORN_AFTER = timedelta(minutes=2)
REMIND_AFTER = timedelta(days=1)
"""Machines that only a person can judge are told of again after this."""


class Settling:
    """One listing of one cloud, one transaction."""

    def __init__(
        self,
        shared: Shared,
        books: Books,
        rentals: Mapping[CloudRef, Rental] = MappingProxyType({}),
        *,
        sightings: Sightings,
        listed_before: datetime | None,
    ) -> None:
        """
        Settle what *rentals*, or the answers to orders, say.

        Args:
            listed_before: When this cloud's last complete listing was asked for, by an earlier life of ours too.
        """
        self._shared = shared
        self._books = books
        self._rentals = rentals
        self._sightings = sightings
        self._listed_before = listed_before
        self._now = shared.clock.now()

    async def act(self, finding: Finding) -> None:
        books, now = self._books, self._now
        match finding:
            case Seen(instance=row):
                row = await self._pay(row)
                if row.absences:
                    await books.instances.change(row, row.seen(), reason="listed again")
                if row.is_left_alone:
                    await self._tell_left_alone(str(row.cloud), str(row.ref))
            case Missed(instance=row):
                missed_at = row.ended_at or self._sightings.missed_at(row, now)
                missed = replace(row, absences=row.absences + 1, missed_at=missed_at)
                await books.instances.change(row, missed, reason="not listed")
            case Found(instance=row, ref=ref):
                log.warning("instance %s turned up late as %s", row.id, ref)
                rental = self._rentals[ref]
                began = began_at(rental.started_at, row.ordered_at, now, listed_before=self._listed_before)
                found = replace(row.seen(), ref=ref, ordered_at=began)
                await self._pay(await books.instances.change(row, found, reason="turned up", details={}))
            case StillThere(instance=row):
                again = replace(row.seen(), ended_at=None)
                await books.instances.change(row, again, reason="still there")
                await complain(books, row, now)
            case Vanished(instance=row):
                log.warning("instance %s vanished from %s", row.id, row.cloud)
                await end_instance(books, self._missed(row), EndReason.VANISHED, now)
            case Gone(instance=row):
                await self._bury(self._missed(row))
            case _:
                await self._meet(finding)

    async def accept(self, row: Instance, *, ended_at: datetime | None, was_there: bool) -> None:
        """
        The cloud agrees to end *row*; it says so of a machine, too, that has ended by itself.

        Args:
            ended_at: When it agreed while the machine was still there, now or in a try that could not be written down.
        """
        ended_at = ended_at or self._sightings.missed_at(row, self._now)
        accepted = replace(row.seen(), ended_at=ended_at)
        details: Details = {"ref": str(row.ref)} | ({} if was_there else {"was": "gone"})
        await self._books.instances.change(row, accepted, reason="end accepted", details=details)

    async def _meet(self, unknown: Unknown) -> None:
        """A machine that no living row knows."""
        match unknown:
            case Orphan(ref=ref):
                await self._take_in(self._rentals[ref])
            case LeftBehind(ref=ref):
                await self._tell_left_alone(str(self._rentals[ref].cloud), str(ref))
            case Rival(ref=ref):
                await self._meet_rival(self._rentals[ref])

    async def _pay(self, row: Instance) -> Instance:
        rental = self._rentals.get(row.ref) if row.ref else None
        return row if rental is None else await charge(self._books, row, rental.price)

    def _missed(self, row: Instance) -> Instance:
        """Twice not listed; it may have answered after the first time, which was none then."""
        return row if row.missed_at is None else replace(row, missed_at=self._sightings.missed_at(row, self._now))

    async def _bury(self, row: Instance) -> None:
        """Twice not listed: the bill is closed."""
        books, now = self._books, self._now
        ends = [at for at in (row.ended_at, row.missed_at) if at is not None]
        ended = replace(row, ended_at=min(ends, default=row.state_since))
        ended = await books.instances.change(row, ended, reason="gone")
        ended = await book_due(books, ended, now)
        final = replace(ended.moved_to(InstanceState.TERMINATED, now), reserved=ended.booked)
        await books.instances.change(ended, final, reason=str(row.end_reason or ""))
        if row.session is not None:
            await books.sessions.touch(row.session, now)
        self._shared.board.forget_instance(row.id)
        self._sightings.forget(row)
        log.info(
            "instance %s at %s is gone: %s; %.0f s, $%.4f",
            row.id,
            row.cloud,
            row.end_reason,
            ((ended.ended_at or now) - (ended.ordered_at or now)).total_seconds(),
            ended.booked / 1_000_000,
        )

    async def take_in_late(self, rental: Rental, missed_at: datetime) -> None:
        """One that nobody knew, and that is gone by the time when it can be written down: it has cost money."""
        row = await self._take_in(rental)
        if row is not None:
            gone = replace(row, absences=1, missed_at=missed_at)
            await self._books.instances.change(row, gone, reason="not listed")

    async def _take_in(self, rental: Rental) -> Instance | None:
        """A machine with our label that nobody knows becomes a row to be ended."""
        if self._shared.gate.has_rival:  # it may be in use by the one that was started after us
            return None
        books = self._books
        log.warning("machine %s at %s carries our label and is nobody's: ending it", rental.ref, rental.cloud)
        name, listed_before = self._shared.ids.instance(), self._listed_before
        row = await orphan_row(books, rental, name=name, now=self._now, listed_before=listed_before)
        await books.instances.add(row, reason=str(EndReason.ORPHAN))
        row = await self._pay(row)
        values: dict[str, Value] = {"cloud": str(rental.cloud), "machine": str(rental.ref)}
        await tell(books, None, "orphan_ended", values, topic=f"orphan:{rental.ref}", now=self._now)
        return row

    async def _tell_left_alone(self, cloud: str, machine: str) -> None:
        books, values = self._books, dict[str, Value](cloud=cloud, machine=machine)
        topic, since = f"left_behind:{cloud}:{machine}", self._now - REMIND_AFTER
        await tell(books, None, "left_behind", values, topic=topic, now=self._now, unless_since=since)

    async def _meet_rival(self, rental: Rental) -> None:
        """Another bot of our name was started after us: order nothing more, and end nothing that we do not know."""
        if not self._shared.gate.has_rival:
            log.error("machine %s at %s was ordered by another bot of our name", rental.ref, rental.cloud)
        self._shared.gate.meet_rival()
        books = self._books
        values: dict[str, Value] = {"cloud": str(rental.cloud), "machine": str(rental.ref)}
        since = self._now - REMIND_AFTER
        await tell(books, None, "rival", values, topic="rival", now=self._now, unless_since=since)


async def complain(books: Books, row: Instance, now: datetime) -> None:
    """A machine that will not die is a person's business."""
    if now - row.state_since < STUBBORN_AFTER:
        return
    values: dict[str, Value] = {
        "cloud": str(row.cloud),
        "machine": str(row.ref),
        "minutes": (now - row.state_since).seconds // 60,
    }
    await tell(books, None, "machine_will_not_die", values, topic=f"stubborn:{row.id}", now=now)
