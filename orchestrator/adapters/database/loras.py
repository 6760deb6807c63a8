"""LoRAs that people have added, in SQL."""

from orchestrator.adapters.database.database import Row, Transaction
from orchestrator.domain.ids import UserId
from orchestrator.domain.loras import EVERYBODY, AddedLora, LoraFile
from orchestrator.ports.store import Loras

OF = "SELECT * FROM lora WHERE user_id = :user ORDER BY name"
NAMED = "SELECT * FROM lora WHERE user_id = :user AND name = :name"
PUT = """
    INSERT INTO lora (user_id, name, url, size_bytes, sha256, strength, triggers)
    VALUES (:user, :name, :url, :size_bytes, :sha256, :strength, :triggers)
    ON CONFLICT (user_id, name) DO NOTHING
    RETURNING name
"""
REMOVE = "DELETE FROM lora WHERE user_id = :user AND name = :name RETURNING name"


class SqlLoras(Loras):
    def __init__(self, transaction: Transaction) -> None:
        self._sql = transaction

    async def of(self, user: UserId) -> tuple[AddedLora, ...]:
        return tuple(_lora(row) for row in await self._sql.rows(OF, user=user))

    async def find(self, user: UserId, name: str) -> AddedLora | None:
        rows = [row for owner in (user, EVERYBODY) for row in await self._sql.rows(NAMED, user=owner, name=name)]
        return _lora(rows[0]) if rows else None

    async def add(self, user: UserId, lora: AddedLora) -> bool:
        return bool(
            await self._sql.rows(
                PUT,
                user=user,
                name=lora.name,
                url=lora.file.url,
                size_bytes=lora.file.size_bytes,
                sha256=lora.file.sha256,
                strength=lora.strength,
                triggers=lora.triggers,
            )
        )

    async def remove(self, user: UserId, name: str) -> bool:
        return bool(await self._sql.rows(REMOVE, user=user, name=name))


def _lora(row: Row) -> AddedLora:
    return AddedLora(
        name=row["name"],
        file=LoraFile(url=row["url"], size_bytes=row["size_bytes"], sha256=row["sha256"]),
        strength=row["strength"],
        triggers=row["triggers"],
        is_shared=row["user_id"] == EVERYBODY,
    )
