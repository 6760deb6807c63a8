"""Jobs in SQL."""

from dataclasses import replace
from datetime import datetime

from orchestrator.adapters.database.database import Rows, Statement, Transaction
from orchestrator.adapters.database.instance_rows import read_instance
from orchestrator.adapters.database.moves import Chronicle
from orchestrator.adapters.database.rows import JOB_COLUMNS, event_from, from_micros, job_from, job_row, to_micros
from orchestrator.adapters.database.statements import change_row, compare_and_set, insert_into, record
from orchestrator.domain.ids import JobId, SessionId, UserId
from orchestrator.domain.instance import Instance
from orchestrator.domain.job import Job
from orchestrator.domain.session import Session
from orchestrator.ports.clock import Clock
from orchestrator.ports.store import Asked, Details, Jobs

INSERT = insert_into("job", JOB_COLUMNS)
UPDATE = compare_and_set("job", JOB_COLUMNS)
GET = "SELECT * FROM job WHERE id = :id"
BY_KEY = "SELECT * FROM job WHERE idempotency_key = :key"
UNFINISHED = """
    SELECT * FROM job
    WHERE session_id = :session AND state IN ('QUEUED', 'RUNNING')
    ORDER BY submitted_at, id
"""
RUNNING = "SELECT * FROM job WHERE state = 'RUNNING' ORDER BY submitted_at, id"

# The machines come first: there are few, and each finds its own session's oldest job by an index.
# Two machines of one session (a hedge in flight) name the same job; the one that got ready first gets it.
_NEXT_JOBS = """
    FROM instance JOIN job ON job.id = (
        SELECT oldest.id FROM job AS oldest
        WHERE oldest.session_id = instance.session_id AND oldest.state = 'QUEUED'
        ORDER BY oldest.submitted_at, oldest.id LIMIT 1
    )
    WHERE instance.state = 'READY' AND NOT EXISTS (
        SELECT 1 FROM job AS current WHERE current.instance_id = instance.id AND current.state = 'RUNNING'
    )
    ORDER BY job.submitted_at, job.id, instance.ready_at, instance.id
    LIMIT :limit
"""
NEXT_JOBS = f"SELECT job.* {_NEXT_JOBS}"
THEIR_INSTANCES = f"SELECT instance.* {_NEXT_JOBS}"
BRIDGEABLE = """
    SELECT * FROM job
    WHERE state = 'QUEUED' AND NOT EXISTS (
        SELECT 1 FROM instance WHERE instance.session_id = job.session_id AND instance.state = 'READY'
    )
    ORDER BY submitted_at, id
    LIMIT :limit
"""
BEHIND = BRIDGEABLE.replace("NOT EXISTS", "EXISTS")
PAGE = """
    SELECT * FROM job
    WHERE (submitted_at, id) < (:at, :id) AND forgotten_at IS NULL
    ORDER BY submitted_at DESC, id DESC LIMIT :limit
"""
PAGE_OF_USER = """
    SELECT * FROM job
    WHERE user_id = :user AND (submitted_at, id) < (:at, :id) AND forgotten_at IS NULL
    ORDER BY submitted_at DESC, id DESC LIMIT :limit
"""
SINCE = """
    SELECT * FROM job
    WHERE (submitted_at, id) > (:at, :id)
    ORDER BY submitted_at, id LIMIT :limit
"""
FIRST_EVENT = "SELECT * FROM event WHERE subject = :subject ORDER BY id LIMIT 1"
ASKED = """
    SELECT id, submitted_at, user_id, surface FROM job
    WHERE (submitted_at, id) > (:at, :id) AND forgotten_at IS NULL
    ORDER BY submitted_at, id LIMIT :limit
"""
UNACKNOWLEDGED = """
    SELECT * FROM job
    WHERE ended_at IS NOT NULL AND acknowledged_at IS NULL
    ORDER BY ended_at, id
"""
COUNT = "SELECT COUNT(*) AS number FROM job WHERE state IN ('QUEUED', 'RUNNING')"
COUNT_OF_USER = "SELECT COUNT(*) AS number FROM job WHERE user_id = :user AND state IN ('QUEUED', 'RUNNING')"
COUNT_IMAGES = """
    SELECT COALESCE(SUM(image_count), 0) AS number FROM (
        SELECT session_id, image_count FROM job
        WHERE user_id = :user AND forgotten_at IS NULL
        ORDER BY submitted_at DESC, id DESC LIMIT :limit
    ) AS newest
    WHERE session_id = :session
"""

