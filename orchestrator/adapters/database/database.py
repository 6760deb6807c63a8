"""
The seam between our SQL and the engine that runs it.

The store's SQL keeps to what SQLite and PostgreSQL share, and to what is written here.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

SqlValue = str | int | float | None


class Row(Protocol):
    def __getitem__(self, column: str, /) -> Any: ...

    def __hash__(self) -> int: ...


Rows = Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """
    One SQL statement.

    Attributes:
        parameters: What its ``:names`` stand for; names that it does not use are left alone.
        must_match: When it returns no row, the statements after it in the same call are not run.
    """

    sql: str
    parameters: Mapping[str, SqlValue] = field(default_factory=dict)
    must_match: bool = False


class Transaction(Protocol):
    """
    One transaction, used by one task.

    Once a statement has failed, the transaction can only be rolled back.
    """

    async def run(self, *statements: Statement) -> tuple[Rows, ...]:
        """
        Run *statements* one after another in a single trip to the database; their rows, in that order.

        Raises:
            StaleWrite: A unique key is taken: somebody moved first.
            StoreError: It failed; nothing of this transaction will be written.
        """
        ...

    async def rows(self, sql: str, **parameters: SqlValue) -> Rows:
        """Run one statement."""
        ...


class Database(Protocol):
    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """One consistent view, which waits for no writer; a write in it is a StoreError."""
        ...

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """
        One transaction at a time: durable when the block ends, rolled back when it raises or is cancelled.

        A cancellation that arrives during the commit itself leaves the transaction whole or undone. The next writer
        knows which; a reader may for a moment still see what was before.
        """
        ...

    async def close(self) -> None: ...
