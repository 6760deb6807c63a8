"""What the page is built from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.web.surface import WebSurface
from bot.chat.surface import CardReader, CommandHandler
from orchestrator.api import Orchestrator


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """
    Attributes:
        now: The time, aware, in UTC.
    """

    surface: WebSurface
    handler: CommandHandler
    cards: CardReader
    orchestrator: Orchestrator
    now: Callable[[], datetime]
