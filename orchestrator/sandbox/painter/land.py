"""Land: mountains, hills, dunes, forests, cliffs."""

import math

import numpy as np

from orchestrator.sandbox.painter.canvas import SOFT, Canvas, Colour, Field, Pen, Spot, dim, mix, ramp, rgb, smooth
from orchestrator.sandbox.painter.light import Light
from orchestrator.sandbox.painter.sky import Sun, mist


def paint_mountains(canvas: Canvas, light: Light, sun: Sun, horizon: float, *, snow: bool) -> None:
    """Four ranges one behind the other, with lit and shadowed faces, and fog at their feet."""
    rng = canvas.rng
    layers = 4
    peak = float(rng.uniform(0.2, 0.8))
    for layer in range(layers):
        depth = layer / (layers - 1)
        base = horizon + 0.02 + 0.09 * layer
        rise = (0.27, 0.36, 0.2, 0.12)[layer]
        shape = 1 - 2.2 * np.abs(canvas.line((3, 2, 4, 3)[layer], 8, rough=0.48, angular=True))
        if layer == 1:
            x = np.arange(canvas.width) / canvas.width
            shape = shape * 0.45 - 0.55 + 1.75 * np.maximum(0, 1 - np.abs(x - peak) / 0.34).astype(np.float32)
        ridge = (base - rise * (0.55 + 0.45 * shape)) * canvas.height
        body = mix(mix(light.far, light.sky[-1][1], 0.25), light.near, (0.18, 0.45, 0.72, 0.95)[layer])
        snow_depth = (0.12, 0.17, 0.05, 0.0)[layer] if snow else (0.03, 0.04, 0.0, 0.0)[layer]
        faces = _faces(canvas, light, sun, ridge, body=body, snow_depth=snow_depth, haze=1 - depth)
        if layer == layers - 1:
            _tree_row(canvas, ridge, canvas.unit * 0.045, mix(body, light.near, 0.6))
        canvas.below(ridge, canvas.enlarge(faces))
        if layer < layers - 1:
            mist(canvas, mix(light.far, light.sky[-1][1], 0.5), base + 0.015, 0.045, 0.75)


def _faces(
    canvas: Canvas, light: Light, sun: Sun, ridge: Field, *, body: Colour, snow_depth: float, haze: float
) -> Field:
    """Spurs run down from the ridge and wander, so light and shade of the ridge's slope are carried down with them."""
    width, height = canvas.soft_size()
    line = ridge[::SOFT][:width] / SOFT
    slope = np.gradient(np.convolve(np.pad(line, 3, mode="edge"), np.ones(7) / 7, "valid"))
    rows = np.arange(height, dtype=np.float32)[:, None]
    depth = np.maximum(0, rows - line[None, :])
    wander = (canvas.noise(9, 5, rough=0.6) - 0.5) * 2
    columns = np.clip(np.arange(width)[None, :] + wander * depth * 1.15, 0, width - 1).astype(np.int64)
    side = 1.0 if sun.x > canvas.width / 2 else -1.0
    grain = (canvas.noise(30, 3, rough=0.7) - 0.5) * 0.5
    lit = np.clip(0.45 + slope[columns] * side * 0.75 + grain, 0, 1).astype(np.float32)
    shade = mix(body, light.near, 0.25)
    sunny = mix(body, light.sun, 0.34 if not light.stars > 0.5 else 0.16)
    colours = ramp([(0, shade), (0.55, body), (1, sunny)], lit)
    if snow_depth:
        limit = snow_depth * canvas.height / SOFT
        cover = smooth(limit * (0.35 + 1.2 * canvas.noise(14, 4)) - depth, -2, limit * 0.12 + 1)
        white = mix(rgb("#ffffff"), light.sun, 0.35)
        dark = mix(mix(rgb("#8fa3cf"), light.cloud_shade, 0.45), light.near, 0.5 if light.stars > 0.5 else 0.1)
        if light.stars > 0.5:
            white = mix(white, light.far, 0.45)
        snowy = ramp([(0, dark), (0.45, mix(dark, white, 0.45)), (0.75, white)], lit)
        snowy += (np.asarray(light.far, dtype=np.float32) - snowy) * (0.35 * haze)
        colours += (snowy - colours) * cover[..., None]
    foot = np.clip(depth / (0.22 * height), 0, 1)[..., None] * 0.5 * haze
    return np.asarray(colours + (np.asarray(light.far, dtype=np.float32) - colours) * foot, dtype=np.float32)


