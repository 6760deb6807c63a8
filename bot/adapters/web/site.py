"""What the page is built from."""

from dataclasses import dataclass

from bot.adapters.web.surface import WebSurface
from bot.chat.surface import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    surface: WebSurface
    backend: Backend
