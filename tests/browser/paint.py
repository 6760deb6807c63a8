"""Pictures for the page under test: a sky, a light, the sea; what it is depends on the key alone."""

import io
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZES = {"square": (768, 768), "wide": (1024, 576), "tall": (576, 1024)}
PALETTES = (
    ((24, 26, 62), (222, 106, 62), (255, 216, 150)),
    ((15, 38, 54), (86, 146, 150), (250, 226, 190)),
    ((44, 20, 48), (196, 74, 92), (255, 190, 128)),
    ((10, 22, 44), (70, 92, 150), (236, 196, 214)),
)


@cache
def png(key: str) -> bytes:
    """The picture called *key*: ``square-1``, ``wide-7`` ..."""
    width, height = SIZES[key.split("-", maxsplit=1)[0]]
    dice = np.random.default_rng(zlib.crc32(key.encode()))
    image = Image.fromarray(_landscape(width, height, dice))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _landscape(width: int, height: int, dice: np.random.Generator) -> NDArray[np.uint8]:
    top, middle, light = (np.array(colour, float) for colour in PALETTES[int(dice.integers(len(PALETTES)))])
    y, x = np.mgrid[0:height, 0:width] / min(width, height)
    horizon = 0.62 * height / min(width, height)
    sun_x = (0.3 + 0.4 * dice.random()) * width / min(width, height)
    sky = np.clip(y / horizon, 0, 1)[..., None] ** 1.4
    picture = top * (1 - sky) + middle * sky
    glow = np.exp(-5 * ((x - sun_x) ** 2 + (y - horizon + 0.08) ** 2))[..., None]
    picture = picture * (1 - glow) + light * glow
    depth = np.sqrt(np.clip(y - horizon, 0, None))
    waves = (
        0.72 + 0.07 * np.sin(150 * depth + 5 * np.sin(3 * x) * depth) + 0.04 * np.sin(61 * depth + 23 * x * (1 - depth))
    )
    shade = np.where(y > horizon, waves, 1.0)[..., None]
    grain = dice.normal(0, 2.2, (height, width, 1))
    pixels: NDArray[np.uint8] = np.clip(picture * shade + grain, 0, 255).astype(np.uint8)
    return pixels
