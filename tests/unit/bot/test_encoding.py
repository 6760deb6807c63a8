"""Pictures as a chat takes them."""

import io
import random
import zlib
from typing import Any

import pytest
from PIL import Image

from bot.adapters.encoding import fit, sheet
from bot.adapters.pictures import BadPicture, Thumbnails
from orchestrator.api import ImageKey


def noise(width: int, height: int, *, seed: int = 1) -> bytes:
    """A PNG that hardly compresses."""
    image = Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def size_of(picture: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(picture)).size


async def test_what_fits_is_left_as_it_is() -> None:
    picture = noise(32, 32)

    encoded = await fit(picture, limit=len(picture))

    assert encoded.picture == picture
    assert encoded.suffix == "png"
    assert encoded.is_original


async def test_what_does_not_fit_is_encoded_at_the_best_quality_that_does() -> None:
    picture = noise(256, 256)

    tight, loose = await fit(picture, limit=40_000), await fit(picture, limit=120_000)

    assert len(tight.picture) <= 40_000 < len(loose.picture) <= 120_000
    assert tight.suffix in {"webp", "jpg"}
    assert not tight.is_original
    assert size_of(loose.picture) == (256, 256)


async def test_a_chat_says_what_it_can_show() -> None:
    encoded = await fit(noise(256, 256), limit=60_000, kinds=("JPEG",))

    assert encoded.suffix == "jpg"


async def test_it_gets_smaller_when_no_quality_is_enough() -> None:
    encoded = await fit(noise(256, 256), limit=4_000)

    assert size_of(encoded.picture) < (256, 256)


@pytest.mark.parametrize("limit", [10, 0])
async def test_what_can_never_fit_is_said(limit: int) -> None:
    with pytest.raises(ValueError, match="below"):
        await fit(noise(64, 64), limit=limit)


async def test_what_is_no_picture_is_said() -> None:
    with pytest.raises(ValueError, match="no picture"):
        await fit(b"words" * 100, limit=10)


@pytest.mark.parametrize(("count", "columns", "rows"), [(2, 2, 1), (3, 2, 2), (4, 2, 2), (10, 4, 3)])
async def test_several_become_one_sheet(count: int, columns: int, rows: int) -> None:
    pictures = [noise(64, 32, seed=seed) for seed in range(count)]

    page = await sheet(pictures, limit=1_000_000)

    assert size_of(page) == (columns * 64 + 8 * (columns - 1), rows * 32 + 8 * (rows - 1))
    assert len(page) <= 1_000_000


def bomb(side: int) -> bytes:
    """A PNG that says it is enormous; a few bytes."""
    picture = bytearray(noise(8, 8))
    picture[16:24] = side.to_bytes(4) + side.to_bytes(4)
    picture[29:33] = zlib.crc32(bytes(picture[12:29])).to_bytes(4)
    return bytes(picture)


@pytest.mark.parametrize("side", [8_001, 20_000, 1_000_000])
async def test_a_picture_that_would_fill_the_memory_is_not_opened(side: int) -> None:
    with pytest.raises(ValueError, match=r"not opened|no picture"):
        await fit(bomb(side), limit=10)
    with pytest.raises(ValueError, match=r"not opened|no picture"):
        await sheet([bomb(side), noise(8, 8)], limit=1_000_000)


async def test_a_format_that_chats_do_not_have_is_no_picture() -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "TIFF")

    with pytest.raises(ValueError, match="no picture"):
        await fit(out.getvalue(), limit=10)


async def test_a_damaged_picture_is_said_to_be_one() -> None:
    with pytest.raises(ValueError, match="damaged"):
        await fit(noise(256, 256)[:20_000], limit=10_000)


@pytest.mark.parametrize("size", [(20_000, 4), (4, 20_000)])
async def test_a_picture_longer_than_any_encoder_takes_is_not_opened(size: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "PNG")

    with pytest.raises(BadPicture, match="not opened"):
        await fit(out.getvalue(), limit=10)
    assert await Thumbnails().get(ImageKey("k"), out.getvalue(), 256) == out.getvalue()


async def test_the_thinnest_picture_gets_smaller_and_stays_one() -> None:
    out = io.BytesIO()
    Image.frombytes("L", (1, 4000), random.Random(1).randbytes(4000)).save(out, "PNG")

    encoded = await fit(out.getvalue(), limit=2000)

    assert size_of(encoded.picture)[0] == 1


async def test_no_time_is_spent_on_sizes_that_can_never_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise(64, 64)
    tries: list[tuple[int, int]] = []
    save = Image.Image.save

    def counted(self: Image.Image, *given: Any, **options: Any) -> None:
        tries.append(self.size)
        save(self, *given, **options)

    monkeypatch.setattr(Image.Image, "save", counted)

    with pytest.raises(BadPicture, match="below"):
        await fit(picture, limit=0)

    assert len(tries) == 2 * len(set(tries))


async def test_a_copy_is_no_larger_than_a_chat_shows() -> None:
    out = io.BytesIO()
    Image.new("RGB", (6000, 16), "teal").save(out, "PNG", compress_level=0)

    encoded = await fit(out.getvalue(), limit=100_000)

    assert size_of(encoded.picture) == (4096, 11)
