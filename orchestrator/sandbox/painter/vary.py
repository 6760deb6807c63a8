"""Image to image: another picture that remembers the first."""

import numpy as np
from PIL import Image, ImageOps

from orchestrator.sandbox.painter.brief import Picture
from orchestrator.sandbox.painter.canvas import Field

MIRROR_FROM = 0.8
FORGET_FROM = 0.85


def vary(source: Picture, painted: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    """
    Bend and recolour *source*.

    Args:
        painted: What the words alone would give: the colours are drawn towards it.

        change: 0 gives the source back, 1 the new painting.

    """
    size = painted.size
    image = ImageOps.fit(Image.fromarray(np.ascontiguousarray(source)), size, Image.Resampling.BICUBIC)
    if change <= 0:
        return image
    image = _reframed(image, change, rng)
    image = _bent(image, change, rng)
    image = _recoloured(image, painted, 0.55 * min(1.0, change))
    if change > FORGET_FROM:
        image = Image.blend(image, painted, (change - FORGET_FROM) / (1 - FORGET_FROM))
    return image


def _reframed(image: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    """Step nearer, a little to the side, or look at it in a mirror."""
    width, height = image.size
    zoom = 1 + change * float(rng.uniform(0.04, 0.22))
    left = float(rng.random()) * width * (1 - 1 / zoom)
    top = float(rng.random()) * height * (1 - 1 / zoom)
    box = (left, top, left + width / zoom, top + height / zoom)
    nearer = image.resize(image.size, Image.Resampling.BICUBIC, box=box)
    return ImageOps.mirror(nearer) if change > MIRROR_FROM and rng.random() < 0.5 else nearer


def _bent(image: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    width, height = image.size
    reach = min(width, height) * 0.055 * change
    shifts = [_swell((width, height), rng) * reach for _ in range(2)]
    columns = np.clip(np.arange(width)[None, :] + shifts[0], 0, width - 1).astype(np.int32)
    rows = np.clip(np.arange(height)[:, None] + shifts[1] * 0.6, 0, height - 1).astype(np.int32)
    flat = (rows * width + columns).ravel()
    return Image.fromarray(np.asarray(image).reshape(-1, 3)[flat].reshape(height, width, 3))


def _swell(size: tuple[int, int], rng: np.random.Generator) -> Field:
    lattice = rng.uniform(-1, 1, (6, 6)).astype(np.float32)
    return np.asarray(Image.fromarray(lattice).resize(size, Image.Resampling.BICUBIC))


def _recoloured(image: Image.Image, painted: Image.Image, share: float) -> Image.Image:
    """Give each channel a mean and spread between those of the two pictures."""
    channels = []
    for own, other in zip(image.split(), painted.split(), strict=True):
        mean, spread = _tone(own)
        goal_mean, goal_spread = _tone(other)
        new_mean = mean + (goal_mean - mean) * share
        factor = 1 + (min(2.0, goal_spread / max(1.0, spread)) - 1) * share
        channels.append(own.point([_clip(new_mean + (value - mean) * factor) for value in range(256)]))
    return Image.merge("RGB", channels)


def _tone(channel: Image.Image) -> tuple[float, float]:
    small = np.asarray(channel.resize((32, 32), Image.Resampling.BOX), dtype=np.float32)
    return float(small.mean()), float(small.std())


def _clip(value: float) -> int:
    return max(0, min(255, round(value)))
