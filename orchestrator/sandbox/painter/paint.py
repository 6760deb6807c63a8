"""The painter's one door: a brief becomes a picture, the same brief the same pixels."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from orchestrator.sandbox.painter.brief import Brief, Picture
from orchestrator.sandbox.painter.canvas import Canvas
from orchestrator.sandbox.painter.scenes import paint_scene
from orchestrator.sandbox.painter.styles import apply_style
from orchestrator.sandbox.painter.vary import vary
from orchestrator.sandbox.painter.words import prompt_seed, read_scene

GRAIN = 2.2


def paint(brief: Brief) -> Picture:
    """
    Paint a picture of procedural art.

    Takes about 0.15 s for a megapixel and is safe to call in several threads.
    """
    rng = np.random.default_rng([brief.seed, prompt_seed(brief.prompt, brief.negative)])
    canvas = Canvas(Image.new("RGB", (brief.width, brief.height)), rng)
    paint_scene(canvas, read_scene(brief.prompt, brief.negative, rng))
    _bloom(canvas)
    if brief.source is not None:
        canvas.image = vary(brief.source, canvas.image, brief.change, rng)
    else:
        _vignette(canvas)
    for style in brief.styles:
        canvas.image = apply_style(canvas.image, style, rng)
    _grain(canvas)
    return np.asarray(canvas.image)


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
