"""Image to image: another picture that remembers the first."""

import numpy as np
from PIL import Image, ImageChops, ImageOps

from orchestrator.sandbox.painter.brief import Picture
from orchestrator.sandbox.painter.canvas import Field, to_image

FORGET_FROM = 0.9


def vary(source: Picture, painted: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    """
    Look at *source* from elsewhere and in another light.

    Args:
        painted: What the words alone would give: colours are drawn towards it, and from 0.9 on it is the picture.

        change: 0 gives the source back, 1 forgets it.

    """
    image = ImageOps.fit(Image.fromarray(np.ascontiguousarray(source)), painted.size, Image.Resampling.BICUBIC)
    if change <= 0:
        return image
    if change >= FORGET_FROM:
        return _recoloured(painted, image, (1 - change) / (1 - FORGET_FROM) * 0.6)
    image = _reframed(image, change, rng)
    image = _bent(image, change, rng)
    image = _recoloured(image, painted, 0.6 * change)
    return _relit(image, change, rng)


def _reframed(image: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    """Step nearer, a little to the side, or look at it in a mirror."""
    width, height = image.size
    zoom = 1 + change * float(rng.uniform(0.03, 0.14))
    left = float(rng.uniform(0.2, 0.8)) * width * (1 - 1 / zoom)
    top = float(rng.uniform(0.1, 0.6)) * height * (1 - 1 / zoom)
    box = (left, top, left + width / zoom, top + height / zoom)
    nearer = image.resize(image.size, Image.Resampling.BICUBIC, box=box)
    return ImageOps.mirror(nearer) if rng.random() < change * 0.7 else nearer


def _relit(image: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    """Let light of another colour fall in from one side, and shade the other."""
    width, height = image.size
    tints = ((255, 170, 90), (120, 170, 255), (255, 120, 190), (140, 255, 210), (255, 230, 150))
    tint = np.asarray(tints[int(rng.integers(len(tints)))], dtype=np.float32)
    x, y = np.meshgrid(np.linspace(-1, 1, 64, dtype=np.float32), np.linspace(-1, 1, 64, dtype=np.float32))
    angle = float(rng.uniform(0, 2 * np.pi))
    side = np.clip(0.5 + 0.5 * (x * np.cos(angle) + y * np.sin(angle)), 0, 1)[..., None]
    light = to_image(side**1.6 * tint * 0.42 * change).resize((width, height), Image.Resampling.BICUBIC)
    shade = to_image(255 * (1 - (1 - side) ** 2 * 0.4 * change) * np.ones(3)).resize((width, height))
    return ImageChops.screen(ImageChops.multiply(image, shade), light)


def _bent(image: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    """Shift parts of the picture against each other, too little to look bent."""
    width, height = image.size
    reach = min(width, height) * 0.012 * change
    shifts = [_swell((width, height), rng) * reach for _ in range(2)]
    columns = np.clip(np.arange(width)[None, :] + shifts[0], 0, width - 1).astype(np.int32)
    rows = np.clip(np.arange(height)[:, None] + shifts[1], 0, height - 1).astype(np.int32)
    flat = (rows * width + columns).ravel()
    return Image.fromarray(np.asarray(image).reshape(-1, 3)[flat].reshape(height, width, 3))


def _swell(size: tuple[int, int], rng: np.random.Generator) -> Field:
    lattice = rng.uniform(-1, 1, (4, 4)).astype(np.float32)
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
