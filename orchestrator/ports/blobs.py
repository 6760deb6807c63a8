"""Where pictures are kept."""

from collections.abc import Mapping
from typing import Protocol

from orchestrator.domain.ids import ImageKey


class Blobs(Protocol):
    async def put(self, picture: bytes) -> ImageKey:
        """
        Keep *picture*, durably, before this returns. The same bytes get the same key.

        Raises:
            DiskFull: There is no room; nothing is kept. Later there may be.
        """
        ...

    async def check_room(self) -> None:
        """
        Make sure that more pictures can be kept than those that are being made.

        Raises:
            DiskFull: They cannot.
        """
        ...

    async def remove(self, key: ImageKey) -> None:
        """Keep it no longer; nothing happens when it is gone already."""
        ...

    async def sizes(self) -> Mapping[ImageKey, int]:
        """How many bytes each picture has that is kept."""
        ...

    async def get(self, key: ImageKey) -> bytes | None:
        """The bytes, or None when they are not (or no longer) kept."""
        ...
