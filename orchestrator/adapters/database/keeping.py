"""What is kept for a while only, in SQL."""

import json
from datetime import datetime

from orchestrator.adapters.database.database import Rows, Statement, Transaction
from orchestrator.adapters.database.rows import from_micros, to_micros
from orchestrator.domain.ids import ImageKey, JobId
from orchestrator.domain.policy.keeping import Kept
from orchestrator.ports.store import Keeping

# Read now and then; the index has them in their order. Of the forgotten there is nothing left to drop.
PICTURES = """
    SELECT id, ended_at, images FROM job
    WHERE state = 'SUCCEEDED' AND ended_at >= :first AND forgotten_at IS NULL
    ORDER BY ended_at
"""
SOURCES = "SELECT source FROM job WHERE state IN ('QUEUED', 'RUNNING') AND source IS NOT NULL"
UNTOLD = "SELECT images FROM job WHERE ended_at >= :since AND ended_at IS NOT NULL AND acknowledged_at IS NULL"
DROP = "UPDATE job SET images = '[]', version = version + 1 WHERE id = :job AND state = 'SUCCEEDED'"
FORGET_EVENTS = """
    DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < :before ORDER BY at LIMIT :limit) RETURNING id
"""
# Ids grow with time, so the oldest are the first.
FORGET_NOTICES = """
    DELETE FROM notice
    WHERE id IN (SELECT id FROM notice WHERE id > 0 ORDER BY id LIMIT :limit)
        AND at < :before AND acknowledged_at IS NOT NULL
    RETURNING id
"""
FORGET_CLAIMS = """
    DELETE FROM claim WHERE name IN (SELECT name FROM claim WHERE at < :before ORDER BY at LIMIT :limit) RETURNING name
"""


class SqlKeeping(Keeping):
    def __init__(self, transaction: Transaction) -> None:
        self._sql = transaction

    async def pictures(self) -> tuple[Kept, ...]:
        rows = await self._sql.rows(PICTURES, first=0)
        jobs = [
            Kept(job=JobId(row["id"]), ended_at=from_micros(row["ended_at"]), images=_keys([row["images"]]))
            for row in rows
        ]
        return tuple(job for job in jobs if job.images)

    async def needed(self, since: datetime) -> frozenset[ImageKey]:
        sources, untold = await self._sql.run(
            Statement(sql=SOURCES, parameters={}),
            Statement(sql=UNTOLD, parameters={"since": to_micros(since)}),
        )
        return frozenset(ImageKey(row["source"]) for row in sources) | _keys([row["images"] for row in untold])

    async def drop_pictures(self, jobs: tuple[JobId, ...]) -> None:
        await self._sql.run(*(Statement(sql=DROP, parameters={"job": job}) for job in jobs))

    async def forget_events(self, before: datetime, limit: int) -> int:
        return await self._forgotten(FORGET_EVENTS, before, limit)

    async def forget_notices(self, before: datetime, limit: int) -> int:
        return await self._forgotten(FORGET_NOTICES, before, limit)

    async def forget_claims(self, before: datetime, limit: int) -> int:
        return await self._forgotten(FORGET_CLAIMS, before, limit)

    async def _forgotten(self, sql: str, before: datetime, limit: int) -> int:
        rows: Rows = await self._sql.rows(sql, before=to_micros(before), limit=limit)
        return len(rows)


def _keys(lists: list[str]) -> frozenset[ImageKey]:
    return frozenset(ImageKey(key) for images in lists for key in json.loads(images))
