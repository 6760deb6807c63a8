"""Brings a database to the schema of this code, one numbered file after another, each in one transaction."""

import sqlite3
from dataclasses import dataclass
from importlib.resources import files

from orchestrator.adapters.database.database import Database, Statement, Transaction
from orchestrator.adapters.database.rows import to_micros
from orchestrator.domain.errors import StoreError
from orchestrator.ports.clock import Clock

_LOG_TABLE = Statement(
    sql="""
    CREATE TABLE IF NOT EXISTS schema_migration (
        version INTEGER NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        applied_at INTEGER NOT NULL
    ) STRICT
    """,
)
_NEWEST = "SELECT COALESCE(MAX(version), 0) AS version FROM schema_migration"
_RECORD = "INSERT INTO schema_migration (version, name, applied_at) VALUES (:version, :name, :applied_at)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    version: int
    name: str
    script: str


def shipped() -> tuple[Migration, ...]:
    """The migrations that come with this code, oldest first."""
    folder = files("orchestrator.adapters.database") / "migrations"
    found = sorted((entry.name, entry) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(
        Migration(version=int(name[:4]), name=name.removesuffix(".sql"), script=entry.read_text("utf-8"))
        for name, entry in found
    )


async def migrate(database: Database, clock: Clock, migrations: tuple[Migration, ...]) -> None:
    """
    Run whatever has not been run on *database* yet.

    Raises:
        StoreError: The database is newer than this code.
    """
    known = migrations[-1].version
    async with database.writing() as transaction:
        await transaction.run(_LOG_TABLE)
        found = await _version(transaction)
    if found > known:
        raise _newer(found, known)
    for migration in migrations:
        if migration.version > found:
            await _apply(database, migration, clock)


async def check_version(database: Database, migrations: tuple[Migration, ...]) -> None:
    """
    Make sure that this code can read *database* as it is.

    Raises:
        StoreError: It is older or newer.
    """
    known = migrations[-1].version
    async with database.reading() as transaction:
        found = await _version(transaction)
    if found > known:
        raise _newer(found, known)
    if found < known:
        raise StoreError(
            f"the database has schema {found} and this glowplug needs {known}: start the bot once, it upgrades it"
        )


def _newer(found: int, known: int) -> StoreError:
    return StoreError(
        f"the database was written by a newer glowplug (schema {found}; this one knows up to {known}): "
        "install that version again, or restore a backup from before the upgrade"
    )


async def _version(transaction: Transaction) -> int:
    return int((await transaction.rows(_NEWEST))[0]["version"])


async def _apply(database: Database, migration: Migration, clock: Clock) -> None:
    record = Statement(
        sql=_RECORD,
        parameters={"version": migration.version, "name": migration.name, "applied_at": to_micros(clock.now())},
    )
    async with database.writing() as transaction:
        await transaction.run(*split(migration.script), record)


def split(script: str) -> list[Statement]:
    """Cut a script into its statements; a statement ends with a semicolon at the end of a line."""
    statements: list[Statement] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(pending):
            statements.append(Statement(sql=pending))
            pending = ""
    return statements
