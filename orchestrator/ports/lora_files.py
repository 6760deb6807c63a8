"""LoRA files in the world: what somebody's link leads to."""

from typing import Protocol

from orchestrator.domain.loras import LoraFile


class LoraFiles(Protocol):
    async def read(self, url: str) -> LoraFile:
        """
        Read the file at *url* to its end, and keep nothing of it but its size and its checksum.

        Whoever gives the link is not trusted, and neither is who answers: only public addresses are asked, and both
        the bytes and the time are bounded.

        Raises:
            RequestError: It is no LoRA that can be had there; the key says why.
        """
        ...
