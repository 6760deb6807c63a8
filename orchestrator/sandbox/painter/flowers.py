"""A meadow: grass, far flowers as dots, near ones with petals."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from orchestrator.sandbox.painter.canvas import Canvas, Colour, Pen, Spot, curve, dim, mix, rgb
from orchestrator.sandbox.painter.light import Light

MANY = ((0.012, 130), (0.024, 60), (0.05, 22), (0.095, 6))
"""Sizes and numbers, far ones first."""
FEW = ((0.012, 70), (0.026, 28), (0.06, 8), (0.19, 4))
WHITE = (255.0, 255.0, 255.0)


def paint_meadow(
    canvas: Canvas, light: Light, horizon: float, petal: Colour, *, sizes: tuple[tuple[float, int], ...]
) -> None:
    """Fill what lies below *horizon* with flowers, the larger the nearer."""
    rng, unit = canvas.rng, canvas.unit
    grass = mix(rgb("#3f7a3a"), light.near, 0.55 if light.is_dark else 0.25)
    _grass(canvas, light, horizon, grass)
    for size, count in sizes:
        near = (size / sizes[-1][0]) ** 0.5
        heights = np.sort(horizon + (1 - horizon) * np.clip(near * rng.uniform(0.55, 1.0, count), 0.06, 0.92))
        for y in heights.tolist():
            tint = mix(petal, WHITE, float(rng.uniform(0, 0.3)))
            tint = mix(dim(tint, float(rng.uniform(0.75, 1.1))), light.far, 0.3 * (1 - near))
            if light.is_dark:
                tint = mix(tint, light.cloud_shade, 0.3)
            x, grow = float(rng.random()), float(rng.uniform(0.7, 1.2))
            _flower(canvas, light, Spot(x * canvas.width, y * canvas.height, size * unit * grow), tint, grass)


def _grass(canvas: Canvas, light: Light, horizon: float, grass: Colour) -> None:
    edge = (horizon - 0.012 * canvas.line(3, 4)) * canvas.height
    far = mix(mix(grass, light.far, 0.55), light.sun, 0.15)
    stops = [(0.0, far), (0.35, mix(grass, light.sun, 0.12)), (1.0, dim(grass, 0.5))]
    canvas.below(edge, canvas.gradient(stops, float(edge.min())))
    top = max(0, round(horizon * canvas.height))
    box = (0, top, canvas.width, canvas.height)
    for depth, shade in ((0.25, 1.15), (0.6, 0.85), (1.0, 0.6)):
        blades = canvas.rng.random((260, 3)).tolist()

        def draw(pen: Pen, blades: list[list[float]] = blades, depth: float = depth) -> None:
            for x, y, lean in blades:
                foot = top + (canvas.height - top) * (depth * 0.85 + 0.3 * y)
                blade = Spot(x * canvas.width, foot, canvas.unit * (0.02 + 0.11 * depth) * (0.5 + y))
                pen.polygon(blade.points((-0.035, 0), ((lean - 0.5) * 0.7, 1), (0.035, 0)))

        canvas.draw(box, draw, mix(dim(grass, shade), light.far, 0.25 * (1 - depth)), fineness=2)


def _flower(canvas: Canvas, light: Light, spot: Spot, petal: Colour, grass: Colour) -> None:
    """A blossom around the spot's foot, with its stem below: rings of petals, each paler and smaller."""
    rng = canvas.rng
    box = canvas.box_of(spot, across=0.75, up=0.75, down=2.2)
    is_near = spot.size > canvas.unit * 0.04
    turn, count, squash = float(rng.uniform(0, 2 * math.pi)), int(rng.integers(5, 9)), float(rng.uniform(0.62, 0.95))
    if spot.size > canvas.unit * 0.02:
        canvas.draw(box, lambda pen: _stem(pen, spot), mix(dim(grass, 0.75), light.near, 0.2), fineness=2)
    rings = (
        ((1.0, 0.62), (0.86, 0.8), (0.7, 0.95), (0.52, 1.08), (0.34, 0.85)) if is_near else ((1.0, 0.72), (0.7, 1.05))
    )
    for index, (reach, brightness) in enumerate(rings):
        ring = _Ring(count=count, turn=turn + index * 0.55, reach=reach, squash=squash)
        draw = partial(_petals if is_near else _dots, spot=spot, ring=ring)
        mask = canvas.shape(box, draw, fineness=2)
        canvas.fill(box, mask, dim(petal, brightness))
    across = 0.07 if is_near else 0.12

    def heart(pen: Pen) -> None:
        pen.ellipse(*spot.at(0, 0), spot.size * across, spot.size * across * squash)

    canvas.draw(box, heart, mix(rgb("#f7c948"), light.near, 0.15), fineness=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ring:
    count: int
    turn: float
    reach: float
    squash: float


def _petals(pen: Pen, spot: Spot, ring: _Ring) -> None:
    for index in range(ring.count):
        angle = ring.turn + index * 2 * math.pi / ring.count
        outline = []
        for aside, along in (
            (0.0, 0.05),
            (0.17, 0.2),
            (0.21, 0.4),
            (0.1, 0.52),
            (-0.1, 0.52),
            (-0.21, 0.4),
            (-0.17, 0.2),
        ):
            across = (math.cos(angle) * along - math.sin(angle) * aside) * ring.reach
            up = (math.sin(angle) * along + math.cos(angle) * aside) * ring.reach * ring.squash
            outline.append(spot.at(across, up))
        pen.blob(outline)


def _dots(pen: Pen, spot: Spot, ring: _Ring) -> None:
    """Petals of a flower so far off that only their number shows."""
    for index in range(ring.count):
        angle = ring.turn + index * 2 * math.pi / ring.count
        place = spot.at(math.cos(angle) * 0.27 * ring.reach, math.sin(angle) * 0.27 * ring.reach * ring.squash)
        pen.ellipse(*place, spot.size * 0.2 * ring.reach, spot.size * 0.2 * ring.squash * ring.reach)


def _stem(pen: Pen, spot: Spot) -> None:
    pen.line(curve(spot.points((0, 0), (0, 0), (0.07, -1), (0, -2.2), (0, -2.2))), spot.size * 0.05)
    pen.blob(spot.points((0.06, -1.2), (0.22, -0.95), (0.42, -0.85), (0.3, -1.1)))
