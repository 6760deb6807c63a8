"""What the painter is asked for."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Rows, columns, RGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A LoRA as the painter sees it: a name that it may know, and how strongly it acts."""

    name: str
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    prompt: str
    negative: str
    """What should not be in the picture."""
    seed: int
    width: int
    height: int
    styles: tuple[Style, ...]
    source: Picture | None = None
    """A picture to start from (image to image)."""
    change: float = 1.0
    """How far to go from *source*: 0 keeps it, 1 forgets it."""
