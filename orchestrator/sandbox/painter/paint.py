"""The painter's one door: a brief becomes a picture, the same brief the same pixels."""

import math

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from orchestrator.sandbox.painter.brief import Brief, Picture
from orchestrator.sandbox.painter.canvas import Canvas
from orchestrator.sandbox.painter.scenes import paint_scene
from orchestrator.sandbox.painter.styles import apply_style
from orchestrator.sandbox.painter.vary import vary
from orchestrator.sandbox.painter.words import prompt_seed, read_scene

GRAIN = 2.2
LEAST_SIDE = 256
WIDEST = 3


def paint(brief: Brief) -> Picture:
    """
    Paint a picture of procedural art.

    Takes about 0.15 s for a megapixel and is safe to call in several threads.
    """
    rng = np.random.default_rng([brief.seed, prompt_seed(brief.prompt, brief.negative)])
    canvas = Canvas(Image.new("RGB", _canvas_size(brief.width, brief.height)), rng)
    paint_scene(canvas, read_scene(brief.prompt, brief.negative, rng))
    _bloom(canvas)
    canvas.image = ImageOps.fit(canvas.image, (brief.width, brief.height), Image.Resampling.LANCZOS)
    if brief.source is not None:
        canvas.image = vary(brief.source, canvas.image, brief.change, rng)
    else:
        _vignette(canvas)
    for style in brief.styles:
        canvas.image = apply_style(canvas.image, style, rng)
    _grain(canvas)
    return np.asarray(canvas.image)


def _canvas_size(width: int, height: int) -> tuple[int, int]:
    """Find a canvas on which things have room: not tiny, not a strip. The picture is cut from it."""
    least = max(LEAST_SIDE, min(width, height), math.ceil(max(width, height) / WIDEST))
    scale = max(1.0, LEAST_SIDE / min(width, height))
    return (
        min(max(least, round(width * scale)), least * WIDEST),
        min(max(least, round(height * scale)), least * WIDEST),
    )


def _bloom(canvas: Canvas) -> None:
    """Let what is bright shine over its edges."""
    size = (max(1, canvas.width // 8), max(1, canvas.height // 8))
    bright = canvas.image.resize(size, Image.Resampling.BOX).point(lambda value: max(0, value - 185) * 1.1)
    halo = bright.filter(ImageFilter.GaussianBlur(max(1.0, canvas.unit / 8 / 28)))
    canvas.image = ImageChops.screen(canvas.image, halo.resize(canvas.image.size, Image.Resampling.BILINEAR))


def _vignette(canvas: Canvas) -> None:
    x, y = canvas.soft_grid()
    distance = ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 2
    shade = canvas.enlarge((1 - 0.3 * distance**1.4) * 255)
    canvas.image = ImageChops.multiply(canvas.image, Image.merge("RGB", [shade] * 3))


def _grain(canvas: Canvas) -> None:
    """Hide the steps of eight bits under a little noise."""
    tile = np.clip(128 + canvas.rng.normal(0, GRAIN, (128, 128)), 0, 255).astype(np.uint8)
    repeats = (-(-canvas.height // 128), -(-canvas.width // 128))
    noise = Image.fromarray(np.tile(tile, repeats)[: canvas.height, : canvas.width])
    canvas.image = ImageChops.add(canvas.image, Image.merge("RGB", [noise] * 3), offset=-128)
