"""A lighthouse: striped tower, gallery, lamp and its beams."""

import math

import numpy as np
from PIL import Image, ImageChops

from orchestrator.sandbox.painter.canvas import Box, Canvas, Colour, Pen, Spot, ints, mix, rgb, to_image
from orchestrator.sandbox.painter.light import Light
from orchestrator.sandbox.painter.sky import Sun

WHITE = rgb("#f4efe6")
BASE, NECK, TOP, LAMP = 0.105, 0.062, 0.8, 0.875
"""Half widths at foot and gallery, heights of gallery and lamp, as shares of the whole height."""


def paint_lighthouse(canvas: Canvas, light: Light, sun: Sun, spot: Spot, stripe: Colour) -> None:
    """Paint the tower; in the dark its lamp shines (see :func:`paint_beams` for how far)."""
    box = canvas.box_of(spot, across=0.2, up=1.05, down=0.05)

    def tower(pen: Pen) -> None:
        pen.polygon(spot.mirrored((BASE, -0.04), (NECK, TOP)))

    def stripes(pen: Pen) -> None:
        for low in (0.08, 0.4, 0.72):
            pen.polygon(spot.mirrored((BASE, low * TOP), (BASE, (low + 0.16) * TOP)))

    shade = _round_shade(light, sun, spot, box)
    wall = canvas.shape(box, tower)
    canvas.fill(box, wall, ImageChops.multiply(shade, Image.new("RGB", shade.size, ints(WHITE))))
    banded = ImageChops.multiply(canvas.shape(box, stripes), wall)
    canvas.fill(box, banded, ImageChops.multiply(shade, Image.new("RGB", shade.size, ints(stripe))))
    _lantern(canvas, light, spot, box, mix(light.near, stripe, 0.12))
    if light.is_dark:
        lamp = spot.at(0, LAMP)
        canvas.glow(*lamp, spot.size * 0.36, rgb("#ffcf7a"))
        canvas.glow(*lamp, spot.size * 0.12, rgb("#fff3cf"), core=0.2)


def _lantern(canvas: Canvas, light: Light, spot: Spot, box: Box, iron: Colour) -> None:
    def glass(pen: Pen) -> None:
        pen.polygon(spot.mirrored((NECK * 0.85, TOP), (NECK * 0.85, TOP + 0.13)))

    def ironwork(pen: Pen) -> None:
        pen.polygon(spot.mirrored((NECK * 1.45, TOP - 0.006), (NECK * 1.45, TOP + 0.018)))
        pen.polygon(spot.mirrored((NECK * 1.15, TOP + 0.125), (0.0, TOP + 0.205)))
        pen.ellipse(*spot.at(0, TOP + 0.208), spot.size * 0.009, spot.size * 0.009)
        pen.line(spot.points((0, TOP + 0.2), (0, TOP + 0.245)), spot.size * 0.006)
        for across in (-0.88, 0.0, 0.88):
            pen.line(spot.points((across * NECK, TOP), (across * NECK, TOP + 0.13)), spot.size * 0.007)
        pen.line(spot.points((-NECK * 1.4, TOP + 0.044), (NECK * 1.4, TOP + 0.044)), spot.size * 0.004)
        for step in range(7):
            across = NECK * 1.38 * (step / 3 - 1)
            pen.line(spot.points((across, TOP + 0.01), (across, TOP + 0.044)), spot.size * 0.004)
        for up in (0.24, 0.48):
            pen.polygon(spot.mirrored((0.011, up), (0.011, up + 0.03)))
        pen.polygon(spot.mirrored((0.022, -0.04), (0.022, 0.06), (0.0, 0.075)))

    canvas.draw(box, glass, rgb("#fff0b8") if light.is_dark else mix(light.sky[1][1], WHITE, 0.35))
    canvas.draw(box, ironwork, iron)


def _round_shade(light: Light, sun: Sun, spot: Spot, box: Box) -> Image.Image:
    """How bright a round wall is from left to right, in the light's colours."""
    across = np.clip((np.arange(box[0], box[2], dtype=np.float32) - spot.x) / (BASE * spot.size), -1, 1)
    side = 1.0 if sun.x > spot.x else -1.0
    strength = np.clip(0.52 + 0.42 * across * side - 0.25 * across**2, 0.12, 1) ** 1.1
    dark = np.asarray(mix(mix(light.cloud_shade, light.near, 0.45), light.far, 0.1))
    lit = mix(light.far, light.sun, 0.35) if light.stars > 0.5 else mix(light.sun, light.cloud_lit, 0.25)
    row = dark + (np.asarray(lit) - dark) * strength[:, None]
    return to_image(row[None, :, :]).resize((box[2] - box[0], box[3] - box[1]))


def paint_beams(canvas: Canvas, spot: Spot) -> None:
    """Two cones of light that fade outwards from a lighthouse's lamp."""
    lamp = spot.at(0, LAMP)
    grid_x, grid_y = canvas.soft_grid()
    dx, dy = grid_x * canvas.width - lamp[0], grid_y * canvas.height - lamp[1]
    tilt = float(canvas.rng.uniform(-0.14, 0.14))
    distance = np.hypot(dx, dy) + 1
    across = np.abs(dy * math.cos(tilt) - dx * math.sin(tilt)) / distance
    reach = np.exp(-distance / (canvas.width * 0.42)) * np.clip(distance / (spot.size * 0.05), 0, 1)
    cone = np.exp(-((across / 0.075) ** 2)) * reach * (0.75 + 0.5 * canvas.noise(6, 3, stretch=3))
    canvas.add_light(cone[..., None] * np.asarray(rgb("#ffe2a0"), dtype=np.float32) * 0.8)
