"""Pictures leave without the words that ComfyUI writes into them."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.adapters.pictures import without_words


def png(**texts: str) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
        info.add_itxt(f"{name} again", text, zip=True)
    exif = Image.Exif()
    if texts:
        exif[0x010E] = "a secret cat"  # ImageDescription
    target = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(target, "PNG", pnginfo=info, exif=exif)
    return target.getvalue()


def test_the_prompt_and_the_graph_are_gone_and_the_pixels_are_the_same() -> None:
    telling = png(prompt="a secret cat", workflow="{}")

    bare = without_words(telling)

    with Image.open(io.BytesIO(telling)) as before, Image.open(io.BytesIO(bare)) as after:
        after.load()
        assert before.info["prompt"] == "a secret cat"
        assert after.info == {}
        assert after.tobytes() == before.tobytes()
    assert b"secret" not in bare


def test_a_picture_without_words_is_not_touched() -> None:
    assert without_words(png()) == png()


@pytest.mark.parametrize(
    "spoil",
    [lambda picture: picture[:-5], lambda picture: picture + b"more", lambda _: b"\xff\xd8\xff jpeg", lambda _: b""],
    ids=["cut off", "too long", "a JPEG", "nothing"],
)
def test_what_is_no_well_formed_png_comes_back_as_it_is(spoil: Callable[[bytes], bytes]) -> None:
    picture = spoil(png(prompt="a cat"))

    assert without_words(picture) == picture


@given(st.binary(max_size=80))
def test_any_bytes_are_taken(tail: bytes) -> None:
    assert without_words(png()[:8] + tail).startswith(png()[:8])
