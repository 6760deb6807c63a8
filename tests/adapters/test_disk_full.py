"""A database that may not grow, and a disk with too little room for pictures."""

from pathlib import Path

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.database import aiosqlite_db
from orchestrator.adapters.database.database import Database, Statement
from orchestrator.adapters.database.migrate import migrate, shipped
from orchestrator.adapters.database.store import SqlStore, create_privately
from orchestrator.domain.errors import DiskFull
from tests.contract.samples import HandClock

LARGE = "x" * 1_000_000


async def limit_pages(database: Database, pages: int) -> None:
    """Below what is in use it means: no page more (https://sqlite.org/pragma.html#pragma_max_page_count)."""
    async with database.writing() as transaction:
        await transaction.run(Statement(sql=f"PRAGMA max_page_count = {pages}"))


async def test_a_full_database_says_so_keeps_what_it_has_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite3"
    create_privately(path)
    database = await aiosqlite_db.open_database(path)
    try:
        await migrate(database, HandClock(), shipped())
        store = SqlStore(database, HandClock())
        async with store.writing() as books:
            await books.set_fact("kept", "1")
        await limit_pages(database, 1)

        with pytest.raises(DiskFull, match="the disk is full; make room"):
            async with store.writing() as books:
                await books.set_fact("lost", LARGE)
        async with store.reading() as books:
            assert (await books.fact("kept"), await books.fact("lost")) == ("1", None)

        await limit_pages(database, 1_000_000)
        async with store.writing() as books:
            await books.set_fact("lost", LARGE)
        async with store.reading() as books:
            assert await books.fact("lost") == LARGE
    finally:
        await database.close()


async def test_a_disk_with_less_room_than_is_spared_takes_no_new_work_and_keeps_what_is_under_way(
    tmp_path: Path,
) -> None:
    blobs = LocalBlobs(tmp_path / "pictures", spare=2**62)

    with pytest.raises(DiskFull, match="MiB of room left"):
        await blobs.check_room()
    key = await blobs.put(b"a picture")
    assert await blobs.get(key) == b"a picture"
    await LocalBlobs(tmp_path / "pictures", spare=1).check_room()
