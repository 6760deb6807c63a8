"""People as the bot sees them: ``orchestrator.api.PeopleStore`` over the store."""

import contextlib
import hashlib
import secrets

from orchestrator.api import Forgotten, PeopleStore, Preset, Profile
from orchestrator.domain.errors import DiskFull, RequestError
from orchestrator.domain.ids import ImageKey, UserId
from orchestrator.domain.instance import InstanceState
from orchestrator.domain.people import CLAIMED_FOR, LINK_FOR, MOST_ACCOUNTS, MOST_BLOCKED, MOST_NAMESAKES, MOST_PRESETS
from orchestrator.domain.session import SessionState
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.clock import Clock
from orchestrator.ports.store import Books, Store

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""None that is taken for another one."""

LENGTH = 8


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

    async def person_of(self, account: UserId) -> UserId:
        async with self._store.reading() as books:
            return await books.people.person_of(account)

    async def meet(self, account: UserId, name: str) -> UserId:
        async with self._store.reading() as books:
            user, known = await books.people.person_of(account), await books.people.name_of(account)
        if name and name != known:
            with contextlib.suppress(DiskFull):  # a name is no reason to refuse what only reads
                async with self._store.writing() as books:
                    await books.people.put_name(account, name)
        return user

    async def name_of(self, account: UserId) -> str:
        async with self._store.reading() as books:
            return await books.people.name_of(account)

    async def called(self, name: str) -> tuple[UserId, ...]:
        async with self._store.reading() as books:
            accounts = await books.people.called(name, MOST_NAMESAKES)
            return tuple(dict.fromkeys([await books.people.person_of(account) for account in accounts]))

    async def accounts_of(self, user: UserId) -> tuple[UserId, ...]:
        async with self._store.reading() as books:
            return user, *await books.people.accounts_of(user)

    async def offer_link(self, user: UserId) -> str:
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        async with self._store.writing() as books:
            await books.people.put_link_code(user, _hashed(code), self._clock.now() + LINK_FOR)
        return code

    async def link(self, account: UserId, code: str) -> UserId:
        now = self._clock.now()
        async with self._store.writing() as books:  # a refusal takes back that the code was taken
            offered_by = await books.people.take_link_code(_hashed(code), now)
            if offered_by is None:
                raise RequestError("bad_link_code")
            joining, to = await books.people.person_of(account), await books.people.person_of(offered_by)
            if joining == to:
                raise RequestError("linked_already")
            accounts = (*await books.people.accounts_of(joining), *await books.people.accounts_of(to))
            if len(accounts) + 2 > MOST_ACCOUNTS:
                raise RequestError("too_many_accounts", limit=MOST_ACCOUNTS)
            await _check_nothing_is_under_way(books, joining, key="join_under_way")
            await _check_no_machine_lives(books, joining)
            await _close_sessions(books, joining)
            await books.people.join(joining, to, now)
        return to

    async def withdraw_link(self, code: str) -> None:
        async with self._store.writing() as books:
            await books.people.take_link_code(_hashed(code), self._clock.now())

    async def unlink(self, account: UserId) -> None:
        async with self._store.writing() as books:
            if not await books.people.unlink(account):
                raise RequestError("not_linked")

    async def profile(self, user: UserId) -> Profile:
        async with self._store.reading() as books:
            return await books.people.profile(user)

    async def save_profile(self, user: UserId, profile: Profile) -> None:
        async with self._store.writing() as books:
            await books.people.put_profile(user, profile)

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


async def _check_no_machine_lives(books: Books, user: UserId) -> None:
    """
    Make sure that no loop holds a machine of *user*; one that is being ended still costs money.

    Raises:
        RequestError: A machine of theirs is not proved gone yet.
    """
    live = await books.instances.in_states(*sorted(set(InstanceState) - {InstanceState.TERMINATED}))
    if any(instance.user == user for instance in live):
        raise RequestError("machine_is_yours_here")


async def _close_sessions(books: Books, user: UserId) -> None:
    """Close what is open without a machine: two active sessions of one person must not be."""
    for session in [each for each in await books.sessions.not_closed() if each.user == user]:
        if session.state is not SessionState.OPEN:  # its machine is gone; the sessions loop has not seen that yet
            raise RequestError("machine_is_yours_here")
        await books.sessions.change(session, session.moved_to(SessionState.CLOSED), reason="joined")


def _hashed(code: str) -> str:
    """How a code is kept: whoever reads the database cannot use it."""
    return hashlib.sha256(code.strip().upper().encode()).hexdigest()


async def _check_nothing_is_under_way(books: Books, user: UserId, *, key: str = "still_under_way") -> None:
    unfinished = await books.jobs.count_unfinished(user)
    if unfinished:
        raise RequestError(key, unfinished=unfinished)
