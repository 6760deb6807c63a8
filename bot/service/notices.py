"""Tells what people or admins must hear beside the cards: each once, and again until somebody could be told."""

import asyncio
import logging
from collections.abc import AsyncIterator

from bot.chat.model import Note
from bot.chat.surface import ChatSurface, SurfaceUnavailable
from bot.chat.texts import sentence
from bot.service.desk import Desk
from orchestrator.api import Notice

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
                if await _told(desk, notice):
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
            log.warning("%s", sentence(notice.key, notice.values))
        if len(waiting) < MOST_WAITING:
            waiting[notice.id] = notice
            news.set()


async def _told(desk: Desk, notice: Notice) -> bool:
    """Whether at least one surface has told it; only then it is acknowledged."""
    note = Note(user=notice.user, sentence=sentence(notice.key, notice.values), topic=notice.topic)
    results = [await _tell(surface, note) for surface in _surfaces_for(desk, notice)]
    if not any(results):
        return False
    await desk.orchestrator.acknowledge_notice(notice.id)
    return True


def _surfaces_for(desk: Desk, notice: Notice) -> list[ChatSurface]:
    if notice.user is None:
        return list(desk.surfaces.values())
    surface = desk.surfaces.get(notice.user.partition(":")[0])
    return [surface] if surface else []


async def _tell(surface: ChatSurface, note: Note) -> bool:
    try:
        async with asyncio.timeout(LIMIT_S):
            await surface.notify(note)
    except (SurfaceUnavailable, TimeoutError):
        return False
    return True
