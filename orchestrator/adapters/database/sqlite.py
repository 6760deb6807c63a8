"""What both SQLite databases share: how a connection is opened, how statements run, what errors mean."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from orchestrator.adapters.database.database import Rows, Statement
from orchestrator.domain.errors import DiskFull, StaleWrite, StoreError

BUSY_TIMEOUT_MS = 5_000
"""How long a statement waits for another process, such as a backup, before it fails."""

CACHED_STATEMENTS = 256
"""More than the store has, so that each is compiled once a connection."""


class Access(StrEnum):
    """What a connection is for."""

    WRITE = "write"
    READ = "read"


class Durability(StrEnum):
    """SQLite's ``synchronous``: FULL outlives a power cut, OFF is for worlds that have none."""

    FULL = "FULL"
    OFF = "OFF"


def open_connection(path: Path, access: Access, durability: Durability) -> sqlite3.Connection:
    """
    Open the database in *path*, which exists.

    Transactions are begun by statements of ours; Python's own implicit ones are off.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, cached_statements=CACHED_STATEMENTS
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if access is Access.READ:
            connection.execute("PRAGMA query_only = ON")
        else:
            _prepare_writer(connection, durability)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare_writer(connection: sqlite3.Connection, durability: Durability) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("this file system cannot hold a database in WAL mode; use a local disk")
    connection.execute(f"PRAGMA synchronous = {durability}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # words that a person had forgotten are not left in free pages


def run_one(connection: sqlite3.Connection, statement: Statement) -> Rows:
    return connection.execute(statement.sql, statement.parameters).fetchall()


def run_all(connection: sqlite3.Connection, statements: Sequence[Statement]) -> list[Rows]:
    """Run *statements* until one that must match does not."""
    answers: list[Rows] = []
    for statement in statements:
        answers.append(run_one(connection, statement))
        if statement.must_match and not answers[-1]:
            break
    return answers


_SENTENCES = {
    "SQLITE_FULL": "the disk is full; make room",
    "SQLITE_BUSY": "another program keeps the database busy",
    "SQLITE_LOCKED": "another program keeps the database busy",
    "SQLITE_READONLY": "it cannot be written; check who owns the file and whether the disk is mounted read-only",
    "SQLITE_IOERR": "the disk reports an error",
    "SQLITE_CORRUPT": "the file is damaged; restore a backup",
    "SQLITE_NOTADB": "the file is no database; move it away or restore a backup",
    "SQLITE_CANTOPEN": "it cannot be opened; check that the folder exists and who owns it",
}

_TAKEN = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}


SQLITE_ERRORS = (sqlite3.Error, sqlite3.Warning)


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    """Let no error of sqlite3's own out."""
    try:
        yield
    except SQLITE_ERRORS as error:
        raise store_error(error, path) from error


def store_error(error: sqlite3.Error | sqlite3.Warning, path: Path) -> StoreError:
    """Put what SQLite says into our words; its result codes are listed at https://sqlite.org/rescode.html."""
    code: str = getattr(error, "sqlite_errorname", "")
    if code in _TAKEN:
        return StaleWrite(f"{path}: somebody was faster ({error})")
    sentence = next((text for name, text in _SENTENCES.items() if code.startswith(name)), None)
    if code.startswith("SQLITE_FULL"):
        return DiskFull(f"{path}: {sentence} ({code}: {error})")
    detail = f"{code or type(error).__name__}: {error}"
    return StoreError(f"{path}: {sentence} ({detail})" if sentence else f"{path}: {detail}")
