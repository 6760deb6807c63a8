"""People as the bot sees them: ``orchestrator.api.PeopleStore`` over the store."""

from orchestrator.api import Forgotten, PeopleStore, Preset
from orchestrator.domain.errors import RequestError
from orchestrator.domain.ids import ImageKey, UserId
from orchestrator.domain.people import CLAIMED_FOR, MOST_BLOCKED, MOST_PRESETS
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.clock import Clock
from orchestrator.ports.store import Books, Store


class People(PeopleStore):
    def __init__(self, store: Store, blobs: Blobs, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock

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

    async def blocked_words(self, place: str) -> tuple[str, ...]:
        async with self._store.reading() as books:
            return await books.people.blocked_words(place)

    async def block_word(self, place: str, word: str) -> None:
        async with self._store.writing() as books:
            if len(await books.people.blocked_words(place)) >= MOST_BLOCKED:
                raise RequestError("too_many_blocked", limit=MOST_BLOCKED)
            await books.people.block_word(place, word)

    async def allow_word(self, place: str, word: str) -> bool:
        async with self._store.writing() as books:
            return await books.people.allow_word(place, word)

    async def place_setting(self, place: str, name: str) -> str:
        async with self._store.reading() as books:
            return await books.people.place_setting(place, name)

    async def set_place_setting(self, place: str, name: str, value: str) -> None:
        async with self._store.writing() as books:
            await books.people.set_place_setting(place, name, value)

    async def claim(self, name: str) -> bool:
        now = self._clock.now()
        async with self._store.writing() as books:
            return await books.people.claim(name, now, since=now - CLAIMED_FOR)

    async def forget(self, user: UserId) -> Forgotten:
        # The files go first: after a crash in between their names are still known, and forgetting again goes on.
        pictures = await self._pictures(user)
        for key in pictures:
            await self._blobs.remove(key)
        async with self._store.writing() as books:
            await _check_nothing_is_under_way(books, user)
            jobs = await books.people.forget(user, self._clock.now())
        return Forgotten(jobs=jobs, pictures=len(pictures))

    async def _pictures(self, user: UserId) -> tuple[ImageKey, ...]:
        async with self._store.reading() as books:
            await _check_nothing_is_under_way(books, user)
            return await books.people.pictures(user)


async def _check_nothing_is_under_way(books: Books, user: UserId) -> None:
    unfinished = await books.jobs.count_unfinished(user)
    if unfinished:
        raise RequestError("still_under_way", unfinished=unfinished)
