"""Tells how a job ended, until the person can see it; only then the orchestrator may forget that it has to be told."""

from bot.chat.surface import ChatSurface
from bot.service.desk import Desk
from bot.service.progress import follow
from orchestrator.api import JobView


async def deliver(desk: Desk, surface: ChatSurface, view: JobView) -> None:
    """
    Post the end of a job and acknowledge it.

    Safe to repeat: a crash between the two makes the same card be shown again, in the same message.

    Raises:
        SurfaceUnavailable: Try again later; nothing is acknowledged.
    """
    await desk.cards.settle(view.id)
    card = await desk.cards.of(view)
    handle = await surface.deliver(card)
    await follow(desk, card, handle)
    await desk.orchestrator.acknowledge(view.id)