def paint_hills(canvas: Canvas, light: Light, horizon: float, ground: Colour, *, layers: int = 4) -> None:
    """Rolling hills that get darker and warmer towards the viewer."""
    for layer in range(layers):
        depth = (layer + 1) / layers
        base = horizon + (1 - horizon) * (0.86 * layer / layers)
        edge = (base - 0.045 * (0.5 + depth) * canvas.line(2 + layer % 2, 4, rough=0.42)) * canvas.height
        body = mix(
            mix(light.far, ground, 0.25 + 0.6 * depth), light.near, 0.15 + (0.45 if light.is_dark else 0.2) * depth
        )
        top = float(edge.min())
        paint = canvas.gradient([(0, mix(body, light.sun, 0.22)), (0.25, body), (1, dim(body, 0.62))], top)
        canvas.below(edge.astype(np.float32), paint)
        if depth < 1:
            mist(canvas, light.far, base + 0.03, 0.03, 0.4 * (1 - depth))


def paint_dunes(canvas: Canvas, light: Light, sun: Sun, horizon: float) -> None:
    """Dunes with a lit and a shadowed flank that meet in crests running down towards the viewer."""
    is_night = light.stars > 0.5
    sand = mix(rgb("#e9ad68"), light.far if is_night else light.sun, 0.45 if is_night else 0.25)
    dark = mix(rgb("#83443c"), light.near, 0.6 if is_night else 0.25)
    sand = dim(sand, 0.55) if is_night else sand
    for layer in range(6):
        depth = layer / 5
        base = horizon + 0.01 + (1 - horizon) * 0.95 * depth**1.5
        edge = ((base - (0.03 + 0.1 * depth) * canvas.line(2, 3, rough=0.34)) * canvas.height).astype(np.float32)
        faded = 0.6 * (1 - depth) ** 1.3
        flanks = _flanks(canvas, edge, mix(sand, light.far, faded), mix(dark, light.far, faded), sun)
        canvas.below(edge, canvas.enlarge(flanks))


def _flanks(canvas: Canvas, edge: Field, lit: Colour, shadow: Colour, sun: Sun) -> Field:
    """Carry the shade of the crest's slope down and sideways, with wind ripples on top."""
    width, height = canvas.soft_size()
    side = 1.0 if sun.x > canvas.width / 2 else -1.0
    slope = np.gradient(np.convolve(np.pad(edge, 40, mode="edge"), np.ones(81) / 81, "valid"))[::SOFT][:width]
    depth = np.maximum(0, np.arange(height, dtype=np.float32)[:, None] - edge[None, ::SOFT][:, :width] / SOFT)
    bend = (canvas.noise(3, 2) - 0.5) * 0.7 + 0.8 * side
    columns = np.clip(np.arange(width)[None, :] + depth * bend, 0, width - 1).astype(np.int64)
    shade = smooth(np.asarray(slope[columns] * side, dtype=np.float32), -0.05, 0.09)
    shade *= 1 - 0.75 * np.clip(depth / (0.3 * height), 0, 1)
    ripples = np.sin(depth * 1.9 + canvas.noise(5, 3, stretch=3) * 26) * 0.05 * np.clip(depth / 12, 0, 1)
    return ramp([(0, lit), (1, shadow)], np.clip(shade * 0.95 + ripples, 0, 1).astype(np.float32))


def paint_forest(canvas: Canvas, light: Light, horizon: float, *, snow: bool) -> None:
    """Rows of conifers, each nearer, larger and darker than the one behind."""
    rows = 5
    cold = mix(mix(rgb("#eef3fb"), light.cloud_shade, 0.3), light.far, 0.3)
    for row in range(rows):
        depth = row / (rows - 1)
        base = horizon + 0.02 + (1 - horizon) * 0.8 * depth**1.4
        ground = ((base - 0.02 * canvas.line(2, 4)) * canvas.height).astype(np.float32)
        colour = mix(mix(light.far, light.near, 0.2 + 0.8 * depth), rgb("#1e4a3c"), 0.22 * (1 - abs(depth - 0.5)))
        ground_colour = mix(colour, cold, 0.62 - 0.2 * depth) if snow else colour
        colour = mix(colour, cold, 0.14) if snow else colour
        size = canvas.unit * (0.07 + 0.34 * depth**1.5)
        _tree_row(canvas, ground, size, colour)
        canvas.below(ground, canvas.gradient([(0, ground_colour), (1, dim(ground_colour, 0.55))], float(ground.min())))
        if depth < 1:
            mist(canvas, mix(light.far, light.sky[-1][1], 0.4), base, 0.06, 0.6 * (1 - depth))


def _tree_row(canvas: Canvas, ground: Field, size: float, colour: Colour) -> None:
    rng = canvas.rng
    count = max(4, int(canvas.width / size * 2.3))
    trees = [
        (float(rng.uniform(-0.05, 1.05) * canvas.width), size * float(rng.uniform(0.55, 1.15)), rng.random(24))
        for _ in range(count)
    ]
    top = max(0, int(ground.min() - size * 1.25))
    bottom = min(canvas.height, int(ground.max() + 3))
    if top >= bottom:
        return
    box = (0, top, canvas.width, bottom)

    def draw(pen: Pen) -> None:
        for x, height, dice in trees:
            foot = float(ground[int(np.clip(x, 0, canvas.width - 1))]) + 2
            pen.polygon(_conifer(x, foot, height, dice))

    canvas.fill(box, canvas.shape(box, draw, fineness=2), colour)


