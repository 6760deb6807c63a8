"""How an aspect and a size become a width and a height: decided here and nowhere else."""

import math
from functools import lru_cache

PIXELS = 1024 * 1024
"""What Flux and its relatives were trained on: about one megapixel."""

MULTIPLE = 16
"""Flux cuts a picture into patches of 16 by 16 pixels."""

RATIO_WEIGHT = 10
"""A wrong shape is this many times worse than as much of a wrong area."""


def ratio_of(aspect: str) -> float:
    """Read ``16:9`` as width over height."""
    width, _, height = aspect.partition(":")
    return int(width) / int(height)


@lru_cache(maxsize=64)
def size_of(aspect: str, *, multiple: int = MULTIPLE) -> tuple[int, int]:
    """
    The best width and height for a shape: close to it, about a megapixel, both multiples of *multiple*.

    A portrait is its landscape turned.
    """
    ratio = ratio_of(aspect)
    if ratio < 1:
        height, width = _landscape(1 / ratio, multiple)
        return width, height
    return _landscape(ratio, multiple)


def _landscape(ratio: float, multiple: int) -> tuple[int, int]:
    ideal = math.sqrt(PIXELS * ratio)
    widths = range(multiple, 2 * round(ideal), multiple)
    sizes = [(width, max(multiple, _nearest(width / ratio, multiple))) for width in widths]
    return min(sizes, key=lambda size: _fault(size[0], size[1], ratio))


def _fault(width: int, height: int, ratio: float) -> float:
    return RATIO_WEIGHT * abs(math.log(width / height / ratio)) + abs(math.log(width * height / PIXELS))


def _nearest(length: float, multiple: int) -> int:
    return round(length / multiple) * multiple


def completed(width: int | None, height: int | None, aspect: str, *, multiple: int = MULTIPLE) -> tuple[int, int]:
    """
    Say how large the picture is, from what the person said of it.

    An explicit size wins over the aspect; of a size of which only one side is known, the aspect gives the other.
    """
    if width is None and height is None:
        return size_of(aspect, multiple=multiple)
    if width is None:
        assert height is not None, "the case before took it"  # noqa: S101 - for the type checker
        return max(multiple, _nearest(height * ratio_of(aspect), multiple)), height
    if height is None:
        return width, max(multiple, _nearest(width / ratio_of(aspect), multiple))
    return width, height
