"""Sessions in SQL."""

from dataclasses import replace
from datetime import datetime

from orchestrator.adapters.database import instances, jobs
from orchestrator.adapters.database.database import Rows, Statement, Transaction
from orchestrator.adapters.database.instance_rows import read_instance
from orchestrator.adapters.database.moves import Chronicle
from orchestrator.adapters.database.rows import (
    SESSION_COLUMNS,
    job_from,
    read_session,
    session_row,
    time_or_none,
    to_micros,
)
from orchestrator.adapters.database.statements import change_row, compare_and_set, insert_into, record
from orchestrator.domain.ids import SessionId, UserId
from orchestrator.domain.job import Job
from orchestrator.domain.session import Session
from orchestrator.domain.snapshot import SessionSnapshot
from orchestrator.ports.clock import Clock
from orchestrator.ports.store import Details, Sessions

INSERT = insert_into("session", SESSION_COLUMNS)
UPDATE = compare_and_set("session", SESSION_COLUMNS)
GET = "SELECT * FROM session WHERE id = :session"
ACTIVE_OF = "SELECT * FROM session WHERE user_id = :user AND state IN ('OPEN', 'WARMING', 'WARM')"
NOT_CLOSED = "SELECT * FROM session WHERE state <> 'CLOSED' ORDER BY opened_at, id"
BUSY = "SELECT DISTINCT session_id FROM job WHERE state IN ('QUEUED', 'RUNNING') ORDER BY session_id"
BRIDGED = """
    SELECT job.* FROM session JOIN job ON job.id = session.bridged_job
    WHERE session.bridged_job IS NOT NULL AND session.state <> 'CLOSED'
    ORDER BY session.id
"""
DUE = "SELECT * FROM session WHERE state <> 'CLOSED' AND due_at <= :now ORDER BY due_at, id LIMIT :limit"
NEXT_DUE = "SELECT MIN(due_at) AS at FROM session WHERE state <> 'CLOSED'"
TOUCH = "UPDATE session SET due_at = :due_at WHERE id = :id AND (due_at IS NULL OR due_at > :due_at)"


class SqlSessions(Sessions):
    def __init__(self, transaction: Transaction, clock: Clock) -> None:
        self._sql = transaction
        self._chronicle = Chronicle("session", clock)

    async def add(self, session: Session, *, reason: str) -> None:
        event = self._chronicle.began(session, reason)
        await self._sql.run(Statement(sql=INSERT, parameters=session_row(session)), record(event))

    async def get(self, session: SessionId) -> Session | None:
        return _first(await self._sql.rows(GET, session=session))

    async def change(self, before: Session, after: Session, *, reason: str, details: Details | None = None) -> Session:
        row = session_row(after) | {"version": before.version}
        event = self._chronicle.moved(before, after, reason, details)
        written = await change_row(self._sql, Statement(sql=UPDATE, parameters=row, must_match=True), event)
        return replace(after, version=written["version"])

    async def active_of(self, user: UserId) -> Session | None:
        return _first(await self._sql.rows(ACTIVE_OF, user=user))

    async def not_closed(self) -> tuple[Session, ...]:
        return _all(await self._sql.rows(NOT_CLOSED))

    async def bridged(self) -> tuple[Job, ...]:
        return tuple(job_from(row) for row in await self._sql.rows(BRIDGED))

    async def busy(self) -> tuple[SessionId, ...]:
        return tuple(SessionId(row["session_id"]) for row in await self._sql.rows(BUSY))

    async def due(self, now: datetime, limit: int) -> tuple[Session, ...]:
        return _all(await self._sql.rows(DUE, now=to_micros(now), limit=limit))

    async def next_due_at(self) -> datetime | None:
        return time_or_none((await self._sql.rows(NEXT_DUE))[0]["at"])

    async def touch(self, session: SessionId, due_at: datetime) -> None:
        await self._sql.rows(TOUCH, id=session, due_at=to_micros(due_at))

    async def snapshot(self, session: SessionId) -> SessionSnapshot | None:
        of_session = {"session": session}
        found, *rest = await self._sql.run(
            Statement(sql=GET, parameters=of_session, must_match=True),
            Statement(sql=jobs.UNFINISHED, parameters=of_session),
            Statement(sql=instances.OF_SESSION, parameters=of_session),
            Statement(sql=instances.GIVEN_UP_LAST, parameters=of_session),
        )
        if not found:
            return None
        unfinished, live, ended = rest
        return SessionSnapshot(
            session=read_session(found[0]),
            jobs=tuple(job_from(row) for row in unfinished),
            instances=tuple(read_instance(row) for row in live),
            last_end=read_instance(ended[0]) if ended else None,
        )


def _first(rows: Rows) -> Session | None:
    return read_session(rows[0]) if rows else None


def _all(rows: Rows) -> tuple[Session, ...]:
    return tuple(read_session(row) for row in rows)
