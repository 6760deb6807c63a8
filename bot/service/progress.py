"""Shows an unfinished job as it stands. A version that a surface cannot take is dropped: a newer one follows."""

from bot.chat.card import Card
from bot.chat.handle import ReplyHandle
from bot.chat.surface import ChatSurface
from bot.service.desk import Desk
from orchestrator.api import JobView


async def show(desk: Desk, surface: ChatSurface, view: JobView) -> None:
    """
    Bring the card up to date.

    Raises:
        SurfaceUnavailable: Not now; this version may be dropped.
    """
    card = await desk.cards.of(view)
    handle = await surface.show(card)
    await follow(desk, card, handle)


async def follow(desk: Desk, card: Card, handle: ReplyHandle) -> None:
    """Remember where the card is now."""
    if handle != card.handle:
        desk.cards.moved(card.job, handle)
        await desk.orchestrator.rebind(card.job, handle.encode())
