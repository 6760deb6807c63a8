"""Where a person sits: what they can do and see at one surface, whatever it is."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

LIMIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """
    One card as it stands.

    Attributes:
        words: All that can be read on it.
        buttons: Their labels.
        pictures: How many picture files can be seen; a sheet of several is one.
    """

    words: str
    buttons: tuple[str, ...]
    pictures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer in words. Attributes: charts: How many pictures came with it."""

    words: str
    charts: int = 0


class Seat(Protocol):
    """A person, an admin, at one surface of a bot that rents from a sandbox cloud."""

    async def ask(self, text: str) -> None:
        """Type what starts a card."""
        ...

    async def say(self, text: str) -> Heard:
        """Type what is answered in words."""
        ...

    async def press_for_card(self, label: str) -> None:
        """Press a button of the newest card; another card comes of it."""
        ...

    async def press(self, label: str) -> Heard:
        """Press a button of the newest card; it is answered in words, or by the card alone."""
        ...

    async def card(self) -> Seen:
        """The newest card."""
        ...

    async def cards(self) -> int:
        """How many messages with cards there are."""
        ...

    async def told(self) -> list[str]:
        """What came beside the cards, to this person alone."""
        ...


async def card_when(seat: Seat, what: str, fact: Callable[[Seen], object]) -> Seen:
    """Wait until the newest card is as *fact* wants it."""
    seen = await seat.card()
    try:
        async with asyncio.timeout(LIMIT_S):
            while not fact(seen):
                await asyncio.sleep(0.05)
                seen = await seat.card()
    except TimeoutError:
        raise AssertionError(f"the card never {what}; it is {seen}") from None
    return seen


async def told_when(seat: Seat, what: str, fact: Callable[[str], object]) -> str:
    """Wait until a message beside the cards is as *fact* wants it."""
    try:
        async with asyncio.timeout(LIMIT_S):
            while True:
                for sentence in await seat.told():
                    if fact(sentence):
                        return sentence
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"nobody was told {what}; only {await seat.told()}") from None
