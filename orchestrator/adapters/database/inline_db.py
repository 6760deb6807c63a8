"""The database of simulated worlds: the same SQL on the same engine, in the event loop's own thread."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from orchestrator.adapters.database.database import Database, Rows, Statement
from orchestrator.adapters.database.sqlite import Access, Durability, open_connection, run_one, store_error
from orchestrator.adapters.database.transactions import Connection, SqliteDatabase

READERS = 3

BeforeStatement = Callable[[], Awaitable[None]]
"""Awaited before each statement: a world may wait here, raise a StoreError, or end."""


async def at_once() -> None:
    """Neither wait nor fail."""


class InlineConnection(Connection):
    def __init__(self, path: Path, access: Access, before_statement: BeforeStatement) -> None:
        self._path = path
        self._before_statement = before_statement
        self._raw = open_connection(path, access, Durability.OFF)

    async def run(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        answers: list[Rows] = []
        for statement in statements:
            await self._before_statement()
            try:
                answers.append(run_one(self._raw, statement))
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise store_error(error, self._path) from error
            if statement.must_match and not answers[-1]:
                break
        return answers

    async def roll_back(self) -> None:
        self._raw.rollback()

    async def close(self) -> None:
        self._raw.close()


def open_database(path: Path, *, before_statement: BeforeStatement = at_once) -> Database:
    """
    Open the database file in *path*, which exists. What is written outlives the process, but no power cut.

    Raises:
        StoreError: It cannot be opened.
    """
    try:
        writer = InlineConnection(path, Access.WRITE, before_statement)
        readers = [InlineConnection(path, Access.READ, before_statement) for _ in range(READERS)]
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    return SqliteDatabase(writer, readers)
