"""LoRAs: what each does to a finished picture. A name that is not known still has a look of its own."""

import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from orchestrator.sandbox.painter.brief import Style
from orchestrator.sandbox.painter.canvas import Field, ints, rgb

Look = Callable[[Image.Image, np.random.Generator], Image.Image]


def apply_style(image: Image.Image, style: Style, rng: np.random.Generator) -> Image.Image:
    """Draw *image* towards the style's look: 0 not at all, 1 fully, beyond it with more contrast too."""
    share = min(1.0, abs(style.strength))
    if share == 0:
        return image
    look = LOOKS.get(style.name.lower())
    styled = _own_look(image, style.name, rng) if look is None else look(image, rng)
    if style.strength < 0:
        styled = ImageOps.invert(styled)
    if abs(style.strength) > 1:
        styled = ImageEnhance.Contrast(styled).enhance(min(1.8, 0.7 + 0.3 * abs(style.strength)))
    return Image.blend(image, styled, share)


def _ink(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Washes of ink on warm paper, with brushed outlines."""
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=2).point(_lifted)
    soft = grey.filter(ImageFilter.BoxBlur(max(1, image.width // 300)))
    levels = [level * 255 for level in (0.05, 0.22, 0.48, 0.74, 0.93, 1.0)]
    table = [_stepped(value, levels) for value in range(256)]
    washes = ImageChops.blend(soft.point(table), soft, 0.25)
    edges = _edges(soft).point(lambda value: 255 - min(255, value * 7))
    lines = edges.filter(ImageFilter.BoxBlur(max(0.6, image.width / 1100)))
    inked = ImageChops.multiply(washes, lines)
    inked = ImageChops.multiply(inked, _paper(image.size, rng, 14))
    return ImageOps.colorize(inked, black="#17171c", mid="#7c766c", white="#f6efdf", midpoint=118)


def _lifted(value: int) -> float:
    """Let more paper show."""
    return float(255 * (value / 255) ** 0.72)


def _stepped(value: int, levels: list[float]) -> int:
    """Mostly flat steps with soft borders."""
    place = value / 255 * (len(levels) - 1)
    index = int(min(len(levels) - 2, place))
    share = min(1.0, max(0.0, (place - index - 0.35) / 0.3))
    return round(levels[index] + (levels[index + 1] - levels[index]) * share)


def _neon(image: Image.Image, _rng: np.random.Generator) -> Image.Image:
    """Night colours: violet shadows, cyan and magenta lights, glowing edges."""
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    duotone = ImageOps.colorize(grey, black="#0a0420", mid="#7a1fb8", white="#6df3ff", midpoint=120)
    vivid = Image.blend(duotone, ImageEnhance.Color(image).enhance(2.1), 0.42)
    vivid = ImageChops.multiply(vivid, Image.new("RGB", image.size, (215, 200, 240)))
    small = grey.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.BOX)
    edges = _edges(small).point(lambda value: min(255, int(value * 3.4)))
    glow = edges.resize((max(1, image.width // 8), max(1, image.height // 8)), Image.Resampling.BOX)
    glow = glow.filter(ImageFilter.GaussianBlur(3)).point(lambda value: min(255, value * 2))
    for mask, colour in ((edges, "#ff49c8"), (glow, "#a12bff")):
        light = Image.new("RGB", image.size)
        light.paste(ints(rgb(colour)), (0, 0), mask.resize(image.size, Image.Resampling.BILINEAR))
        vivid = ImageChops.screen(vivid, light)
    return vivid


def _watercolour(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Pigment that ran a little, pooled at edges, on rough paper."""
    size = image.size
    small = image.resize((max(2, size[0] // 3), max(2, size[1] // 3)), Image.Resampling.BOX)
    flat = small.filter(ImageFilter.MedianFilter(5))
    pixels = np.asarray(flat)
    height, width = pixels.shape[:2]
    reach = min(width, height) / 300
    dx, dy = (
        (_blotches((width, height), rng, 30) - 0.5) * 4 * reach,
        (_blotches((width, height), rng, 30) - 0.5) * 4 * reach,
    )
    columns = np.clip(np.arange(width)[None, :] + dx, 0, width - 1).astype(np.int64)
    rows = np.clip(np.arange(height)[:, None] + dy, 0, height - 1).astype(np.int64)
    run = Image.fromarray(pixels[rows, columns]).resize(size, Image.Resampling.BICUBIC)
    pigment = _blotches((width, height), rng, 7)
    thin = Image.fromarray((np.clip(0.06 + (pigment - 0.4) * 0.8, 0, 0.34) * 255).astype(np.uint8))
    run = ImageEnhance.Color(run).enhance(1.25)
    run.paste((250, 246, 236), (0, 0), thin.resize(size, Image.Resampling.BICUBIC))
    edges = _edges(run.convert("L")).filter(ImageFilter.BoxBlur(1))
    pooled = edges.point(lambda value: 255 - min(90, value * 3))
    run = ImageChops.multiply(run, Image.merge("RGB", [pooled] * 3))
    lifted = ImageChops.screen(run, Image.new("RGB", size, (34, 32, 30)))
    return ImageChops.multiply(lifted, Image.merge("RGB", [_paper(size, rng, 16)] * 3))


def _b0throps(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """An old travel poster: rich inks in soft steps, warm paper, a little print grain."""
    rich = ImageEnhance.Color(image).enhance(1.4)
    inks = [
        _poster_ink(value, lift, paper) for lift, paper in ((34, 255), (24, 244), (20, 222)) for value in range(256)
    ]
    return ImageChops.multiply(rich.point(inks), Image.merge("RGB", [_paper(image.size, rng, 12)] * 3))


def _poster_ink(value: int, lift: int, paper: int) -> int:
    """More contrast, half a step towards 18 shades, blacks lifted, whites as warm as the paper."""
    contrasted = min(255.0, max(0.0, 128 + (value - 128) * 1.15))
    stepped = 0.5 * contrasted + 0.5 * round(contrasted / 15) * 15
    lifted = 255 - (255 - stepped) * (255 - lift) / 255
    return round(lifted * paper / 255)


def _own_look(image: Image.Image, name: str, rng: np.random.Generator) -> Image.Image:
    """Colours of its own for a LoRA of any other name."""
    dice = np.random.default_rng(zlib.crc32(name.encode()))
    hue, saturation, brightness = image.convert("HSV").split()
    turn = int(dice.integers(18, 110)) * int(dice.choice([-1, 1]))
    turned = Image.merge("HSV", (hue.point(lambda value: (value + turn) % 256), saturation, brightness)).convert("RGB")
    graded = ImageEnhance.Contrast(turned).enhance(float(dice.uniform(0.95, 1.25)))
    return ImageChops.multiply(graded, Image.merge("RGB", [_paper(image.size, rng, int(dice.integers(4, 18)))] * 3))


def _edges(grey: Image.Image) -> Image.Image:
    """Find outlines, without the picture's own border."""
    found = grey.filter(ImageFilter.FIND_EDGES)
    inside = found.crop((2, 2, max(3, grey.width - 2), max(3, grey.height - 2)))
    clean = Image.new("L", grey.size)
    clean.paste(inside, (2, 2))
    return clean


def _blotches(size: tuple[int, int], rng: np.random.Generator, cells: int) -> Field:
    total = np.zeros((size[1], size[0]), dtype=np.float32)
    for octave, weight in ((1, 0.6), (2, 0.4)):
        lattice = rng.random((cells * octave, cells * octave), dtype=np.float32)
        total += weight * np.asarray(Image.fromarray(lattice).resize(size, Image.Resampling.BICUBIC))
    return total


def _paper(size: tuple[int, int], rng: np.random.Generator, depth: int) -> Image.Image:
    """The tooth of paper, tiled."""
    tile = rng.normal(0, 1, (256, 256)).astype(np.float32)
    tile = 0.6 * tile + np.roll(tile, 1, 0) * 0.4 + np.roll(tile, 1, 1) * 0.4
    shades = np.clip(255 - depth * 0.5 + tile * depth * 0.42, 0, 255).astype(np.uint8)
    repeats = (-(-size[1] // 256), -(-size[0] // 256))
    return Image.fromarray(np.tile(shades, repeats)[: size[1], : size[0]])


LOOKS: dict[str, Look] = {
    "ink": _ink,
    "neon": _neon,
    "watercolour": _watercolour,
    "watercolor": _watercolour,
    "b0throps": _b0throps,
}
