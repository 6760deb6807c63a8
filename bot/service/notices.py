"""
Tells what people or admins must hear beside the cards: each once, and again until somebody could be told.

People choose what they want to hear. In their quiet hours news waits; what nobody wants to know any more by then is
left out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bot.chat.model import Note
from bot.chat.surface import ChatSurface, SurfaceUnavailable
from bot.service.desk import Desk
from bot.service.wording import ADMINS_KINDS, Worded, is_stale, kind_of, plain, worded
from orchestrator.api import Notice, UserId

log = logging.getLogger(__name__)

AGAIN_S = 30.0
LIMIT_S = 30.0
MOST_WAITING = 200
"""Untold notices that are held; the others stay unacknowledged and come after the next start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """Attributes: told_on: Where admins were told, while those of another surface are in their quiet hours."""

    notice: Notice
    told_on: set[str] = field(default_factory=set)


async def tell_notices(desk: Desk) -> None:
    """Tell each notice where its person is, or to admins on every surface, until cancelled."""
    waiting: dict[int, _Waiting] = {}
    async with asyncio.TaskGroup() as group:
        news = asyncio.Event()
        group.create_task(_collect(desk.orchestrator.notices(), waiting, news), name="collect notices")
        while True:
            for each in tuple(waiting.values()):
                if await _settled(desk, each):
                    waiting.pop(each.notice.id, None)
            news.clear()
            try:
                async with asyncio.timeout(AGAIN_S if waiting else None):
                    await news.wait()
            except TimeoutError:
                continue


async def _collect(notices: AsyncIterator[Notice], waiting: dict[int, _Waiting], news: asyncio.Event) -> None:
    async for notice in notices:
        if notice.user is None:
            log.warning("%s", plain(notice))
        if len(waiting) < MOST_WAITING:
            waiting[notice.id] = _Waiting(notice=notice)
            news.set()


async def _settled(desk: Desk, waiting: _Waiting) -> bool:
    """Whether it was told at least once, or nobody wants to hear it; only then it is acknowledged."""
    notice = waiting.notice
    is_settled = is_stale(notice, desk.now()) or await (
        _tell_admins(desk, waiting) if notice.user is None else _tell_person(desk, notice, notice.user)
    )
    if is_settled:
        await desk.orchestrator.acknowledge_notice(notice.id)
    return is_settled


# A person.


async def _tell_person(desk: Desk, notice: Notice, user: UserId) -> bool:
    profile = await desk.orchestrator.people.profile(user)
    if kind_of(notice) in profile.muted:
        return True
    if profile.is_quiet(desk.now()):
        return False
    said = await worded(desk, notice)
    if said is None:
        return True
    for account in await _accounts(desk, user, said):
        if await _told_to(desk, account, notice, said):
            return True
    return False


async def _accounts(desk: Desk, user: UserId, said: Worded) -> list[UserId]:
    """Where the person can be told: first where they asked, then wherever else they are."""
    known = [each for each in await desk.orchestrator.people.accounts_of(user) if _surface_of(each) in desk.surfaces]
    own_chat = f"{said.surface}:{said.chat}"  # a private chat is often called as its account is
    return sorted(known, key=lambda account: (_surface_of(account) != said.surface, account != own_chat))


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


async def _tell_admins(desk: Desk, waiting: _Waiting) -> bool:
    """On every surface, leaving out those who do not want it, or not now; one awake admin of a surface is enough."""
    notice, waits = waiting.notice, False
    for name, surface in desk.surfaces.items():
        if name in waiting.told_on:
            continue
        muted, asleep = await _left_out(desk, surface, notice)
        if asleep and not set(surface.admins) - muted - asleep:
            waits = True
            continue
        note = Note(user=None, sentence=plain(notice), topic=notice.topic, leaving_out=muted | asleep)
        if await _tell(surface, note):
            waiting.told_on.add(name)
    return bool(waiting.told_on) and not waits


async def _left_out(desk: Desk, surface: ChatSurface, notice: Notice) -> tuple[frozenset[UserId], frozenset[UserId]]:
    """Admins who do not want to hear of it at all, and those who do, but not now."""
    people, muted, asleep = desk.orchestrator.people, set(), set()
    for admin in surface.admins:
        profile = await people.profile(await people.person_of(admin))
        if ADMINS_KINDS.get(notice.key) in profile.muted:
            muted.add(admin)
        elif profile.is_quiet(desk.now()):
            asleep.add(admin)
    return frozenset(muted), frozenset(asleep)


async def _tell(surface: ChatSurface, note: Note) -> bool:
    try:
        async with asyncio.timeout(LIMIT_S):
            await surface.notify(note)
    except (SurfaceUnavailable, TimeoutError):
        return False
    return True
