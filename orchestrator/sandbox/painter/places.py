"""Man-made places: a city at the waterside or in the rain, and a room with a window."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from orchestrator.sandbox.painter.canvas import (
    Box,
    Canvas,
    Colour,
    Field,
    Pen,
    Point,
    curve,
    dim,
    ints,
    mix,
    rgb,
    to_image,
)
from orchestrator.sandbox.painter.light import Light
from orchestrator.sandbox.painter.sky import mist
from orchestrator.sandbox.painter.water import paint_water

NEON = tuple(rgb(text) for text in ("#ff2e88", "#22e0ff", "#b04bff", "#ffb02e", "#3dff9a", "#ff4b3e"))
WINDOW = tuple(rgb(text) for text in ("#ffd58a", "#ffe7bd", "#ffbf66", "#cfe6ff"))


def paint_city(canvas: Canvas, light: Light, horizon: float, *, neon: bool) -> None:
    """Four rows of towers, nearer ones darker and with more light in their windows, over wet ground."""
    lamps = Image.new("RGB", canvas.image.size)
    layers = 4
    for layer in range(layers):
        depth = layer / (layers - 1)
        colour = mix(mix(light.far, light.near, 0.25 + 0.7 * depth), rgb("#1a1030"), 0.25 if neon else 0.0)
        _towers(canvas, lamps, light, horizon, depth=depth, colour=colour, neon=neon)
        if depth < 1:
            haze = mix(light.far, NEON[int(canvas.rng.integers(3))], 0.35) if neon else light.far
            mist(canvas, haze, horizon - 0.02, 0.09, 0.55 * (1 - depth))
    _shine(canvas, lamps, strong=neon)
    tint = rgb("#150f2b") if neon else mix(light.near, rgb("#31506b"), 0.5)
    paint_water(canvas, light, None, horizon, tint=tint, calm=0.62 if neon else 0.5, clear=0.88)


def _towers(
    canvas: Canvas, lamps: Image.Image, light: Light, horizon: float, *, depth: float, colour: Colour, neon: bool
) -> None:
    rng, unit = canvas.rng, canvas.unit
    foot = round(horizon * canvas.height) + 1
    x = -unit * 0.05
    middle = float(rng.uniform(0.35, 0.65)) * canvas.width
    while x < canvas.width:
        width = unit * float(rng.uniform(0.045, 0.1)) * (0.65 + 0.75 * depth)
        closeness = float(np.exp(-(((x - middle) / (0.42 * canvas.width)) ** 2)))
        rise = float(rng.uniform(0.25, 1.0)) * (0.35 + 0.65 * closeness) * (0.95 - 0.42 * depth)
        top = foot - rise * horizon * canvas.height * 0.82
        box = (max(0, round(x)), max(0, round(top)), min(canvas.width, round(x + width)), foot)
        if box[0] < box[2] and box[1] < box[3]:
            shade = dim(colour, float(rng.uniform(0.85, 1.15)))
            _tower(canvas, lamps, light, box, colour=shade, depth=depth)
            if neon and depth > 0.3 and rng.random() < 0.75:
                _sign(canvas, lamps, box)
        x += width * float(rng.uniform(0.85, 1.25 if depth < 0.9 else 1.8))


def _tower(canvas: Canvas, lamps: Image.Image, light: Light, box: Box, *, colour: Colour, depth: float) -> None:
    rng = canvas.rng
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    face = Image.new("RGB", (1, 2))
    face.putpixel((0, 0), ints(dim(colour, 0.92)))
    face.putpixel((0, 1), ints(mix(colour, light.far, 0.35 * (1 - depth))))
    canvas.image.paste(face.resize(size, Image.Resampling.BILINEAR), (left, top))
    if rng.random() < 0.4:
        mast = Image.new("RGB", (max(1, round(canvas.unit * 0.003)), round(size[1] * 0.14)), ints(colour))
        canvas.image.paste(mast, (left + size[0] // 2, max(0, top - mast.height)))
    step = max(3, round(canvas.unit * (0.007 + 0.006 * depth)))
    columns, rows = size[0] // step, size[1] // step
    if columns < 1 or rows < 1:
        return
    share = (0.1 + 0.22 * depth) if light.is_dark else 0.05
    lit = rng.random((rows, columns)) < share * rng.uniform(0.4, 1.5)
    shades = np.asarray(WINDOW)[rng.integers(0, len(WINDOW), (rows, columns))] * rng.uniform(0.4, 1, (rows, columns, 1))
    grid = np.where(lit[..., None], shades, 0).astype(np.uint8)
    panes = Image.fromarray(grid).resize((columns * step, rows * step), Image.Resampling.NEAREST)
    gaps = Image.new("L", (step, step))
    gaps.paste(int(95 + 160 * depth), (0, 0, max(1, round(step * 0.6)), max(1, round(step * 0.55))))
    mask = _tiled(gaps, panes.size)
    lamps.paste((0, 0, 0), box)
    lamps.paste(ImageChops.multiply(panes, Image.merge("RGB", [mask] * 3)), (left + (size[0] - panes.width) // 2, top))


def _tiled(tile: Image.Image, size: tuple[int, int]) -> Image.Image:
    pixels = np.asarray(tile)
    return Image.fromarray(np.tile(pixels, (size[1] // tile.height, size[0] // tile.width)))


def _sign(canvas: Canvas, lamps: Image.Image, box: Box) -> None:
    rng, unit = canvas.rng, canvas.unit
    colour = NEON[int(rng.integers(len(NEON)))]
    left, top, right, bottom = box
    thick = max(1, round(unit * 0.0035))
    kind = int(rng.integers(3))

    def draw(pen: Pen) -> None:
        if kind == 0:  # a tall sign with strokes like letters
            x = left + (right - left) * float(rng.uniform(0.25, 0.6))
            y, side = top + (bottom - top) * 0.12, unit * 0.022
            for _ in range(int(rng.integers(3, 6))):
                for dx, dy, ex, ey in _glyph(rng):
                    pen.line([(x + dx * side, y + dy * side), (x + ex * side, y + ey * side)], thick)
                y += side * 1.45
        elif kind == 1:  # the tower's outline
            pen.line([(left + thick, bottom), (left + thick, top + thick), (right - thick, top + thick)], thick)
            pen.line([(right - thick, top + thick), (right - thick, bottom)], thick)
        else:  # bands
            for share in sorted(rng.uniform(0.05, 0.7, 3).tolist()):
                y = top + (bottom - top) * share
                pen.line([(left + thick, y), (right - thick, y)], thick * 1.5)

    lamps.paste(ints(colour), box[:2], canvas.shape(box, draw, fineness=2))


def _glyph(rng: np.random.Generator) -> list[tuple[float, float, float, float]]:
    strokes = [(0, 0, 1, 0), (0, 0.5, 1, 0.5), (0, 1, 1, 1), (0, 0, 0, 1), (1, 0, 1, 1), (0.5, 0, 0.5, 1), (0, 1, 1, 0)]
    chosen = rng.permutation(len(strokes))[: int(rng.integers(3, 5))]
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in (strokes[int(index)] for index in chosen)]


def _shine(canvas: Canvas, lamps: Image.Image, *, strong: bool) -> None:
    """Put the lamps in, with light around them."""
    canvas.image = ImageChops.lighter(canvas.image, lamps)
    small = lamps.resize((max(1, canvas.width // 8), max(1, canvas.height // 8)), Image.Resampling.BOX)
    for radius, power in ((1, 1.5), (5, 2.2 if strong else 1.0)):
        halo = small.filter(ImageFilter.GaussianBlur(radius)).point(lambda value, power=power: min(255, value * power))
        canvas.image = ImageChops.screen(canvas.image, halo.resize(canvas.image.size, Image.Resampling.BILINEAR))


def paint_room(canvas: Canvas, light: Light, wood: Colour) -> tuple[float, float]:
    """
    Cover all but a window with a wall, curtains and a sill.

    Returns:
        Where something may sit on the sill, in pixels.

    """
    width, height, unit = canvas.width, canvas.height, canvas.unit
    wide = min(width * 0.8, unit * 0.86)
    left, right = (width - wide) / 2, (width + wide) / 2
    top, sill = height * 0.07, height * 0.8
    frame = unit * 0.022
    box = (0, 0, width, height)

    def wall(pen: Pen) -> None:
        pen.rectangle(0, 0, width, height)
        pen.rectangle(left, top, right, sill, 0)

    def bars(pen: Pen) -> None:
        pen.rectangle(left - frame, top - frame, right + frame, top)
        for x in (left - frame / 2, (left + right) / 2, right + frame / 2):
            pen.rectangle(x - frame / 2, top, x + frame / 2, sill)
        pen.rectangle(left, top + (sill - top) * 0.3, right, top + (sill - top) * 0.3 + frame * 0.7)

    inside = mix(light.near, wood, 0.35)
    paint = canvas.gradient([(0, dim(inside, 0.7)), (0.8, inside), (1, dim(inside, 0.5))])
    canvas.fill(box, canvas.shape(box, wall, fineness=1), paint)
    canvas.fill(box, canvas.shape(box, bars, fineness=2), canvas.gradient([(0, dim(wood, 0.75)), (0.8, wood)]))
    _curtains(canvas, (left, top, right, sill), mix(mix(wood, rgb("#f3ebe0"), 0.5), light.cloud_lit, 0.3))
    ledge = (0, round(sill), width, min(height, round(sill + unit * 0.045)))
    bright = mix(mix(wood, light.sun, 0.45), light.sky[-1][1], 0.25)
    canvas.image.paste(canvas.gradient([(0, bright), (1, dim(wood, 0.6))], ledge[1], ledge[3]).crop(ledge), ledge[:2])
    _floor_light(canvas, light, ledge[3])
    return (left + right) / 2, sill + unit * 0.012


def _curtains(canvas: Canvas, pane: tuple[float, float, float, float], colour: Colour) -> None:
    """Two lengths of cloth that hang at the sides of a window and let some light through."""
    left, top, right, sill = pane
    unit = canvas.unit
    for outer, inward in ((left, 1), (right, -1)):
        start = outer - inward * unit * 0.1
        inner = [
            (outer + inward * unit * wide, top - unit * 0.03 + (sill - top + unit * 0.045) * share)
            for share, wide in ((0, 0.135), (0.2, 0.12), (0.45, 0.085), (0.7, 0.07), (1, 0.1))
        ]
        outline = [(start, inner[0][1]), *curve([inner[0], *inner, inner[-1]]), (start, inner[-1][1])]
        low, high = sorted((start, outer + inward * unit * 0.15))
        box = (max(0, int(low)), max(0, int(top - unit * 0.05)), min(canvas.width, int(high)), int(sill + unit * 0.05))

        def cloth(pen: Pen, outline: list[Point] = outline) -> None:
            pen.polygon(outline, 242)

        canvas.draw(box, cloth, _folds(canvas, (box[2] - box[0], box[3] - box[1]), colour), fineness=2)


def _folds(canvas: Canvas, size: tuple[int, int], colour: Colour) -> Image.Image:
    x = np.arange(size[0], dtype=np.float32) / canvas.unit
    folds = 0.58 + 0.34 * np.sin(x * 105 + 2 * np.sin(x * 41)) ** 2
    row: Field = folds[None, :, None] * np.asarray(colour, dtype=np.float32)
    return to_image(row).resize(size, Image.Resampling.NEAREST)


def _floor_light(canvas: Canvas, light: Light, top: int) -> None:
    """Below the sill the wall is in shadow and takes a little of the sky's colour."""
    box = (0, top, canvas.width, canvas.height)
    if box[1] >= box[3]:
        return
    shadow = canvas.gradient([(0, dim(light.near, 0.6)), (1, mix(light.near, light.far, 0.16))], top)
    canvas.image.paste(shadow.crop(box), box[:2])
