"""Transactions over SQLite connections: one writer at a time, and a few readers that never wait for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from orchestrator.adapters.database.database import Database, Rows, SqlValue, Statement, Transaction
from orchestrator.domain.errors import StoreError

_READ = Statement(sql="BEGIN")
_WRITE = Statement(sql="BEGIN IMMEDIATE")
_COMMIT = Statement(sql="COMMIT")


class Connection(Protocol):
    """
    One connection to the database.

    What was asked first runs first, and runs even when whoever asked has been cancelled meanwhile. So a rollback
    that was asked for precedes whatever the next owner of the connection does.
    """

    async def run(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        """See :meth:`Transaction.run`."""
        ...

    async def roll_back(self) -> None:
        """Undo the open transaction; silent when there is none."""
        ...

    async def close(self) -> None: ...


class SqlTransaction(Transaction):
    """A transaction that begins with its first statement, in the same trip."""

    def __init__(self, connection: Connection, *, begin: Statement) -> None:
        self._connection = connection
        self._begin = begin
        self._has_begun = False
        self._has_failed = False
        self._is_over = False

    async def run(self, *statements: Statement) -> tuple[Rows, ...]:
        if self._is_over:
            raise RuntimeError("the transaction is over: what was read from it must be read again in another")
        if self._has_begun:
            return tuple(await self._try(statements))
        self._has_begun = True
        return tuple(await self._try((self._begin, *statements)))[1:]

    async def rows(self, sql: str, **parameters: SqlValue) -> Rows:
        return (await self.run(Statement(sql=sql, parameters=parameters)))[0]

    async def commit(self) -> None:
        """Make it last. Without a statement there is nothing to do."""
        if self._has_failed:
            raise StoreError("nothing was written, because a statement of this transaction failed")
        if self._has_begun:
            await self._try((_COMMIT,))
            self._has_begun = False

    async def end(self) -> None:
        """Undo whatever was not committed; nothing can be run afterwards."""
        self._is_over = True
        if self._has_begun:
            await self._connection.roll_back()

    async def _try(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        try:
            return await self._connection.run(statements)
        except StoreError:
            self._has_failed = True
            raise


class SqliteDatabase(Database):
    """
    A writer's connection and some readers' connections to one file in WAL mode.

    SQLite refuses a second ``BEGIN IMMEDIATE`` on a connection, so writers take turns here.
    """

    def __init__(self, writer: Connection | None, readers: Sequence[Connection]) -> None:
        """Without *writer* the database is read only."""
        self._writer = writer
        self._all = [*([writer] if writer else []), *readers]
        self._turn = asyncio.Lock()
        self._owner: asyncio.Task[object] | None = None
        self._idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for reader in readers:
            self._idle.put_nowait(reader)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        reader = await self._idle.get()
        transaction = SqlTransaction(reader, begin=_READ)
        try:
            yield transaction
        finally:
            try:
                await transaction.end()
            finally:
                self._idle.put_nowait(reader)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        if self._writer is None:
            raise StoreError("the database was opened for reading only")
        if self._owner is not None and self._owner is asyncio.current_task():
            raise RuntimeError("a task that writes already would wait for itself for ever")
        async with self._turn:
            self._owner = asyncio.current_task()
            transaction = SqlTransaction(self._writer, begin=_WRITE)
            try:
                yield transaction
                await transaction.commit()
            finally:
                self._owner = None
                await transaction.end()

    async def close(self) -> None:
        """Close every connection, the writer last: it empties the write-ahead log."""
        async with AsyncExitStack() as stack:
            for connection in self._all:
                stack.push_async_callback(connection.close)
