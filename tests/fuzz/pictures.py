"""Pictures from a machine: damaged, cut, of impossible sizes, or none at all."""

import io
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.adapters.encoding import fit, sheet
from bot.adapters.originals import with_words
from bot.adapters.pictures import BadPicture, Thumbnails, content_type, pixels_of, without_words
from bot.adapters.telegram.photos import photo_of
from orchestrator.api import ImageKey
from tests.fuzz.harness import Feed, Subject
from tests.fuzz.mutate import Mutator

KINDS = ("PNG", "JPEG", "WEBP", "GIF")
MODES = ("RGB", "L", "P", "RGBA", "1", "LA", "I;16", "CMYK")
SIDE = 24


def _drawn(kind: str, mode: str) -> bytes | None:
    """A small picture of this kind and mode; None where there is no such thing."""
    image = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")
    out = io.BytesIO()
    info = PngInfo()
    info.add_text("prompt", "a cat")
    info.add_itxt("workflow", "{}", zip=True)
    options = {"pnginfo": info} if kind == "PNG" else {}
    try:
        image.convert(mode).save(out, kind, **options)
    except (OSError, ValueError, KeyError):
        return None
    return out.getvalue()


def _moving(kind: str) -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "blue", "green")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=50)
    return out.getvalue()


def _seeds() -> list[bytes]:
    still = [_drawn(kind, mode) for kind in KINDS for mode in MODES]
    return [*(each for each in still if each is not None), *map(_moving, ("GIF", "WEBP", "PNG"))]


def sized(picture: bytes, width: int, height: int) -> bytes:
    """A PNG whose header claims another size, with a checksum that fits."""
    header = struct.pack(">II", width, height) + picture[24:29]
    return picture[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + picture[33:]


SIZES = (0, 1, 7, 4096, 8000, 8001, 65_535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def picture(mutator: Mutator, seeds: list[bytes]) -> bytes:
    usual: bytes = mutator.one_of(seeds)
    if usual.startswith(b"\x89PNG") and mutator.chance(5):
        return sized(usual, mutator.one_of(SIZES), mutator.one_of(SIZES))
    if usual.startswith(b"\x89PNG") and mutator.chance(3):
        return _resealed(mutator.damaged(usual))
    return mutator.damaged(usual)


def _resealed(png: bytes) -> bytes:
    """Make every checksum right again, so that the damage is read and not only noticed."""
    parts, at = [png[:8]], 8
    while at + 12 <= len(png):
        length = struct.unpack_from(">I", png, at)[0]
        end = at + 8 + length
        if end + 4 > len(png):
            break
        parts += [png[at:end], struct.pack(">I", zlib.crc32(png[at + 4 : end]))]
        at = end + 4
    return b"".join([*parts, png[at:]])


@asynccontextmanager
async def _reading() -> AsyncIterator[Feed]:
    seeds = _seeds()

    async def feed(mutator: Mutator) -> object:
        given = picture(mutator, seeds)
        content_type(given)
        assert b"a cat" not in without_words(seeds[0])
        with_words(without_words(given), {"parameters": "a dog"})
        return pixels_of(given).size

    yield feed


@asynccontextmanager
async def _showing() -> AsyncIterator[Feed]:
    """What chats do with pictures: smaller copies, and several on one sheet. Each is worked on in a thread."""
    seeds = _seeds()

    async def feed(mutator: Mutator) -> object:
        given = [picture(mutator, seeds) for _ in range(mutator.dice.randrange(1, 4))]
        match mutator.dice.randrange(4):
            case 0:
                return await fit(given[0], limit=200)
            case 1:
                return await sheet(given, limit=100_000)
            case 2:
                return await Thumbnails().get(ImageKey("k"), given[0], 256)
            case _:
                return await photo_of(given)

    yield feed


SUBJECTS = (
    Subject(name="pictures", opened=_reading, refusals=(BadPicture,)),
    Subject(name="pictures as shown", opened=_showing, refusals=(BadPicture,)),
)
