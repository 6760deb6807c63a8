"""Transactions on SQLite: turns, snapshots, cancellation at every await, and errors in our words."""

import asyncio
import inspect
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator.adapters.database import aiosqlite_db, inline_db
from orchestrator.adapters.database.aiosqlite_db import ThreadConnection
from orchestrator.adapters.database.database import Database, Rows, Statement
from orchestrator.adapters.database.sqlite import Access, Durability, open_connection, store_error
from orchestrator.adapters.database.store import create_privately
from orchestrator.adapters.database.transactions import Connection, SqliteDatabase
from orchestrator.domain.errors import StaleWrite, StoreError

INSERT = "INSERT INTO word (text) VALUES (:text)"
WORDS = "SELECT text FROM word ORDER BY text"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one table."""
    path = tmp_path / "words.db"
    create_privately(path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE word (text TEXT NOT NULL PRIMARY KEY) STRICT")
    connection.close()
    return path


@pytest.fixture(params=["aiosqlite", "inline"])
async def database(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Database]:
    opened = await aiosqlite_db.open_database(path) if request.param == "aiosqlite" else inline_db.open_database(path)
    yield opened
    await opened.close()


async def write(database: Database, *words: str) -> None:
    async with database.writing() as transaction:
        for word in words:
            await transaction.rows(INSERT, text=word)


async def read(database: Database) -> list[str]:
    async with database.reading() as transaction:
        return [row["text"] for row in await transaction.rows(WORDS)]


class TestTransactions:
    async def test_several_statements_answer_in_their_order(self, database: Database) -> None:
        async with database.writing() as transaction:
            answers = await transaction.run(
                Statement(sql=INSERT, parameters={"text": "a"}),
                Statement(sql=WORDS),
                Statement(sql="SELECT 7 AS number"),
            )

        assert [len(rows) for rows in answers] == [0, 1, 1]
        assert answers[2][0]["number"] == 7

    async def test_after_a_statement_that_had_to_match_and_did_not_nothing_runs(self, database: Database) -> None:
        async with database.writing() as transaction:
            answers = await transaction.run(
                Statement(sql="UPDATE word SET text = 'b' WHERE text = 'a' RETURNING text", must_match=True),
                Statement(sql=INSERT, parameters={"text": "c"}),
            )

        assert [list(rows) for rows in answers] == [[]]
        assert await read(database) == []

    async def test_an_empty_block_asks_the_database_nothing(self, database: Database) -> None:
        async with database.writing():
            pass
        async with database.reading():
            pass

    async def test_a_transaction_cannot_be_used_after_its_end(self, database: Database) -> None:
        async with database.writing() as transaction:
            await transaction.rows(INSERT, text="a")

        with pytest.raises(RuntimeError, match="over"):
            await transaction.rows(WORDS)

    async def test_a_task_that_writes_inside_its_own_writing_is_told_so(self, database: Database) -> None:
        """It would wait for itself for ever."""
        with pytest.raises(RuntimeError, match="itself"):
            async with database.writing():
                await write(database, "a")

        await write(database, "b")
        assert await read(database) == ["b"]

    async def test_after_a_failed_statement_nothing_of_the_transaction_is_written(self, database: Database) -> None:
        """As in PostgreSQL, where nothing more can be run either; swallowing the error does not help."""
        await write(database, "a")

        async def write_and_swallow() -> None:
            async with database.writing() as transaction:
                await transaction.rows(INSERT, text="b")
                with pytest.raises(StaleWrite):
                    await transaction.rows(INSERT, text="a")

        with pytest.raises(StoreError, match="nothing was written"):
            await write_and_swallow()

        assert await read(database) == ["a"]

    async def test_closing_ends_every_thread(self, path: Path) -> None:
        before = set(threading.enumerate())
        database = await aiosqlite_db.open_database(path)
        assert set(threading.enumerate()) > before

        await database.close()

        assert _threads_that_stay(before) == set()


class Interrupted(Connection):
    """Cancels the task that uses it at chosen calls, just before the call is passed on."""

    def __init__(self, inner: Connection, at: set[int]) -> None:
        self._inner = inner
        self._at = at
        self.calls = 0

    async def run(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        self._interrupt()
        return await self._inner.run(statements)

    async def roll_back(self) -> None:
        self._interrupt()
        await self._inner.roll_back()

    async def close(self) -> None:
        await self._inner.close()

    def _interrupt(self) -> None:
        task = asyncio.current_task()
        if self.calls in self._at and task is not None:
            task.cancel()
        self.calls += 1


@pytest.mark.parametrize("often", [1, 2], ids=["once", "and again while rolling back"])
@pytest.mark.parametrize("at", range(3), ids=["first statement", "second statement", "commit"])
class TestCancellation:
    async def test_in_a_thread_it_is_all_or_nothing(self, path: Path, at: int, often: int) -> None:
        thread = ThreadConnection(path, Access.WRITE)
        reader = ThreadConnection(path, Access.READ)
        await thread.open()
        await reader.open()
        connection = Interrupted(thread, set(range(at, at + often)))
        async with aclosing(SqliteDatabase(connection, [reader])) as database:
            await _cancelled(write(database, "a", "b"))

            await write(database, "z")
            # the thread had been given the COMMIT before its caller was cancelled: there the words were written
            assert await read(database) == (["a", "b", "z"] if at == 2 else ["z"])

    async def test_inline_it_is_all_or_nothing(self, path: Path, at: int, often: int) -> None:
        cancelled_at = range(at + 1, at + 1 + often)  # the first trip is two statements: BEGIN and INSERT
        statements = 0

        async def before_statement(_: Statement) -> None:
            nonlocal statements
            task = asyncio.current_task()
            if task is not None and statements in cancelled_at:
                task.cancel()
            statements += 1
            await asyncio.sleep(0)

        async with aclosing(inline_db.open_database(path, before_statement=before_statement)) as database:
            await _cancelled(write(database, "a", "b"))
            statements = cancelled_at.stop

            await write(database, "z")
            assert await read(database) == ["z"]


@asynccontextmanager
async def aclosing(database: Database) -> AsyncIterator[Database]:
    try:
        async with asyncio.timeout(5):
            yield database
    finally:
        await database.close()


async def _cancelled(work: Coroutine[None, None, None]) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
    assert task.cancelled()


class TestWaiting:
    async def test_a_writer_that_is_cancelled_while_it_waits_leaves_the_turn_to_others(
        self, database: Database
    ) -> None:
        async with asyncio.TaskGroup() as group, database.writing() as transaction:
            waiting = group.create_task(write(database, "never"))
            await transaction.rows(INSERT, text="a")
            waiting.cancel()

        await write(database, "b")
        assert await read(database) == ["a", "b"]

    async def test_readers_that_are_cancelled_give_their_connections_back(self, database: Database) -> None:
        async def read_for_ever() -> None:
            async with database.reading() as transaction:
                await transaction.rows(WORDS)
                await asyncio.Event().wait()

        for _ in range(3 * aiosqlite_db.READERS):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(read_for_ever())
                await asyncio.sleep(0.001)
                task.cancel()

        async with asyncio.timeout(5):
            assert await read(database) == []


class TestErrors:
    async def test_a_full_disk_is_a_sentence_and_writes_nothing(self, database: Database) -> None:
        async with database.writing() as transaction:
            await transaction.rows("PRAGMA max_page_count = 8")

        with pytest.raises(StoreError, match="disk is full; make room"):
            await write(database, "a", "b" * 200_000)

        assert await read(database) == []
        await write(database, "c")
        assert await read(database) == ["c"]

    async def test_a_database_that_stays_busy_is_a_sentence_and_writes_nothing(
        self, database: Database, path: Path
    ) -> None:
        async with database.writing() as transaction:
            await transaction.rows("PRAGMA busy_timeout = 0")
        backup = sqlite3.connect(path, isolation_level=None)
        backup.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreError, match="busy"):
            await write(database, "a")

        backup.execute("ROLLBACK")
        backup.close()
        await write(database, "b")
        assert await read(database) == ["b"]

    async def test_a_closed_database_is_a_store_error(self, database: Database) -> None:
        await database.close()

        with pytest.raises(StoreError):
            await read(database)

    def test_every_error_of_the_library_has_a_translation(self, tmp_path: Path) -> None:
        """What sqlite3 can raise is an Error or a Warning, and both connections catch these two."""
        raised = [
            kind for _, kind in inspect.getmembers(sqlite3, inspect.isclass) if issubclass(kind, sqlite3.Error)
        ] + [sqlite3.Warning]
        every = [kind for _, kind in inspect.getmembers(sqlite3, inspect.isclass) if issubclass(kind, Exception)]

        assert set(every) == set(raised)
        for kind in raised:
            error = store_error(kind("no such luck"), tmp_path)
            assert isinstance(error, StoreError)
            assert "no such luck" in str(error)

    @pytest.mark.parametrize(
        ("provoke", "sentence"),
        [
            (lambda folder: _open(folder / "none.db"), "cannot be opened"),
            (lambda folder: _open(_file(folder, b"not a database, " * 100)), "no database"),
        ],
        ids=["missing", "garbage"],
    )
    def test_what_cannot_be_opened_says_what_to_do(
        self, tmp_path: Path, provoke: Callable[[Path], object], sentence: str
    ) -> None:
        with pytest.raises(sqlite3.Error) as caught:
            provoke(tmp_path)

        assert sentence in str(store_error(caught.value, tmp_path))

    @pytest.mark.parametrize("kind", ["aiosqlite", "inline"])
    async def test_opening_garbage_is_a_store_error_and_leaves_no_thread(self, tmp_path: Path, kind: str) -> None:
        garbage = _file(tmp_path, b"not a database, " * 100)
        before = set(threading.enumerate())

        async def open_it() -> Database:
            if kind == "aiosqlite":
                return await aiosqlite_db.open_database(garbage)
            return inline_db.open_database(garbage)

        with pytest.raises(StoreError, match="no database"):
            await open_it()

        assert _threads_that_stay(before) == set()


def _threads_that_stay(before: set[threading.Thread]) -> set[threading.Thread]:
    """Threads beside *before* that do not end within a moment."""
    new = set(threading.enumerate()) - before
    for thread in new:
        thread.join(5)
    return {thread for thread in new if thread.is_alive()}


def _open(path: Path) -> None:
    open_connection(path, Access.WRITE, Durability.FULL)


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "file.db"
    path.write_bytes(content)
    return path


class TestDurability:
    async def test_production_flushes_each_commit_to_the_disk(self, path: Path) -> None:
        """``Committed before the order`` must outlive a power cut: WAL with synchronous=FULL (2)."""
        database = await aiosqlite_db.open_database(path)

        async with aclosing(database), database.writing() as transaction:
            (mode,), (synchronous,), (keys,) = await transaction.run(
                Statement(sql="PRAGMA journal_mode"),
                Statement(sql="PRAGMA synchronous"),
                Statement(sql="PRAGMA foreign_keys"),
            )

        assert (mode["journal_mode"], synchronous["synchronous"], keys["foreign_keys"]) == ("wal", 2, 1)
