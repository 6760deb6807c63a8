"""
When each machine was last seen, and until when it is booked while nobody has seen it again.

The bot may have been away for days, or its cloud may answer nothing for an hour. What is in the books then may be long
gone, ended by its own dead-man's switch: a machine's bill runs no further than that switch lets it live since it was
last heard of. Once it is heard of again, it is booked until now.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from orchestrator.control.board import Board
from orchestrator.control.shared import Limits
from orchestrator.control.timekeeping import as_json, from_json
from orchestrator.domain.books import Finding, Found, Gone, Missed, Seen, StillThere, Vanished
from orchestrator.domain.ids import CloudName, InstanceId
from orchestrator.domain.instance import Instance
from orchestrator.ports.clock import Clock, Mark
from orchestrator.ports.store import Books

_FACT = "listing:"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastListing:
    """
    What is written down of a cloud's last complete listing.

    Attributes:
        asked: When it was asked for; the clock may have been set since.
        unknown: How many machines with our label it showed that nobody knew.
        lacks: Machines of our books that it did not show, and when one did last.
    """

    asked: Mark
    unknown: int
    lacks: Mapping[InstanceId, datetime | None]


async def last_listing(books: Books, cloud: CloudName) -> LastListing | None:
    """The last complete listing of *cloud*, whoever of us asked for it; None before the first."""
    fact = await books.fact(_FACT + cloud)
    if fact is None:
        return None
    value = json.loads(fact)
    lacks = value.get("lacks", {}).items()
    return LastListing(
        asked=from_json(value),
        unknown=value["unknown"],
        lacks={InstanceId(name): at and datetime.fromtimestamp(at, UTC) for name, at in lacks},
    )


async def note_listing(
    books: Books,
    cloud: CloudName,
    asked: Mark,
    *,
    unknown: int,
    unlisted: Mapping[InstanceId, datetime | None] = MappingProxyType({}),
) -> None:
    """
    Write down that a listing was complete.

    Args:
        unlisted: Machines of our books that it did not show, and when one did last.
    """
    lacks = {name: at and at.timestamp() for name, at in unlisted.items()}
    await books.set_fact(_FACT + cloud, json.dumps(as_json(asked) | {"unknown": unknown, "lacks": lacks}))


class Sightings:
    """
    What the listings of this life have shown, and which machines have answered in it.

    Before them an earlier life's last listing has shown it, unless that one says otherwise.
    """

    def __init__(self, limits: Limits, board: Board, clock: Clock) -> None:
        self._limits = limits
        self._board = board
        self._clock = clock
        self._seen: dict[InstanceId, datetime] = {}
        self._missed: dict[InstanceId, datetime] = {}  # first absences, also those that could not be written down
        self._before: dict[CloudName, Mark | None] = {}
        self._unlisted: dict[InstanceId, datetime | None] = {}  # by an earlier life's last listing

    async def begin(self, books: Books, cloud: CloudName) -> None:
        """Call it before the first listing of *cloud* is noted."""
        if cloud not in self._before:
            before = await last_listing(books, cloud)
            self._before[cloud] = None if before is None else before.asked
            self._unlisted.update({} if before is None else before.lacks)

    def note(self, finding: Finding, asked_at: datetime, now: datetime) -> None:
        """Remember what a listing that was *asked_at* then has shown, or lacked."""
        match finding:
            case Seen(instance=row) | Found(instance=row) | StillThere(instance=row):
                self._seen[row.id] = asked_at
                self._missed.pop(row.id, None)
            case Missed(instance=row) | Vanished(instance=row) | Gone(instance=row):
                self._missed[row.id] = self._unless_heard_since(self._missed.get(row.id), row) or now
            case _:
                pass

    def forget(self, row: Instance) -> None:
        self._seen.pop(row.id, None)
        self._missed.pop(row.id, None)

    def listed_at(self, row: Instance) -> datetime | None:
        """When a listing last showed it."""
        if row.id in self._seen or row.cloud is None:
            return self._seen.get(row.id)
        if row.id in self._unlisted:
            return self._unlisted[row.id]
        before = self._before.get(row.cloud)
        return None if before is None else self._clock.date_of(before)

    def booked_until(self, row: Instance, now: datetime) -> datetime:
        """Now, while we hear of it often enough; one without a switch goes on costing money, whatever we hear."""
        is_seen_without_switch = row.id in self._seen and self._board.is_unguarded(row.id)
        return now if is_seen_without_switch else self.gone_by(row, now)

    def gone_by(self, row: Instance, now: datetime) -> datetime:
        """When a machine that is not listed any more had gone at the latest."""
        signs = (
            self.listed_at(row),
            self._board.heard(row.id),
            row.ordered_at,
            row.running_at,
            row.ready_at,
            row.proved_at,
        )
        last_known = max((at for at in signs if at is not None), default=row.created_at)
        missed_at = self._unless_heard_since(self._missed.get(row.id), row)
        return min(now, last_known + self.alone_for(row), missed_at or now)

    def alone_for(self, row: Instance) -> timedelta:
        """How long its dead-man's switch lets it live after the last we heard of it."""
        return self._limits.dead_man if row.host_key else self._limits.dead_man + self._limits.boot_at(row.cloud)

    def missed_at(self, row: Instance, now: datetime) -> datetime:
        """When it had gone at the latest, by the first listing that lacked it, in an earlier life too."""
        return self._unless_heard_since(row.missed_at, row) or self.gone_by(row, now)

    def _unless_heard_since(self, missed_at: datetime | None, row: Instance) -> datetime | None:
        """A listing that lacked a machine which has answered since has lied."""
        heard = self._board.heard(row.id)
        return None if missed_at is None or (heard is not None and heard > missed_at) else missed_at
