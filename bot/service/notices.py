"""
Tells what people or admins must hear beside the cards: each once, and again until somebody could be told.

People choose what they want to hear. In their quiet hours news waits; what nobody wants to know any more by then is
left out.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum, auto

from bot.chat.model import Note
from bot.chat.surface import ChatSurface, SurfaceUnavailable, Unreachable
from bot.service.desk import Desk
from bot.service.wording import ADMINS_KINDS, Worded, is_stale, kind_of, plain, worded
from orchestrator.api import Notice, UserId

log = logging.getLogger(__name__)

AGAIN_S = 30.0
LIMIT_S = 30.0
MOST_WAITING = 500
"""Untold notices that are held; the others wait in the books until there is room."""


class Outcome(Enum):
    TOLD = auto()
    LATER = auto()
    NEVER = auto()  # there, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """
    Attributes:
        told_on: Where admins were told, while those of another surface are in their quiet hours.
        closed: Accounts, and surfaces in the case of admins, that take nothing from us.
    """

    notice: Notice
    told_on: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """One try at everything that waits. A surface that hangs is left out for the rest of it: it delays no other."""

    desk: Desk
    hanging: set[str] = field(default_factory=set)

    async def tell(self, surface: ChatSurface, note: Note) -> Outcome:
        if surface.name in self.hanging:
            return Outcome.LATER
        try:
            async with asyncio.timeout(LIMIT_S):
                await surface.notify(note)
        except TimeoutError:
            log.warning("%s does not take news within %.0f s; it is kept", surface.name, LIMIT_S)
            self.hanging.add(surface.name)
            return Outcome.LATER
        except SurfaceUnavailable:
            return Outcome.LATER
        except Unreachable as error:
            log.info("somebody on %s was not told: %s", surface.name, error)
            return Outcome.NEVER
        return Outcome.TOLD


async def tell_notices(desk: Desk, leaving: asyncio.Event) -> None:
    """Tell each notice where its person is, or to admins on every surface, until cancelled or *leaving* is set."""
    waiting: dict[int, _Waiting] = {}
    async with asyncio.TaskGroup() as group:
        news, room = asyncio.Event(), asyncio.Semaphore(MOST_WAITING)
        collecting = group.create_task(_collect(desk.orchestrator.notices(), waiting, news, room), name="collect")
        ringing = group.create_task(_ring(news, leaving), name="leaving")
        while not leaving.is_set():
            news.clear()  # what comes during the round is for the next one, at once
            now = _Round(desk=desk)
            for each in tuple(waiting.values()):
                if leaving.is_set():
                    break
                if await _settled(now, each):
                    del waiting[each.notice.id]
                    room.release()
            await _pause(news, AGAIN_S if waiting else None)
        collecting.cancel()
        ringing.cancel()


async def _pause(news: asyncio.Event, seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()


async def _ring(news: asyncio.Event, leaving: asyncio.Event) -> None:
    await leaving.wait()
    news.set()


async def _collect(
    notices: AsyncIterator[Notice], waiting: dict[int, _Waiting], news: asyncio.Event, room: asyncio.Semaphore
) -> None:
    async for notice in notices:
        if notice.user is None:
            log.warning("%s", plain(notice))
        await room.acquire()
        waiting[notice.id] = _Waiting(notice=notice)
        news.set()


async def _settled(now: _Round, waiting: _Waiting) -> bool:
    """Whether it was told at least once, or nobody can or wants to hear it; only then it is acknowledged."""
    desk, notice = now.desk, waiting.notice
    is_settled = is_stale(notice, desk.now()) or await (
        _tell_admins(now, waiting) if notice.user is None else _tell_person(now, waiting, notice.user)
    )
    if is_settled:
        await desk.orchestrator.acknowledge_notice(notice.id)
    return is_settled


# A person.


async def _tell_person(now: _Round, waiting: _Waiting, user: UserId) -> bool:
    desk, notice = now.desk, waiting.notice
    profile = await desk.orchestrator.people.profile(user)
    if kind_of(notice) in profile.muted:
        return True
    if profile.is_quiet(desk.now()):
        return False
    said = await worded(desk, notice)
    if said is None:
        return True
    accounts = await _accounts(desk, user, said)
    for account in [each for each in accounts if each not in waiting.closed]:
        match await _told_to(now, account, notice, said):
            case Outcome.TOLD:
                return True
            case Outcome.NEVER:
                waiting.closed.add(account)
            case Outcome.LATER:
                pass
    return bool(accounts) and waiting.closed.issuperset(accounts)


async def _accounts(desk: Desk, user: UserId, said: Worded) -> list[UserId]:
    """Where the person can be told: first where they asked, then wherever else they are."""
    known = [each for each in await desk.orchestrator.people.accounts_of(user) if _surface_of(each) in desk.surfaces]
    own_chat = f"{said.surface}:{said.chat}"  # a private chat is often called as its account is
    return sorted(known, key=lambda account: (_surface_of(account) != said.surface, account != own_chat))


async def _told_to(now: _Round, account: UserId, notice: Notice, said: Worded) -> Outcome:
    name = _surface_of(account)
    surface = now.desk.surfaces[name]
    note = Note(
        user=account,
        sentence=said.sentence(surface.voice),
        topic=notice.topic,
        buttons=said.buttons,
        chat=said.chat if name == said.surface else "",
    )
    return await now.tell(surface, note)


def _surface_of(account: UserId) -> str:
    return account.partition(":")[0]


# Admins.


async def _tell_admins(now: _Round, waiting: _Waiting) -> bool:
    """On every surface, leaving out those who do not want it, or not now; one awake admin of a surface is enough."""
    desk, notice, waits = now.desk, waiting.notice, False
    for name, surface in desk.surfaces.items():
        if name in waiting.told_on | waiting.closed:
            continue
        muted, asleep = await _left_out(desk, surface, notice)
        if asleep and not set(surface.admins) - muted - asleep:
            waits = True
            continue
        note = Note(user=None, sentence=plain(notice), topic=notice.topic, leaving_out=muted | asleep)
        match await now.tell(surface, note):
            case Outcome.TOLD:
                waiting.told_on.add(name)
            case Outcome.NEVER:
                waiting.closed.add(name)
            case Outcome.LATER:
                pass
    return not waits and (bool(waiting.told_on) or waiting.closed.issuperset(desk.surfaces))


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
