"""Open pages, and what each has yet to be sent: bounded, the newest version of each thing."""

import asyncio
import json
from collections.abc import Iterable

from bot.chat.documents import Document

MOST_READERS = 100
MOST_UNSENT = 500


class Reader:
    """
    One open event stream.

    Attributes:
        user: Whose events it wants, as they call themselves; empty for everybody's.
        is_closed: Nothing more is sent: the bot stops, or the reader is too slow.
    """

    def __init__(self, user: str) -> None:
        self.user = user
        self.is_closed = False
        self._unsent: dict[str, bytes] = {}
        self._news = asyncio.Event()

    def put(self, key: str, event: bytes) -> None:
        """Queue *event*; of several with one *key* only the newest is sent."""
        self._unsent[key] = event
        if len(self._unsent) > MOST_UNSENT:
            self.close()
        self._news.set()

    def close(self) -> None:
        self.is_closed = True
        self._unsent.clear()
        self._news.set()

    async def take(self) -> bytes:
        """Wait for news; empty once the reader is closed."""
        await self._news.wait()
        return self.unsent()

    def unsent(self) -> bytes:
        """Everything that is unsent; it counts as sent from now on."""
        self._news.clear()
        events = b"".join(self._unsent.values())
        self._unsent.clear()
        return events


class Readers:
    """Every open page."""

    def __init__(self) -> None:
        self.is_closed = False
        self._readers: set[Reader] = set()
        self._first = asyncio.Event()
        self._stirred = asyncio.Event()

    def add(self, user: str) -> Reader | None:
        """Open a stream; None when there are too many already, or the bot is being stopped."""
        if self.is_closed or len(self._readers) >= MOST_READERS:
            return None
        reader = Reader(user)
        self._readers.add(reader)
        self._first.set()
        return reader

    def remove(self, reader: Reader) -> None:
        self._readers.discard(reader)
        if not self._readers:
            self._first.clear()

    async def wait_for_one(self) -> None:
        """Return as soon as a page is open."""
        await self._first.wait()

    def stir(self) -> None:
        """Something happened after which sessions may look different."""
        self._stirred.set()

    async def wait_for_stir(self, limit_s: float) -> None:
        """Return as soon as something happened, or after *limit_s* seconds."""
        try:
            async with asyncio.timeout(limit_s):
                await self._stirred.wait()
        except TimeoutError:
            return
        finally:
            self._stirred.clear()

    def of(self, user: str | None) -> list[Reader]:
        """The pages that want *user*'s events; all of them for None."""
        return [reader for reader in self._readers if user is None or reader.user in {"", user}]

    def close(self) -> None:
        self.is_closed = True
        for reader in self._readers:
            reader.close()


def send(readers: Iterable[Reader], kind: str, key: str, document: Document) -> None:
    """Send one event to all of *readers*."""
    event = f"event: {kind}\ndata: {json.dumps(document)}\n\n".encode()
    for reader in readers:
        reader.put(f"{kind}:{key}", event)
