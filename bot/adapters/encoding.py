"""Pictures as a chat takes them: small enough, and several as one sheet. The slow part happens in threads."""

import asyncio
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from bot.adapters.pictures import BadPicture, content_type, pixels_of

SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
QUALITIES = (95, 90, 85, 80, 70, 60, 50, 35)
SHRINKING = (1.0, 0.75, 0.5, 0.35, 0.25)
"""Only when the worst quality is still too large the picture gets smaller, too."""

LARGEST_SENT = 4096
"""Pixels of the longer side of a copy; the original is a button away."""

SHEET_SIDE = 2048
"""Pixels of a sheet's longer side: enough for four pictures to be told apart on a phone."""

GAP = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """
    Attributes:
        suffix: What its file name ends with, without a dot.
        is_original: It is the very picture that was painted.
    """

    picture: bytes
    suffix: str
    is_original: bool


async def fit(picture: bytes, *, limit: int, kinds: Sequence[str] = ("WEBP", "JPEG")) -> Encoded:
    """
    *picture* in at most *limit* bytes: as it is if it fits, else at the best quality that does.

    Args:
        kinds: What the chat shows, the preferred one first, by Pillow's names.

    Raises:
        BadPicture: It is no picture, or nothing makes it small enough.
    """
    if len(picture) <= limit:
        return Encoded(picture=picture, suffix=SUFFIXES.get(content_type(picture), "bin"), is_original=True)
    return await asyncio.to_thread(_squeezed, picture, limit, kinds)


def _squeezed(picture: bytes, limit: int, kinds: Sequence[str]) -> Encoded:
    image = pixels_of(picture)
    image.thumbnail((LARGEST_SENT, LARGEST_SENT))
    kind, data = _best(image, kinds, limit)
    return Encoded(picture=data, suffix=SUFFIXES[f"image/{kind.lower()}"], is_original=False)


def _best(image: Image.Image, kinds: Sequence[str], limit: int) -> tuple[str, bytes]:
    """
    The largest and best copy of at most *limit* bytes, and its kind.

    A size at which even the worst quality is too large is left at once: encoding is what takes the time, and whoever
    painted the picture may mean to take all of it.

    Raises:
        BadPicture: There is none.
    """
    for scale in SHRINKING:
        small = image if scale == 1 else image.resize(_scaled(image, scale))
        if all(len(_saved(small, kind, QUALITIES[-1])) > limit for kind in kinds):
            continue
        for quality in QUALITIES:
            for kind in kinds:
                data = _saved(small, kind, quality)
                if len(data) <= limit:
                    return kind, data
    raise BadPicture(f"no way to bring the picture below {limit} bytes")


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _saved(image: Image.Image, kind: str, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, quality=quality)
    return out.getvalue()


async def sheet(pictures: Sequence[bytes], *, limit: int) -> bytes:
    """
    Several pictures side by side as one JPEG of at most *limit* bytes, in reading order.

    Raises:
        BadPicture: One of them is no picture, or nothing makes the sheet small enough.
    """
    return await asyncio.to_thread(_sheet, pictures, limit)


def _sheet(pictures: Sequence[bytes], limit: int) -> bytes:
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    side = (SHEET_SIDE - GAP * (max(columns, rows) - 1)) // max(columns, rows)
    tiles = [_tile(picture, side) for picture in pictures]
    width, height = max(tile.width for tile in tiles), max(tile.height for tile in tiles)
    page = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        left, top = column * (width + GAP), row * (height + GAP)
        page.paste(tile, (left + (width - tile.width) // 2, top + (height - tile.height) // 2))
    return _best(page, ("JPEG",), limit)[1]


def _tile(picture: bytes, side: int) -> Image.Image:
    tile = pixels_of(picture)
    tile.thumbnail((side, side))
    return tile
