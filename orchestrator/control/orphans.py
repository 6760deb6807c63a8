"""A machine with our label that no living row knows: the row by which it is ended and paid for, once."""

from datetime import datetime, timedelta

from orchestrator.domain.ids import HostId, InstanceId, LaunchKey, MachineId, OfferId, UserId, WorkflowName
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.offer import Offer, Tariff
from orchestrator.ports.cloud import Rental, RentalState
from orchestrator.ports.store import Books

LIES_FOR = timedelta(minutes=20)
"""The longest that a well-formed listing may leave a machine out."""

NOBODY = UserId("nobody")


async def orphan_row(
    books: Books, rental: Rental, *, name: InstanceId, now: datetime, listed_before: datetime | None = None
) -> Instance:
    """
    Make the row of *rental*, which is to be ended; the caller stores it.

    What the machine has cost is on it from the order on, but for what an earlier row of the same machine has closed:
    a listing may have hidden it until it was believed to be gone.

    Args:
        listed_before: The last complete listing of its cloud, in which it was not.
    """
    order = await books.instances.by_launch_key(LaunchKey(rental.label))
    before = await books.instances.by_ref(rental.cloud, rental.ref)
    closed = [end for row in before if (end := row.bill_closed_at) is not None]
    ordered_at = order.ordered_at if order else None
    since = max(closed, default=began_at(rental.started_at, ordered_at, now, listed_before=listed_before))
    known = next((row for row in (*before, order) if row is not None and row.offer is not None), None)
    has_run = rental.state in {RentalState.RUNNING, RentalState.LOST} or any(row.running_at for row in before)
    return Instance(
        id=name,
        session=None,
        user=NOBODY,
        workflow=WorkflowName(""),
        state=InstanceState.TERMINATING,
        created_at=now,
        state_since=now,
        cloud=rental.cloud,
        launch_key=LaunchKey(rental.label) if order is None else None,
        offer=known.offer.charged(rental.price) if known and known.offer else _offer_of(rental),
        ref=rental.ref,
        ordered_at=min(since, now),
        running_at=since if has_run or known is None else None,
        given_up_at=now,
        end_reason=EndReason.ORPHAN,
    )


def began_at(
    started: datetime | None, ordered: datetime | None, now: datetime, *, listed_before: datetime | None = None
) -> datetime:
    """
    When the bill of an order began whose answer was lost: an order may be carried out long after it was sent.

    A time yet to come is of a clock that was set back since, or of one that disagrees with ours: it says nothing.

    Args:
        started: What the cloud says; believed before all else.
        listed_before: The last complete listing of its cloud, in which it was not.
    """
    is_believed = started is not None and started <= now and not _has_been_missed(started, listed_before)
    signs = (started if is_believed else listed_before, ordered)
    return max((at for at in signs if at is not None and at <= now), default=now)


def _has_been_missed(started: datetime, listed_before: datetime | None) -> bool:
    """Whether complete listings would have had to leave it out for longer than they lie: then clocks disagree."""
    return listed_before is not None and listed_before - started > LIES_FOR


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
