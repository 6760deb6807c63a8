"""PNG files and the texts that ComfyUI hides in them."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image

from orchestrator.sandbox.painter.brief import Picture

EFFORT = 1
"""Least compression: pictures are fetched once over loopback."""
HEADER_BYTES = 33
"""Signature and the IHDR chunk."""


def encode_png(picture: Picture) -> bytes:
    """Encode without any text."""
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(target, "PNG", compress_level=EFFORT)
    return target.getvalue()


def with_texts(png: bytes, texts: Mapping[str, str]) -> bytes:
    """Put text chunks behind a PNG's header."""
    chunks = b"".join(_chunk(b"tEXt", key.encode("latin-1") + b"\0" + text.encode()) for key, text in texts.items())
    return png[:HEADER_BYTES] + chunks + png[HEADER_BYTES:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