_AFTER_EVERY_JOB = (2**63 - 1, "")
_BEFORE_EVERY_JOB = (-(2**63), "")


class SqlJobs(Jobs):
    def __init__(self, transaction: Transaction, clock: Clock) -> None:
        self._sql = transaction
        self._chronicle = Chronicle("job", clock)

    async def add(self, job: Job, *, reason: str, details: Details | None = None) -> None:
        event = self._chronicle.began(job, reason, details)
        await self._sql.run(Statement(sql=INSERT, parameters=job_row(job)), record(event))

    async def get(self, job: JobId) -> Job | None:
        return _first(await self._sql.rows(GET, id=job))

    async def by_key(self, idempotency_key: str) -> Job | None:
        return _first(await self._sql.rows(BY_KEY, key=idempotency_key))

    async def change(self, before: Job, after: Job, *, reason: str, details: Details | None = None) -> Job:
        row = job_row(after) | {"version": before.version}
        event = self._chronicle.moved(before, after, reason, details)
        written = await change_row(self._sql, Statement(sql=UPDATE, parameters=row, must_match=True), event)
        return replace(after, version=written["version"])

    async def unfinished(self, session: SessionId) -> tuple[Job, ...]:
        return _all(await self._sql.rows(UNFINISHED, session=session))

    async def running(self) -> tuple[Job, ...]:
        return _all(await self._sql.rows(RUNNING))

    async def dispatchable(self, limit: int) -> tuple[tuple[Job, Instance], ...]:
        jobs, instances = await self._sql.run(
            Statement(sql=NEXT_JOBS, parameters={"limit": limit}),
            Statement(sql=THEIR_INSTANCES, parameters={"limit": limit}),
        )
        pairs: dict[JobId, tuple[Job, Instance]] = {}
        for job_columns, instance_columns in zip(jobs, instances, strict=True):
            pairs.setdefault(job_columns["id"], (job_from(job_columns), read_instance(instance_columns)))
        return tuple(pairs.values())

    async def bridgeable(self, limit: int) -> tuple[Job, ...]:
        return _all(await self._sql.rows(BRIDGEABLE, limit=limit))

    async def behind(self, limit: int) -> tuple[Job, ...]:
        return _all(await self._sql.rows(BEHIND, limit=limit))

    async def page(self, *, user: UserId | None, before: JobId | None, limit: int) -> tuple[Job, ...]:
        place = _AFTER_EVERY_JOB if before is None else await self._place(before)
        if place is None:
            return ()
        at, job = place
        if user is None:
            return _all(await self._sql.rows(PAGE, at=at, id=job, limit=limit))
        return _all(await self._sql.rows(PAGE_OF_USER, user=user, at=at, id=job, limit=limit))

    async def _place(self, job: JobId) -> tuple[int, str] | None:
        """Where *job* stands in the order of submission."""
        rows = await self._sql.rows(GET, id=job)
        return (rows[0]["submitted_at"], job) if rows else None

    async def since(self, at: datetime, *, after: Job | None, limit: int) -> tuple[Job, ...]:
        moment, job = (to_micros(at), "") if after is None else (to_micros(after.submitted_at), after.id)
        return _all(await self._sql.rows(SINCE, at=moment, id=job, limit=limit))

    async def decision(self, job: JobId) -> Details:
        rows = await self._sql.rows(FIRST_EVENT, subject=job)
        return event_from(rows[0]).details if rows else {}

    async def asked(self, *, after: Asked | None, limit: int) -> tuple[Asked, ...]:
        at, job = _BEFORE_EVERY_JOB if after is None else (to_micros(after.at), after.job)
        rows = await self._sql.rows(ASKED, at=at, id=job, limit=limit)
        return tuple(
            Asked(job=row["id"], at=from_micros(row["submitted_at"]), user=row["user_id"], surface=row["surface"])
            for row in rows
        )

    async def unacknowledged(self) -> tuple[Job, ...]:
        return _all(await self._sql.rows(UNACKNOWLEDGED))

    async def count_unfinished(self, user: UserId | None) -> int:
        rows = await (self._sql.rows(COUNT) if user is None else self._sql.rows(COUNT_OF_USER, user=user))
        return int(rows[0]["number"])

    async def count_images(self, session: Session, *, of_last: int) -> int:
        rows = await self._sql.rows(COUNT_IMAGES, user=session.user, session=session.id, limit=of_last)
        return int(rows[0]["number"])


def _first(rows: Rows) -> Job | None:
    return job_from(rows[0]) if rows else None


def _all(rows: Rows) -> tuple[Job, ...]:
    return tuple(job_from(row) for row in rows)
