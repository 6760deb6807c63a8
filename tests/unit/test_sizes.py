"""One pure place turns an aspect and a size into a width and a height."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.sizes import MULTIPLE, PIXELS, completed, ratio_of, size_of

ASPECTS = ["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9"]


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        ("1:1", (1024, 1024)),
        ("16:9", (1360, 768)),
        ("9:16", (768, 1360)),
        ("4:3", (1152, 864)),
        ("3:2", (1248, 832)),
        ("21:9", (1568, 672)),
    ],
)
def test_an_aspect_alone_is_about_a_megapixel(aspect: str, size: tuple[int, int]) -> None:
    assert size_of(aspect) == size


@given(st.integers(1, 32), st.integers(1, 32), st.sampled_from([8, 16, 32, 64]))
def test_any_aspect_is_close_in_shape_and_area(wide: int, high: int, multiple: int) -> None:
    width, height = size_of(f"{wide}:{high}", multiple=multiple)

    assert width % multiple == height % multiple == 0
    assert 0.4 < width * height / PIXELS < 2.1
    assert 0.8 < width / height / (wide / high) < 1.25


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_portrait_is_its_landscape_turned(aspect: str) -> None:
    wide, high = aspect.split(":")

    assert size_of(f"{high}:{wide}") == size_of(aspect)[::-1]


def test_an_explicit_size_wins_over_the_aspect() -> None:
    assert completed(640, 320, "9:16") == (640, 320)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_the_aspect_gives_the_side_that_nobody_gave(aspect: str) -> None:
    width, height = completed(None, 640, aspect)
    assert abs(width - 640 * ratio_of(aspect)) <= MULTIPLE / 2
    assert height == 640

    width, height = completed(640, None, aspect)
    assert width == 640
    assert abs(height - 640 / ratio_of(aspect)) <= MULTIPLE / 2


def test_a_side_is_never_nothing() -> None:
    assert completed(64, None, "21:1") == (64, 16)
