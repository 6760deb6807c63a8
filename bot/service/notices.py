"""
Tells what people or admins must hear beside the cards: each once, and again until somebody could be told.

People choose what they want to hear. In their quiet hours news waits; what nobody wants to know any more by then is
left out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator

from bot.chat.model import Note
from bot.chat.surface import ChatSurface, SurfaceUnavailable
from bot.service.desk import Desk
from bot.service.wording import ADMINS_KINDS, Worded, is_stale, kind_of, plain, worded
from orchestrator.api import Notice, Profile, UserId

log = logging.getLogger(__name__)

AGAIN_S = 30.0
LIMIT_S = 30.0
MOST_WAITING = 200
"""Untold notices that are held; the others stay unacknowledged and come after the next start."""


async def tell_notices(desk: Desk) -> None:
    """Tell each notice where its person is, or to admins on every surface, until cancelled."""
    waiting: dict[int, Notice] = {}
    async with asyncio.TaskGroup() as group:
        news = asyncio.Event()
        group.create_task(_collect(desk.orchestrator.notices(), waiting, news), name="collect notices")
        while True:
            for notice in tuple(waiting.values()):
                if await _settled(desk, notice):
                    waiting.pop(notice.id, None)
            news.clear()
            try:
                async with asyncio.timeout(AGAIN_S if waiting else None):
                    await news.wait()
            except TimeoutError:
                continue


async def _collect(notices: AsyncIterator[Notice], waiting: dict[int, Notice], news: asyncio.Event) -> None:
    async for notice in notices:
        if notice.user is None:
            log.warning("%s", plain(notice))
        if len(waiting) < MOST_WAITING:
            waiting[notice.id] = notice
            news.set()


async def _settled(desk: Desk, notice: Notice) -> bool:
    """Whether it was told at least once, or nobody wants to hear it; only then it is acknowledged."""
    told = await (_tell_admins(desk, notice) if notice.user is None else _tell_person(desk, notice, notice.user))
    if told:
        await desk.orchestrator.acknowledge_notice(notice.id)
    return told


# A person.


async def _tell_person(desk: Desk, notice: Notice, user: UserId) -> bool:
    profile = await desk.orchestrator.people.profile(user)
    if kind_of(notice) in profile.muted or is_stale(notice, desk.now()):
        return True
    if profile.is_quiet(desk.now()):
        return False
    said = await worded(desk, notice)
    if said is None:
        return True
    for account in await _accounts(desk, user, said.surface):
        if await _told_to(desk, account, notice, said):
            return True
    return False


async def _accounts(desk: Desk, user: UserId, surface: str) -> list[UserId]:
    """Where the person can be told: first where they asked, then wherever else they are."""
    known = [each for each in await desk.orchestrator.people.accounts_of(user) if _surface_of(each) in desk.surfaces]
    return sorted(known, key=lambda account: _surface_of(account) != surface)


async def _told_to(desk: Desk, account: UserId, notice: Notice, said: Worded) -> bool:
    name = _surface_of(account)
    surface = desk.surfaces[name]
    note = Note(
        user=account,
        sentence=said.sentence(surface.voice),
        topic=notice.topic,
        buttons=said.buttons,
        chat=said.chat if name == said.surface else "",
    )
    return await _tell(surface, note)


def _surface_of(account: UserId) -> str:
    return account.partition(":")[0]


# Admins.


async def _tell_admins(desk: Desk, notice: Notice) -> bool:
    """On every surface, leaving out those who do not want it, or not now; one who was told is enough."""
    results = []
    for surface in desk.surfaces.values():
        left_out = frozenset([admin for admin in surface.admins if await _wants_not(desk, admin, notice)])
        note = Note(user=None, sentence=plain(notice), topic=notice.topic, leaving_out=left_out)
        results.append(await _tell(surface, note))
    return any(results)


async def _wants_not(desk: Desk, admin: UserId, notice: Notice) -> bool:
    people = desk.orchestrator.people
    profile: Profile = await people.profile(await people.person_of(admin))
    return ADMINS_KINDS.get(notice.key) in profile.muted or profile.is_quiet(desk.now())


async def _tell(surface: ChatSurface, note: Note) -> bool:
    try:
        async with asyncio.timeout(LIMIT_S):
            await surface.notify(note)
    except (SurfaceUnavailable, TimeoutError):
        return False
    return True
