"""Ending machines by hand while no bot runs on the books: what is told to a cloud is written down first, as ever."""

from dataclasses import replace

from orchestrator.control.moves import book_due, end_instance
from orchestrator.control.orphans import orphan_row
from orchestrator.domain.ids import LaunchKey
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.ports.clock import Clock, Ids
from orchestrator.ports.cloud import CloudProvider, Rental
from orchestrator.ports.store import Books, Store


async def living_row(books: Books, rental: Rental) -> Instance | None:
    """The row that *rental* is known by and whose bill is open; None where nobody knows it any more."""
    by_label = await books.instances.by_launch_key(LaunchKey(rental.label))
    rows = [*await books.instances.by_ref(rental.cloud, rental.ref)]
    if by_label is not None and by_label.ref is None and by_label.cloud == rental.cloud:
        rows.append(by_label)
    return next((row for row in reversed(rows) if row.state is not InstanceState.TERMINATED), None)


async def end_by_hand(store: Store, cloud: CloudProvider, rental: Rental, *, clock: Clock, ids: Ids) -> None:
    """
    End one machine and keep the books right; the next start proves it gone.

    Raises:
        CloudError: The cloud did not accept it. The next start tells it again.
    """
    async with store.writing() as books:
        row = await living_row(books, rental)
        if row is None:
            row = await orphan_row(books, rental, name=ids.instance(), now=clock.now())
            await books.instances.add(row, reason="swept")
        elif row.state is not InstanceState.TERMINATING:
            row = await end_instance(books, replace(row, ref=rental.ref), EndReason.ADMIN, clock.now())
    await cloud.terminate(rental.ref)
    async with store.writing() as books:
        row = await books.instances.get(row.id) or row
        accepted = replace(row.seen(), ref=rental.ref, ended_at=clock.now())
        await book_due(books, await books.instances.change(row, accepted, reason="end accepted"), clock.now())
