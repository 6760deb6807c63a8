"""A WebSocket server that sends whatever frames it is told to, well-formed or not, then hangs up."""

import asyncio
import base64
import contextlib
import hashlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fuzz.mutate import Mutator

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
OPCODES = (TEXT, TEXT, TEXT, TEXT, BINARY, BINARY, CLOSE, PING, PONG, 0, 3, 11, 15)


class FrameServer:
    """Attributes: sends: The bytes after the handshake. handshake: Instead of a proper one, where not empty."""

    def __init__(self) -> None:
        self.sends = b""
        self.handshake = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self.handshake or accepted(head))
            writer.write(self.sends)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked went away
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def accepted(head: bytes) -> bytes:
    """The proper answer to a handshake with this *head*."""
    named = (line.partition(b":") for line in head.split(b"\r\n"))
    key = next(value.strip() for name, _, value in named if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def frame(payload: bytes, opcode: int = TEXT, *, flags: int = 0x80, length: int | None = None) -> bytes:
    """One frame of a server (RFC 6455, 5.2); *length* is said instead of the true one."""
    said = len(payload) if length is None else length
    if said < 126:
        head = struct.pack(">BB", flags | opcode, said)
    elif said < 2**16:
        head = struct.pack(">BBH", flags | opcode, 126, said)
    else:
        head = struct.pack(">BBQ", flags | opcode, 127, said)
    return head + payload


def frames(mutator: Mutator, payloads: list[bytes]) -> bytes:
    """*payloads* as frames, some of which no server may send."""
    sent = b"".join(
        frame(
            payload[:120] if mutator.chance(10) else payload,
            mutator.one_of(OPCODES) if mutator.chance(6) else TEXT,
            flags=mutator.one_of((0x80, 0x00, 0xC0, 0xF0)) if mutator.chance(8) else 0x80,
            length=mutator.one_of((0, 1, 125, 70_000, 2**31, 2**63)) if mutator.chance(15) else None,
        )
        for payload in payloads
    )
    return mutator.damaged(sent) if mutator.chance(12) else sent


@asynccontextmanager
async def frame_server(socket: Path) -> AsyncIterator[FrameServer]:
    server = FrameServer()
    async with await asyncio.start_unix_server(server.serve, socket):
        yield server
