"""
A file over memory that somebody else owns.

A part of an upload stays in one buffer from the mirror to the bucket, and the next part takes the same one. So memory
is bounded by their number, where buffers that come and go leave holes between them.
"""

import io
from typing import Any


class Window(io.RawIOBase):
    """Reads and writes *memory* in place; it never grows."""

    def __init__(self, memory: memoryview) -> None:
        super().__init__()
        self._memory = memory
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self._memory)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = min(max(base + offset, 0), self.size)
        return self._at

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer)
        count = min(len(target), self.size - self._at)
        target[:count] = self._memory[self._at : self._at + count]
        self._at += count
        return count

    def write(self, data: Any) -> int:
        """Take as much of *data* as there is room for; returns how much."""
        source = memoryview(data)
        count = min(len(source), self.size - self._at)
        self._memory[self._at : self._at + count] = source[:count]
        self._at += count
        return count
