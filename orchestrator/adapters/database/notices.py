"""Notices in SQL."""

from datetime import datetime

from orchestrator.adapters.database.database import Statement, Transaction
from orchestrator.adapters.database.rows import notice_from, notice_row, to_micros
from orchestrator.domain.notices import Notice
from orchestrator.ports.store import Notices

ADD = """
    INSERT INTO notice (user_id, key, parameters, topic, at)
    SELECT :user_id, :key, :parameters, :topic, :at
    WHERE NOT EXISTS (SELECT 1 FROM notice WHERE topic = :topic AND at > :unless_since)
    RETURNING id
"""
UNACKNOWLEDGED = "SELECT * FROM notice WHERE acknowledged_at IS NULL ORDER BY id"
ACKNOWLEDGE = "UPDATE notice SET acknowledged_at = :at WHERE id = :id AND acknowledged_at IS NULL"


class SqlNotices(Notices):
    def __init__(self, transaction: Transaction) -> None:
        self._sql = transaction

    async def add(self, notice: Notice, *, unless_since: datetime) -> bool:
        row = notice_row(notice) | {"unless_since": to_micros(unless_since)}
        (added,) = await self._sql.run(Statement(sql=ADD, parameters=row))
        return bool(added)

    async def unacknowledged(self) -> tuple[Notice, ...]:
        return tuple(notice_from(row) for row in await self._sql.rows(UNACKNOWLEDGED))

    async def acknowledge(self, notice: int, at: datetime) -> None:
        await self._sql.rows(ACKNOWLEDGE, id=notice, at=to_micros(at))
