"""Shows an unfinished job as it stands. Of the versions that a surface cannot take, the newest is kept."""

from bot.chat.card import Card
from bot.chat.handle import ReplyHandle
from bot.chat.surface import ChatSurface
from bot.service.desk import Desk
from orchestrator.api import JobView


async def show(desk: Desk, surface: ChatSurface, view: JobView) -> None:
    """
    Bring the card up to date.

    Raises:
        SurfaceUnavailable: Not now; it is offered again unless a newer one comes.
    """
    card = await desk.cards.of(view)
    handle = await surface.show(card)
    await follow(desk, card, handle)


async def follow(desk: Desk, card: Card, handle: ReplyHandle) -> None:
    """Remember where the card is now."""
    if handle != card.handle:
        await desk.cards.move(card.job, handle)
    else:
        await desk.cards.settle(card.job)
