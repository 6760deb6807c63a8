"""How fast a stranger's messages are listened to."""

import asyncio

PER_MESSAGE_S = 0.002
PER_BYTE_S = 1 / (8 * 2**20)
BURST_S = 5.0


class Pace:
    """
    Slows down whoever says too much: each message costs listening time, and what comes meanwhile waits at its sender.

    A sampler reports some twenty steps a second, each with a preview of some kilobytes; this is twenty times as much.
    """

    def __init__(self) -> None:
        self._heard_until = 0.0

    async def hear(self, size: int) -> None:
        """Note a message of *size* bytes; returns when the next one may be listened to."""
        now = asyncio.get_running_loop().time()
        self._heard_until = max(self._heard_until, now - BURST_S) + PER_MESSAGE_S + size * PER_BYTE_S
        if self._heard_until > now:
            await asyncio.sleep(self._heard_until - now)
