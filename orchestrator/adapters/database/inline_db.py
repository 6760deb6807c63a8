"""The database of simulated worlds: the same SQL on the same engine, in the event loop's own thread."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from orchestrator.adapters.database.database import Rows, Statement
from orchestrator.adapters.database.sqlite import (
    SQLITE_ERRORS,
    Access,
    Durability,
    in_our_words,
    open_connection,
    run_one,
    store_error,
)
from orchestrator.adapters.database.transactions import Connection, SqliteDatabase

READERS = 3

BeforeStatement = Callable[[Statement], Awaitable[None]]
"""Awaited before each statement: a world may wait here, raise a StoreError, or end."""


async def at_once(_: Statement) -> None:
    """Neither wait nor fail."""


class InlineConnection(Connection):
    def __init__(self, path: Path, access: Access, before_statement: BeforeStatement) -> None:
        self._path = path
        self._before_statement = before_statement
        self._raw = open_connection(path, access, Durability.OFF)
        self._is_open = True

    async def run(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        answers: list[Rows] = []
        try:
            for statement in statements:
                await self._before_statement(statement)
                answers.append(run_one(self._raw, statement))
                if statement.must_match and not answers[-1]:
                    break
        except SQLITE_ERRORS as error:
            raise store_error(error, self._path) from error
        return answers

    async def roll_back(self) -> None:
        if self._is_open:  # what is left of a process that was killed undoes nothing
            try:
                self._raw.rollback()
            except SQLITE_ERRORS as error:
                raise store_error(error, self._path) from error

    async def close(self) -> None:
        self.abandon()

    def abandon(self) -> None:
        """As the end of its process leaves it: what was not committed is undone."""
        self._is_open = False
        self._raw.close()


class InlineDatabase(SqliteDatabase):
    def __init__(self, writer: InlineConnection, readers: Sequence[InlineConnection]) -> None:
        super().__init__(writer, readers)
        self._connections = (writer, *readers)

    def abandon(self) -> None:
        """What SIGKILL does to the process that has it open."""
        for connection in self._connections:
            connection.abandon()


def open_database(path: Path, *, before_statement: BeforeStatement = at_once) -> InlineDatabase:
    """
    Open the database file in *path*, which exists. What is written outlives the process, but no power cut.

    Raises:
        StoreError: It cannot be opened.
    """
    with in_our_words(path):
        writer = InlineConnection(path, Access.WRITE, before_statement)
        readers = [InlineConnection(path, Access.READ, before_statement) for _ in range(READERS)]
    return InlineDatabase(writer, readers)
