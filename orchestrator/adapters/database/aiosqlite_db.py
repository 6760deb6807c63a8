"""The database of production: SQLite in aiosqlite's threads, one a connection."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiosqlite

from orchestrator.adapters.database.database import Database, Rows, Statement
from orchestrator.adapters.database.sqlite import Access, Durability, in_our_words, open_connection, run_all
from orchestrator.adapters.database.transactions import Connection, SqliteDatabase
from orchestrator.domain.errors import StoreError

READERS = 3
"""Readings at once; each costs a thread."""


class ThreadConnection(Connection):
    """
    A connection that lives in a thread of its own.

    The thread takes its work from a first-in-first-out queue, which is what :class:`Connection` promises.
    """

    def __init__(self, path: Path, access: Access) -> None:
        self._path = path
        self._access = access
        self._thread = aiosqlite.Connection(self._open, iter_chunk_size=64)
        # aiosqlite has no public way to run several statements in one trip to its thread, and trips are what costs.
        self._in_thread: Callable[..., Awaitable[Any]] = self._thread._execute  # noqa: SLF001 - see above

    def _open(self) -> sqlite3.Connection:
        self._raw = open_connection(self._path, self._access, Durability.FULL)
        return self._raw

    def _run(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        return run_all(self._raw, statements)

    async def open(self) -> None:
        await self._translated(self._thread)

    async def run(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        answers: Sequence[Rows] = await self._translated(self._in_thread(self._run, statements))
        return answers

    async def roll_back(self) -> None:
        await self._translated(self._thread.rollback())

    async def close(self) -> None:
        await self._translated(self._thread.close())

    async def _translated(self, call: Awaitable[Any]) -> Any:
        try:
            with in_our_words(self._path):
                return await call
        except ValueError as error:  # aiosqlite's way to say that the connection is closed
            raise StoreError(f"{self._path}: {error}") from error


async def open_database(path: Path, *, is_read_only: bool = False) -> Database:
    """
    Open the database file in *path*, which exists.

    Raises:
        StoreError: It cannot be opened.
    """
    async with AsyncExitStack() as undo:
        writer = None if is_read_only else await _opened(path, Access.WRITE, undo)
        readers = [await _opened(path, Access.READ, undo) for _ in range(READERS)]
        undo.pop_all()
    return SqliteDatabase(writer, readers)


async def _opened(path: Path, access: Access, undo: AsyncExitStack) -> ThreadConnection:
    connection = ThreadConnection(path, access)
    await connection.open()
    undo.push_async_callback(connection.close)
    return connection
