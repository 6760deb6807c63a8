"""What people keep, in SQL."""

from orchestrator.adapters.database.database import Transaction
from orchestrator.domain.ids import UserId
from orchestrator.domain.people import Preset
from orchestrator.ports.store import People

PRESETS = "SELECT name, options FROM preset WHERE user_id = :user ORDER BY name"
PUT_PRESET = """
    INSERT INTO preset (user_id, name, options) VALUES (:user, :name, :options)
    ON CONFLICT (user_id, name) DO UPDATE SET options = excluded.options
"""
REMOVE_PRESET = "DELETE FROM preset WHERE user_id = :user AND name = :name RETURNING name"


class SqlPeople(People):
    def __init__(self, transaction: Transaction) -> None:
        self._sql = transaction

    async def presets(self, user: UserId) -> tuple[Preset, ...]:
        rows = await self._sql.rows(PRESETS, user=user)
        return tuple(Preset(name=row["name"], options=row["options"]) for row in rows)

    async def put_preset(self, user: UserId, preset: Preset) -> None:
        await self._sql.rows(PUT_PRESET, user=user, name=preset.name, options=preset.options)

    async def remove_preset(self, user: UserId, name: str) -> bool:
        return bool(await self._sql.rows(REMOVE_PRESET, user=user, name=name))