def _conifer(x: float, foot: float, height: float, dice: Field) -> list[tuple[float, float]]:
    steps = 9
    left, right = [], []
    for step in range(1, steps + 1):
        y = foot - height * (1 - step / steps)
        reach = height * 0.23 * (step / steps) ** 0.85 * (0.7 + 0.6 * float(dice[step]))
        reach_right = height * 0.23 * (step / steps) ** 0.85 * (0.7 + 0.6 * float(dice[step + steps]))
        lift = height * 0.035
        left += [(x - reach, y + lift), (x - reach * 0.45, y)]
        right += [(x + reach_right, y + lift), (x + reach_right * 0.45, y)]
    return [(x, foot - height * 1.02), *right, *reversed(left)]


def cliff_edge(canvas: Canvas, at: float, sea_level: float, height: float, *, left: bool) -> Field:
    """The outline of a headland that comes in from one side and falls to the sea at *at* (share of the width)."""
    x = np.arange(canvas.width, dtype=np.float32) / canvas.width
    inland = (at - x) if left else (x - at)
    up = (1 - np.exp(-np.maximum(0, inland) / 0.055)) * (0.8 + 0.2 * np.clip(inland / 0.5, 0, 1))
    down = np.maximum(0, -inland) ** 0.8 * 1.9
    jag = canvas.line(12, 6, rough=0.62, angular=True) * (0.03 + 0.05 * np.clip(-inland / 0.1, 0, 1))
    calm = np.clip((inland - 0.05) / 0.12, 0, 1) * 0.75
    return np.asarray((sea_level - height * up + down + jag * (1 - calm)) * canvas.height, dtype=np.float32)


def paint_cliff(canvas: Canvas, light: Light, edge: Field, colour: Colour) -> None:
    """Rock with a lit upper edge, rough faces, and foam where it meets the sea."""
    foam = mix(light.cloud_lit, (255.0, 255.0, 255.0), 0.4)
    spread = canvas.unit * (0.004 + 0.012 * np.maximum(0, canvas.line(20, 4)))
    canvas.below((edge - spread).astype(np.float32), canvas.gradient([(0, foam), (1, foam)]))
    width, height = canvas.soft_size()
    line = edge[::SOFT][:width] / SOFT
    depth = np.maximum(0, np.arange(height, dtype=np.float32)[:, None] - line[None, :]) / height
    rough = canvas.noise(16, 5, stretch=0.6, rough=0.65)
    tone = np.clip(0.6 - depth * 2.3 + (rough - 0.5) * 1.4, 0, 1)
    rock = ramp([(0, dim(colour, 0.45)), (0.5, colour), (1, mix(colour, light.sun, 0.38))], tone)
    canvas.below(edge, canvas.enlarge(rock))


def paint_tree(canvas: Canvas, light: Light, spot: Spot, leaf: Colour) -> None:
    """A single broad tree: trunk, boughs and clumps of leaves."""
    rng = canvas.rng
    box = canvas.box_of(spot, across=0.7, up=1.1, down=0.05)
    boughs = rng.uniform((-0.42, 0.5), (0.42, 0.95), (9, 2)).tolist()

    def trunk(pen: Pen) -> None:
        pen.blob(spot.mirrored((0.12, -0.03), (0.05, 0.06), (0.036, 0.3), (0.03, 0.55)))
        for across, up in boughs:
            pen.line(spot.points((0, 0.4), (across * 0.5, up * 0.62 + 0.08), (across, up)), spot.size * 0.02)

    canvas.draw(box, trunk, mix(light.near, rgb("#3d2a22"), 0.4))
    for shade, count, spread in ((0.4, 190, 1.0), (0.62, 240, 0.95), (0.85, 200, 0.88), (1.1, 110, 0.78)):
        clumps = rng.random((count, 3)).tolist()

        def leaves(pen: Pen, clumps: list[list[float]] = clumps, spread: float = spread, lift: float = shade) -> None:
            for turn, far, grow in clumps:
                angle, reach = turn * 2 * math.pi, far**0.45 * spread
                across, up = 0.4 * math.cos(angle) * reach, 0.7 + 0.22 * math.sin(angle) * reach + lift * 0.045
                radius = spot.size * (0.016 + 0.02 * grow)
                pen.ellipse(*spot.at(across, up), radius * 1.15, radius)

        canvas.draw(box, leaves, mix(dim(leaf, shade), light.far, 0.12), fineness=2)
