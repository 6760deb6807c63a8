"""Work on picture files: what they are, and smaller copies. The slow part happens in threads."""

import asyncio
import io
import struct
from collections import OrderedDict

from PIL import Image

from orchestrator.api import ImageKey

WIDTHS = (256, 512, 1024)
"""The smaller copies that exist; what is asked for is rounded up to one of them."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MOST_PIXELS = 64_000_000
"""Four times the largest picture that a workflow makes, and less than a quarter of a gigabyte in memory."""

LONGEST_SIDE = 16_383
"""Pixels; WebP has no longer one (RFC 9649, 2.7.1)."""

KEPT = 64
AT_ONCE = 2
QUALITY = 85

_PNG = b"\x89PNG\r\n\x1a\n"
_TELLING = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf"})
"""Chunks of a PNG that hold words. A ComfyUI that we did not start writes the prompt and the graph into ``tEXt``."""

_SIGNATURES = {_PNG: "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def content_type(picture: bytes) -> str:
    """What the bytes are, by how they begin; never by a name that somebody gave them."""
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES.items() if picture.startswith(start)), "application/octet-stream")


class BadPicture(ValueError):
    """What a strange machine sent is no picture, or none that may be opened."""


def opened(picture: bytes) -> Image.Image:
    """
    A picture whose pixels are not read yet, if they may be: what a strange machine sends may unpack to anything.

    Raises:
        BadPicture: It is none that we know, or of more pixels than anybody asks for.
    """
    try:
        image = Image.open(io.BytesIO(picture), formats=FORMATS)
    except Exception as error:  # Pillow's readers let out whatever they stumble over
        raise BadPicture("this is no picture") from error
    if image.width * image.height > MOST_PIXELS or max(image.size) > LONGEST_SIDE:
        raise BadPicture(f"a picture of {image.width} x {image.height} pixels is not opened")
    return image


def pixels_of(picture: bytes) -> Image.Image:
    """
    The whole picture, as RGB.

    Raises:
        BadPicture: It is none, is damaged, or may not be opened.
    """
    with opened(picture) as image:
        try:
            return image.convert("RGB")
        except Exception as error:  # as above
            raise BadPicture("this picture is damaged") from error


def without_words(picture: bytes) -> bytes:
    """
    A PNG without the prompt and the graph that ComfyUI hides in it; its pixels are copied, not encoded anew.

    Anything that is no well-formed PNG comes back as it is.
    """
    if not picture.startswith(_PNG):
        return picture
    kept, at = [_PNG], len(_PNG)
    while at < len(picture):
        if at + 12 > len(picture):
            return picture
        length, kind = struct.unpack_from(">I4s", picture, at)
        end = at + 12 + length  # length, kind, data, checksum
        if end > len(picture):
            return picture
        if kind not in _TELLING:
            kept.append(picture[at:end])
        at = end
    return b"".join(kept)


class Thumbnails:
    """Smaller copies, the newest few kept in memory."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[ImageKey, int], bytes] = OrderedDict()
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def get(self, key: ImageKey, picture: bytes, width: int) -> bytes:
        """*picture* as WebP at the next of :data:`WIDTHS`, or as it is when it is no wider."""
        rounded = next((known for known in WIDTHS if known >= width), WIDTHS[-1])
        if (key, rounded) in self._kept:
            self._kept.move_to_end((key, rounded))
            return self._kept[key, rounded]
        async with self._slots:
            small = await asyncio.to_thread(_shrunk, picture, rounded)
        self._kept[key, rounded] = small
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return small


def _shrunk(picture: bytes, width: int) -> bytes:
    try:
        image = pixels_of(picture)
    except BadPicture:
        return picture  # whoever looks at it sees what it is
    if image.width <= width:
        return picture
    out = io.BytesIO()
    image.resize((width, max(1, round(image.height * width / image.width)))).save(out, "WEBP", quality=QUALITY)
    return out.getvalue()
