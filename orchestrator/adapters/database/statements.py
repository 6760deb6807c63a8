"""Statements that every table with versions needs: insert, compare-and-set, and the event of a move."""

from collections.abc import Sequence

from orchestrator.adapters.database.database import Row, Statement, Transaction
from orchestrator.adapters.database.rows import event_row
from orchestrator.domain.errors import StaleWrite
from orchestrator.ports.store import Event

_EVENT = """
    INSERT INTO event (at, kind, subject, before, after, reason, details)
    VALUES (:at, :kind, :subject, :before, :after, :reason, :details)
"""


def insert_into(table: str, columns: Sequence[str]) -> str:
    names, values = ", ".join(columns), ", ".join(f":{column}" for column in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({values})"  # noqa: S608 - names are constants of this package


def compare_and_set(table: str, columns: Sequence[str]) -> str:
    """Write a whole row, one version on, if it still has the version that was read."""
    written = ", ".join(f"{column} = :{column}" for column in columns if column not in {"id", "version"})
    return (
        f"UPDATE {table} SET {written}, version = version + 1 "  # noqa: S608 - names are constants of this package
        "WHERE id = :id AND version = :version RETURNING version"
    )


def record(event: Event) -> Statement:
    return Statement(sql=_EVENT, parameters=event_row(event))


async def change_row(transaction: Transaction, update: Statement, event: Event | None) -> Row:
    """
    Run a compare-and-set and, only if it matched, record the move.

    Raises:
        StaleWrite: Another version is there, or no such row.
    """
    rest = [] if event is None else [record(event)]
    changed, *_ = await transaction.run(update, *rest)
    if not changed:
        subject, version = update.parameters["id"], update.parameters["version"]
        raise StaleWrite(f"{subject} has moved on since version {version} was read")
    return changed[0]
