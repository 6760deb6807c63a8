"""The store: its tables behind one transaction, and how it is opened."""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType

from orchestrator.adapters.database import aiosqlite_db, inline_db
from orchestrator.adapters.database.database import Database, Transaction
from orchestrator.adapters.database.inline_db import BeforeStatement, at_once
from orchestrator.adapters.database.instances import SqlInstances
from orchestrator.adapters.database.jobs import SqlJobs
from orchestrator.adapters.database.keeping import SqlKeeping
from orchestrator.adapters.database.ledger import SqlLedger
from orchestrator.adapters.database.loras import SqlLoras
from orchestrator.adapters.database.migrate import check_version, migrate, shipped
from orchestrator.adapters.database.notices import SqlNotices
from orchestrator.adapters.database.people import SqlPeople
from orchestrator.adapters.database.rows import event_from
from orchestrator.adapters.database.sessions import SqlSessions
from orchestrator.domain.errors import StoreError
from orchestrator.ports.clock import Clock
from orchestrator.ports.store import (
    Books,
    Event,
    Instances,
    Jobs,
    Keeping,
    Ledger,
    Loras,
    Notices,
    People,
    Sessions,
    Store,
)

EVENTS = "SELECT * FROM event WHERE subject = :subject ORDER BY id"
FACT = "SELECT value FROM fact WHERE name = :name"
SET_FACT = """
    INSERT INTO fact (name, value) VALUES (:name, :value)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


class SqlBooks(Books):
    """Most transactions ask one or two tables; those are made when they are asked."""

    def __init__(self, transaction: Transaction, clock: Clock) -> None:
        self._sql = transaction
        self._clock = clock

    @property
    def jobs(self) -> Jobs:
        return SqlJobs(self._sql, self._clock)

    @property
    def sessions(self) -> Sessions:
        return SqlSessions(self._sql, self._clock)

    @property
    def instances(self) -> Instances:
        return SqlInstances(self._sql, self._clock)

    @property
    def ledger(self) -> Ledger:
        return SqlLedger(self._sql)

    @property
    def notices(self) -> Notices:
        return SqlNotices(self._sql)

    @property
    def people(self) -> People:
        return SqlPeople(self._sql)

    @property
    def loras(self) -> Loras:
        return SqlLoras(self._sql)

    @property
    def keeping(self) -> Keeping:
        return SqlKeeping(self._sql)

    async def events(self, subject: str) -> tuple[Event, ...]:
        return tuple(event_from(row) for row in await self._sql.rows(EVENTS, subject=subject))

    async def fact(self, name: str) -> str | None:
        rows = await self._sql.rows(FACT, name=name)
        return str(rows[0]["value"]) if rows else None

    async def set_fact(self, name: str, value: str) -> None:
        await self._sql.rows(SET_FACT, name=name, value=value)


class SqlStore(Store):
    """The store over any database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def reading(self) -> AbstractAsyncContextManager[Books]:
        return _Opened(self._database.reading(), self._clock)

    def writing(self) -> AbstractAsyncContextManager[Books]:
        return _Opened(self._database.writing(), self._clock)


class _Opened(AbstractAsyncContextManager[Books]):
    """The books of a transaction, while that is open."""

    def __init__(self, opening: AbstractAsyncContextManager[Transaction], clock: Clock) -> None:
        self._opening = opening
        self._clock = clock

    async def __aenter__(self) -> Books:
        return SqlBooks(await self._opening.__aenter__(), self._clock)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._opening.__aexit__(kind, error, trace)


@asynccontextmanager
async def open_store(path: Path, clock: Clock) -> AsyncIterator[Store]:
    """
    Open the store in the file *path* and bring it to this code's schema; what is missing is made, for our eyes only.

    Whoever opens it holds the folder's :func:`data_lock`.

    Raises:
        StoreError: It cannot be opened, or a newer release has written it.
    """
    create_privately(path)
    database = await aiosqlite_db.open_database(path)
    try:
        await migrate(database, clock, shipped())
        yield SqlStore(database, clock)
    finally:
        await database.close()


@asynccontextmanager
async def open_store_readonly(path: Path, clock: Clock) -> AsyncIterator[Store]:
    """
    Look into the store of a bot that may be running.

    Raises:
        StoreError: There is none, it cannot be opened, or it has another schema than this code.
    """
    require(path)
    database = await aiosqlite_db.open_database(path, is_read_only=True)
    try:
        await check_version(database, shipped())
        yield SqlStore(database, clock)
    finally:
        await database.close()


@asynccontextmanager
async def open_store_inline(
    path: Path, clock: Clock, *, before_statement: BeforeStatement = at_once
) -> AsyncIterator[Store]:
    """As :func:`open_store`, without a thread and without care for power cuts: for simulated worlds."""
    create_privately(path)
    database = inline_db.open_database(path, before_statement=before_statement)
    try:
        await migrate(database, clock, shipped())
        yield SqlStore(database, clock)
    finally:
        await database.close()


def create_privately(path: Path) -> None:
    """
    Make the file *path* and its folder, readable by us alone; SQLite gives its other files the same mode.

    Raises:
        StoreError: The folder is not ours to write to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be made or written: {error.strerror}; check who owns the folder") from error


def require(path: Path) -> None:
    """
    Make sure that the file *path* exists.

    Raises:
        StoreError: It does not.
    """
    if not path.exists():
        raise StoreError(f"there is no database at {path}: nothing has been run on this data folder yet")
