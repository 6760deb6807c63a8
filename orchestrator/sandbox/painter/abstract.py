"""Pictures of nothing that can be named: flowing silk, and nebulae with stars and planets."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from orchestrator.sandbox.painter.canvas import SOFT, Canvas, Colour, Field, Pen, dim, mix, ramp, rgb, smooth, to_image

PALETTES = (
    ("#0b1033", "#26307d", "#8f3fa8", "#f2668b", "#ffc78f"),
    ("#06222b", "#0e5f6b", "#35b8a6", "#c8e8b9", "#fff0c2"),
    ("#1b0f2e", "#5a2a83", "#c14b8a", "#ff9d76", "#ffe6b3"),
    ("#0a1a2f", "#1f4e8c", "#5aa9e6", "#cfe8ff", "#ffd6a5"),
    ("#1d1411", "#6e2c1f", "#d2622a", "#f5b34f", "#fff1cf"),
)
DETAIL = 2


def paint_flow(canvas: Canvas, accent: Colour | None) -> None:
    """Bands of colour that fold over one another like cloth, lit from one side."""
    rng = canvas.rng
    palette = [rgb(text) for text in PALETTES[int(rng.integers(len(PALETTES)))]]
    if accent is not None:
        palette[2], palette[3] = accent, mix(accent, (255.0, 255.0, 255.0), 0.45)
    bend = _warped(canvas, canvas.noise(1.5, 3), canvas.noise(1.4, 3), 0.26)
    field = _warped(canvas, bend, canvas.noise(1.1, 2), 0.3)
    field = (field - field.min()) / max(1e-6, float(np.ptp(field)))
    size = (max(1, canvas.width // DETAIL), max(1, canvas.height // DETAIL))
    fine = np.asarray(Image.fromarray(field).resize(size, Image.Resampling.BICUBIC))
    folds = fine * float(rng.uniform(3.5, 5.5))
    tone = 0.62 * fine + 0.38 * (0.5 - 0.5 * np.cos(2 * np.pi * folds))
    stops = [(index / (len(palette) - 1), colour) for index, colour in enumerate(palette)]
    colours = ramp(stops, tone.astype(np.float32))
    across = np.gradient(fine, axis=1) * size[0] + 0.6 * np.gradient(fine, axis=0) * size[1]
    light = np.clip(1 + 0.16 * across * np.sin(2 * np.pi * folds), 0.45, 1.7)
    canvas.image = to_image((colours * light[..., None]).astype(np.float32)).resize(
        canvas.image.size, Image.Resampling.BICUBIC
    )
    _motes(canvas, palette[-1])


def _warped(canvas: Canvas, field: Field, by: Field, strength: float) -> Field:
    """Look up a field at places that another one moves."""
    height, width = field.shape
    grow = strength * canvas.unit / SOFT
    dx, dy = (by - 0.5) * 2 * grow, (np.flipud(by) - 0.5) * 2 * grow
    columns = _reflected(np.arange(width)[None, :] + dx, width)
    rows = _reflected(np.arange(height)[:, None] + dy, height)
    moved = Image.fromarray(np.ascontiguousarray(field[rows, columns]))
    small = moved.resize((max(2, width // 3), max(2, height // 3)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def _reflected(places: Field, count: int) -> npt.NDArray[np.int64]:
    """Turn places outside a field into the mirror image inside it."""
    period = 2 * max(1, count - 1)
    folded = np.mod(places, period)
    nearest: npt.NDArray[np.int64] = np.minimum(folded, period - folded).astype(np.int64)
    return nearest


def _motes(canvas: Canvas, colour: Colour) -> None:
    for _ in range(26):
        x, y = canvas.px(float(canvas.rng.random()), float(canvas.rng.random()))
        canvas.glow(x, y, canvas.unit * float(canvas.rng.uniform(0.004, 0.03)), dim(colour, 0.55), core=0.15)


def paint_space(canvas: Canvas, accent: Colour | None, *, with_planet: bool) -> None:
    """Glowing gas, dust in front of it, stars, and perhaps a planet."""
    rng = canvas.rng
    schemes = (("#2b1a66", "#c23d8a", "#ffb38a"), ("#0d3a6b", "#2fa6c9", "#e8f7ff"), ("#401a52", "#e0533d", "#ffd98f"))
    deep, gas, hot = (rgb(text) for text in schemes[int(rng.integers(len(schemes)))])
    gas = accent or gas
    wide = _warped(canvas, canvas.noise(2.2, 6, rough=0.55), canvas.noise(2, 4), 0.2)
    veins = 1 - np.abs(_warped(canvas, canvas.noise(3, 6, rough=0.6), canvas.noise(2, 4), 0.24) - 0.5) * 4
    x, y = canvas.soft_grid()
    tilt = float(rng.uniform(-0.6, 0.6))
    band = np.exp(-((((y - 0.5) + (x - 0.5) * tilt) / 0.34) ** 2))
    density = smooth(wide, 0.36, 0.7) * (0.25 + 0.9 * band)
    colours = ramp([(0, rgb("#04050f")), (0.3, dim(deep, 0.75)), (0.62, gas), (1, hot)], np.clip(density, 0, 1))
    colours *= (0.55 + 0.6 * np.clip(veins, 0, 1))[..., None]
    canvas.cover(colours)
    _field_of_stars(canvas, density)
    if with_planet:
        _planet(canvas, gas, deep)


def _field_of_stars(canvas: Canvas, density: Field) -> None:
    rng = canvas.rng
    count = int(1500 * canvas.width * canvas.height / canvas.unit**2)
    pixels = np.zeros((canvas.height, canvas.width), dtype=np.uint8)
    x, y = rng.integers(0, canvas.width, count), rng.integers(0, canvas.height, count)
    pixels[y, x] = rng.random(count) ** 4 * 200 + 30
    canvas.image = ImageChops.screen(canvas.image, Image.fromarray(pixels).convert("RGB"))
    tints = (rgb("#cfe0ff"), rgb("#ffffff"), rgb("#ffe2c0"))
    for _ in range(34):
        at = canvas.px(float(rng.random()), float(rng.random()))
        canvas.glow(*at, canvas.unit * float(rng.gamma(1.4, 0.006) + 0.004), tints[int(rng.integers(3))], core=0.1)
    row, column = divmod(int(np.argmax(density)), density.shape[1])
    canvas.glow(column * SOFT, row * SOFT, canvas.unit * 0.22, rgb("#8a6a5a"))


def _planet(canvas: Canvas, gas: Colour, deep: Colour) -> None:
    rng, unit = canvas.rng, canvas.unit
    radius = unit * float(rng.uniform(0.13, 0.22))
    x, y = float(rng.uniform(0.25, 0.75)) * canvas.width, float(rng.uniform(0.35, 0.7)) * canvas.height
    box = (max(0, int(x - radius) - 2), max(0, int(y - radius) - 2), int(x + radius) + 2, int(y + radius) + 2)
    box = (box[0], box[1], min(canvas.width, box[2]), min(canvas.height, box[3]))
    columns = (np.arange(box[0], box[2], dtype=np.float32)[None, :] - x) / radius
    rows = (np.arange(box[1], box[3], dtype=np.float32)[:, None] - y) / radius
    height = np.sqrt(np.clip(1 - columns**2 - rows**2, 0, 1))
    bands = 0.5 + 0.25 * np.sin(rows * 13 + 1.6 * np.sin(columns * 2.2 + rows * 5)) + 0.2 * np.sin(rows * 31 + columns)
    sunlight = np.clip(-0.62 * columns - 0.45 * rows + 0.62 * height, 0.015, 1)
    colours = ramp(
        [(0, mix(gas, (30, 20, 40), 0.5)), (0.5, mix(gas, (240, 220, 190), 0.35)), (1, rgb("#f6e6cf"))], bands
    )
    canvas.glow(x - radius * 0.15, y - radius * 0.12, radius * 1.5, dim(mix(gas, deep, 0.3), 0.55), core=0.45)

    def disc(pen: Pen) -> None:
        pen.ellipse(x, y, radius, radius)

    canvas.fill(box, canvas.shape(box, disc), to_image((colours * sunlight[..., None] * 1.15).astype(np.float32)))
