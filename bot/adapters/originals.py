"""The pictures of a card as they leave us: without words in them, or with the prompt where the person wants that."""

import struct
import zlib

from bot.adapters.pictures import without_words
from bot.chat.card import Card
from orchestrator.api import Orchestrator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = len(_SIGNATURE) + 25
"""After IHDR, which is first and always 25 bytes long with its frame (PNG, third edition, 11.2.1)."""


async def originals_of(orchestrator: Orchestrator, card: Card) -> list[bytes]:
    """Those that still exist."""
    found = [await orchestrator.image(key) for key in card.images]
    clean = [without_words(picture) for picture in found if picture is not None]
    if not (await orchestrator.people.profile(card.user)).wants_metadata:
        return clean
    return [with_words(picture, {"parameters": _parameters(card)}) for picture in clean]


def _parameters(card: Card) -> str:
    """In the form that galleries read: the prompt, then ``Name: value`` pairs."""
    rest = [f"{name}: {value}" for name, value in card.values.items() if name != "prompt" and value != ""]
    return "\n".join([card.prompt, ", ".join([*rest, f"workflow: {card.workflow}"])])


def with_words(picture: bytes, words: dict[str, str]) -> bytes:
    """A PNG with *words* as international text; anything else comes back as it is."""
    if not picture.startswith(_SIGNATURE) or len(picture) < _HEADER_END:
        return picture
    chunks = b"".join(_chunk(name.encode("latin-1", "replace"), text.encode()) for name, text in words.items())
    return picture[:_HEADER_END] + chunks + picture[_HEADER_END:]


def _chunk(name: bytes, text: bytes) -> bytes:
    """``iTXt``: name, no compression, no language, no translation, text (PNG, third edition, 11.3.3.4)."""
    body = b"iTXt" + name + b"\0\0\0\0\0" + text
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
