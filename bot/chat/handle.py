"""Where a card is kept, as text that travels through the orchestrator's database and back."""

import json
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHandle:
    """
    One message on one surface.

    Attributes:
        chat: The chat or channel that the message is in; edits are paced by it.
        message: The surface's own name of the message; empty before there is one.
    """

    surface: str
    chat: str
    message: str = ""

    def encode(self) -> str:
        return json.dumps([self.surface, self.chat, self.message])

    @classmethod
    @lru_cache(maxsize=512)  # it is read again with every version of its card
    def decode(cls, origin: str) -> "ReplyHandle":
        """Read what :meth:`encode` wrote; anything else is a handle to nowhere, which no surface claims."""
        try:
            surface, chat, message = json.loads(origin)
        except (ValueError, TypeError, RecursionError):
            return cls(surface="", chat="")
        return cls(surface=str(surface), chat=str(chat), message=str(message))
