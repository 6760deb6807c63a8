"""What the smoke picture starts from, and what its failure says about the machine."""

import struct
import zlib

from orchestrator.control.machine_agent import printable
from orchestrator.domain.errors import (
    ComfyError,
    ComfyUnavailable,
    GraphRejected,
    HostUnreachable,
    OutOfVram,
    PreparationFailed,
)
from orchestrator.domain.stages import Step
from orchestrator.ports.comfy import Comfy
from orchestrator.ports.host import Host


def smoke_failure(host: Host, error: ComfyError) -> PreparationFailed | HostUnreachable:
    if isinstance(error, ComfyUnavailable) and not host.is_open:
        return HostUnreachable(f"the connection broke during the smoke picture: {error}")
    match error:
        case OutOfVram():
            code = "out_of_vram"
        case GraphRejected():
            code = "graph_rejected"
        case _:
            code = "comfyui_unavailable"
    return PreparationFailed(printable(error), step=Step.SMOKE, code=code)


async def upload_source(comfy: Comfy) -> str:
    """A picture to start from, for workflows that need one."""
    return await comfy.upload(_grey_png(256), "glowplug-smoke.png")


def _grey_png(side: int) -> bytes:
    """The smallest useful picture to start from."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x80\x80\x80" * side) * side
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
