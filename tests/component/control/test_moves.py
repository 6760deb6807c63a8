"""What a machine costs is what its cloud charges, and is written down once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from orchestrator.control.moves import book_due, charge
from orchestrator.domain.ids import CloudRef
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour
from orchestrator.domain.offer import Tariff
from orchestrator.ports.store import Books
from tests import virtual_time
from tests.component.control.stage import Stage, a_stage
from tests.contract.samples import NOW, VAST, an_instance, an_offer

OFFERED = MicroUsdPerHour(360_000)
DISK = MicroUsdPerHour(36_000)
HOUR = timedelta(hours=1)


def booking(folder: Path, story: Callable[[Stage, Books, Instance], Awaitable[None]]) -> None:
    """Tell *story* about a machine that was ordered now."""

    async def world() -> None:
        async with a_stage(folder) as stage, stage.shared.store.writing() as books:
            offer = replace(an_offer(), tariff=Tariff(running=OFFERED, always=DISK))
            row = an_instance(
                session=None,
                state=InstanceState.READY,
                cloud=VAST,
                ref=CloudRef("7"),
                offer=offer,
                ordered_at=NOW,
                running_at=NOW,
            )
            await books.instances.add(row, reason="test")
            await story(stage, books, row)

    virtual_time.run(world())


def test_a_machine_that_is_dearer_than_offered_is_charged_from_its_beginning(tmp_path: Path) -> None:
    async def story(stage: Stage, books: Books, row: Instance) -> None:
        booked = await book_due(books, row, NOW + HOUR)
        charged = await charge(books, booked, MicroUsdPerHour(2 * (OFFERED + DISK)))

        assert charged.price == 2 * (OFFERED + DISK)
        assert (await book_due(books, charged, NOW + HOUR)).booked == 2 * (OFFERED + DISK)

    booking(tmp_path, story)


def test_a_price_that_is_as_offered_or_lower_changes_nothing(tmp_path: Path) -> None:
    async def story(stage: Stage, books: Books, row: Instance) -> None:
        for price in (OFFERED + DISK, round((OFFERED + DISK) * 1.01), OFFERED // 2):
            assert await charge(books, row, MicroUsdPerHour(price)) is row

    booking(tmp_path, story)


def test_a_machine_without_an_offer_is_not_charged_anew(tmp_path: Path) -> None:
    async def story(stage: Stage, books: Books, row: Instance) -> None:
        bare = replace(row, offer=None)

        assert await charge(books, bare, MicroUsdPerHour(900_000)) is bare

    booking(tmp_path, story)


def test_what_was_booked_is_not_booked_again(tmp_path: Path) -> None:
    async def story(stage: Stage, books: Books, row: Instance) -> None:
        once = await book_due(books, row, NOW + HOUR)
        again = await book_due(books, once, NOW + HOUR)

        assert again is once
        assert await books.ledger.total(NOW, NOW + 2 * HOUR) == once.booked == OFFERED + DISK

    booking(tmp_path, story)


def test_an_order_that_no_listing_has_shown_is_only_reserved(tmp_path: Path) -> None:
    async def story(stage: Stage, books: Books, row: Instance) -> None:
        unseen = replace(row, ref=None)

        assert await book_due(books, unseen, NOW + HOUR) is unseen
        assert await books.ledger.total(NOW, NOW + 2 * HOUR) == MicroUsd(0)

    booking(tmp_path, story)
