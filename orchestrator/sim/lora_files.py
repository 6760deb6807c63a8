"""LoRA files in memory: every link leads to one, except those that say otherwise."""

import asyncio
import hashlib
import zlib

from orchestrator.domain.errors import RequestError
from orchestrator.domain.loras import LoraFile
from orchestrator.ports.lora_files import LoraFiles

SMALLEST, SPREAD = 20_000_000, 400_000_000
BPS = 50e6
"""At which a file is read."""

DEAD = "dead"
"""A link with this in it leads nowhere."""


class SimLoraFiles(LoraFiles):
    def __init__(self, bps: float = BPS) -> None:
        self._bps = bps

    async def read(self, url: str) -> LoraFile:
        size = SMALLEST + zlib.crc32(url.encode()) % SPREAD
        await asyncio.sleep(size / self._bps)
        if DEAD in url:
            raise RequestError("lora_link_dead")
        return LoraFile(url=url, size_bytes=size, sha256=hashlib.sha256(url.encode()).hexdigest())
