"""People as the bot sees them: ``orchestrator.api.PeopleStore`` over the store."""

from orchestrator.api import PeopleStore, Preset
from orchestrator.domain.errors import RequestError
from orchestrator.domain.ids import UserId
from orchestrator.domain.people import MOST_PRESETS
from orchestrator.ports.store import Store


class People(PeopleStore):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def presets(self, user: UserId) -> tuple[Preset, ...]:
        async with self._store.reading() as books:
            return await books.people.presets(user)

    async def save_preset(self, user: UserId, preset: Preset) -> None:
        async with self._store.writing() as books:
            others = [known for known in await books.people.presets(user) if known.name != preset.name]
            if len(others) >= MOST_PRESETS:
                raise RequestError("too_many_presets", limit=MOST_PRESETS)
            await books.people.put_preset(user, preset)

    async def remove_preset(self, user: UserId, name: str) -> bool:
        async with self._store.writing() as books:
            return await books.people.remove_preset(user, name)
