"""What is being done for people just now, so that the bot can let it come to its end before it leaves."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class UnderWay:
    """Counts. Used by the tasks of one loop."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Inside the block, something is under way."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def none(self) -> None:
        """Wait until nothing is."""
        await self._none.wait()
