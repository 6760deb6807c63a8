"""Shows an unfinished job as it stands. A version that a surface cannot take is dropped: a newer one follows."""

from bot.chat.card import Card
from bot.chat.surface import ChatSurface, SurfaceUnavailable
from bot.service.desk import Desk
from orchestrator.api import JobView


async def show(desk: Desk, surface: ChatSurface, view: JobView) -> None:
    card = await desk.cards.of(view)
    try:
        handle = await surface.show(card)
    except SurfaceUnavailable:
        return
    await follow(desk, card, handle.encode())


async def follow(desk: Desk, card: Card, origin: str) -> None:
    """Remember where the card is now."""
    if origin != card.handle.encode():
        await desk.orchestrator.rebind(card.job, origin)
