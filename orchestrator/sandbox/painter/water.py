"""Water and wet ground: what is above, turned over, drawn out and broken by waves."""

import numpy as np
from PIL import Image, ImageChops

from orchestrator.sandbox.painter.canvas import Canvas, Colour, Field, ramp, to_image
from orchestrator.sandbox.painter.light import Light
from orchestrator.sandbox.painter.sky import Sun


def paint_water(
    canvas: Canvas,
    light: Light,
    sun: Sun | None,
    horizon: float,
    *,
    tint: Colour,
    calm: float = 0.5,
    clear: float = 0.7,
) -> None:
    """
    Cover what lies below *horizon* (share of the height) with a mirror of what lies above.

    Args:
        calm: 1 is a mirror, 0 is a rough sea.

        clear: Share of the reflection against the water's own colour.

    """
    top = round(horizon * canvas.height)
    rows = canvas.height - top
    if rows < 2 or top < 2:
        return
    source = np.asarray(canvas.image)
    depth = np.linspace(0, 1, rows, dtype=np.float32)
    waves = _waves(canvas, rows, depth)
    reach = canvas.unit * (0.012 + 0.1 * (1 - calm)) * (0.15 + depth)[:, None]
    mirrored = top - 1 - np.arange(rows, dtype=np.float32)[:, None] * (0.92 * (top - 1) / max(rows, top))
    lines = np.clip(mirrored + waves * reach * 2.2, 0, top - 1).astype(np.int32)
    columns = np.clip(np.arange(canvas.width)[None, :] + waves * reach * 0.5, 0, canvas.width - 1).astype(np.int32)
    flat = (lines * canvas.width + columns).ravel()
    mirror = Image.fromarray(source.reshape(-1, 3)[flat].reshape(rows, canvas.width, 3))
    own = to_image(ramp([(0, light.sky[-1][1]), (0.3, tint), (1, _deep(tint))], depth)[:, None, :])
    mixed = Image.blend(own.resize(mirror.size), mirror, clear)
    shade = to_image(np.clip(waves * (16 + 40 * (1 - calm)) * (0.25 + depth)[:, None], 0, 255))
    mixed = ImageChops.add(mixed, Image.merge("RGB", [shade] * 3))
    dark = to_image(np.clip(-waves * (30 + 40 * (1 - calm)) * (0.25 + depth)[:, None], 0, 255))
    mixed = ImageChops.subtract(mixed, Image.merge("RGB", [dark] * 3))
    canvas.image.paste(mixed, (0, top))
    if sun is not None:
        _glitter(canvas, light, sun, top)


def _deep(tint: Colour) -> Colour:
    return (tint[0] * 0.35, tint[1] * 0.42, tint[2] * 0.55)


def _waves(canvas: Canvas, rows: int, depth: Field) -> Field:
    """Noise from -1 to 1 that is wide and flat far off and taller near by."""
    rng = canvas.rng
    total = np.zeros((rows, canvas.width), dtype=np.float32)
    warped = np.sqrt(depth)
    for cells_down, cells_across, weight in ((26, 5, 0.5), (60, 14, 0.32), (130, 40, 0.24)):
        lattice = rng.uniform(-1, 1, (cells_down, cells_across)).astype(np.float32)
        size = (max(2, canvas.width // 2), max(2, min(512, rows)))
        field = np.asarray(Image.fromarray(lattice).resize(size, Image.Resampling.BICUBIC))
        index = np.clip(warped * (size[1] - 1), 0, size[1] - 1).astype(np.int64)
        bent = Image.fromarray(field[index]).resize((canvas.width, rows), Image.Resampling.BILINEAR)
        total += weight * np.asarray(bent)
    return total


def _glitter(canvas: Canvas, light: Light, sun: Sun, top: int) -> None:
    """The path of light below sun or moon, broken into glints."""
    rows, width = canvas.height - top, max(2, canvas.width // 2)
    depth = np.linspace(0, 1, rows, dtype=np.float32)
    rough = canvas.rng.random((max(2, rows // 3), max(2, canvas.width // 10)), dtype=np.float32)
    glints = np.asarray(Image.fromarray(rough).resize((width, rows), Image.Resampling.BICUBIC))
    x = np.arange(width, dtype=np.float32)[None, :] * 2
    spread = (sun.radius * 0.8 + canvas.unit * 0.12 * depth)[:, None]
    path = np.exp(-(((x - sun.x) / spread) ** 2)) * (1 - 0.55 * depth)[:, None]
    strength = np.clip((glints - 0.62 + path * 0.16) * 5, 0, 1) * path
    soft = path * 0.28
    power = 0.55 if sun.is_moon else 0.95
    mask = to_image(np.clip((strength + soft) * power, 0, 1) * 255)
    mask = mask.resize((canvas.width, rows), Image.Resampling.BILINEAR)
    colour = (round(light.sun[0]), round(light.sun[1]), round(light.sun[2]))
    box = (0, top, canvas.width, top + rows)
    lit = Image.composite(Image.new("RGB", mask.size, colour), Image.new("RGB", mask.size), mask)
    canvas.image.paste(ImageChops.screen(canvas.image.crop(box), lit), (0, top))
