"""Where pictures are kept."""

from typing import Protocol

from orchestrator.domain.ids import ImageKey


class Blobs(Protocol):
    async def put(self, picture: bytes) -> ImageKey:
        """Keep *picture*, durably, before this returns. The same bytes get the same key."""
        ...

    async def remove(self, key: ImageKey) -> None:
        """Keep it no longer; nothing happens when it is gone already."""
        ...

    async def get(self, key: ImageKey) -> bytes | None:
        """The bytes, or None when they are not (or no longer) kept."""
        ...
