"""The pictures' disk, in memory."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping

from orchestrator.domain.errors import DiskFull
from orchestrator.domain.ids import ImageKey
from orchestrator.ports.blobs import Blobs


class SimBlobs(Blobs):
    """
    Outlives the lives of the bot.

    Args:
        is_full: Whether there is no room at the moment.
    """

    def __init__(self, is_full: Callable[[], bool]) -> None:
        self._is_full = is_full
        self._pictures: dict[ImageKey, bytes] = {}

    async def put(self, picture: bytes) -> ImageKey:
        await asyncio.sleep(0.01)
        await self.check_room()
        key = ImageKey(hashlib.sha256(picture).hexdigest()[:32])
        self._pictures[key] = picture
        await asyncio.sleep(0)
        return key

    async def check_room(self) -> None:
        if self._is_full():
            raise DiskFull("a picture cannot be kept: no space left on device")

    async def get(self, key: ImageKey) -> bytes | None:
        await asyncio.sleep(0)
        return self._pictures.get(key)

    async def sizes(self) -> Mapping[ImageKey, int]:
        await asyncio.sleep(0)
        return {key: len(picture) for key, picture in self._pictures.items()}

    async def remove(self, key: ImageKey) -> None:
        await asyncio.sleep(0)
        self._pictures.pop(key, None)
