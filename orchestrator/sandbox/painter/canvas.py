"""A surface to paint on: soft fields made small and enlarged, shapes drawn large and reduced."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[float, float, float]
Field = npt.NDArray[np.floating[Any]]
Stops = Sequence[tuple[float, Colour]]
Box = tuple[int, int, int, int]
Point = tuple[float, float]
SOFT = 4
"""Soft things are computed at a quarter of the size."""


def rgb(text: str) -> Colour:
    """Read `#rrggbb`."""
    return (float(int(text[1:3], 16)), float(int(text[3:5], 16)), float(int(text[5:7], 16)))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Go from *first* (0) to *second* (1)."""
    mixed = [a + (b - a) * share for a, b in zip(first, second, strict=True)]
    return (mixed[0], mixed[1], mixed[2])


def dim(colour: Colour, factor: float) -> Colour:
    """Multiply brightness."""
    return (min(255.0, colour[0] * factor), min(255.0, colour[1] * factor), min(255.0, colour[2] * factor))


def ints(colour: Colour) -> tuple[int, int, int]:
    return (round(colour[0]), round(colour[1]), round(colour[2]))


def ramp(stops: Stops, at: Field) -> Field:
    """Colours along a gradient for each value of *at*."""
    places = [place for place, _ in stops]
    channels = [np.interp(at, places, [colour[index] for _, colour in stops]) for index in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def to_image(pixels: Field) -> Image.Image:
    """Make an RGB or grey picture of values from 0 to 255."""
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def smooth(values: Field, low: float, high: float) -> Field:
    """Rise from 0 at *low* to 1 at *high* without corners."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a thing stands and how tall it is, in pixels; its parts are placed by shares of its height."""

    x: float
    foot: float
    size: float

    def at(self, across: float, up: float) -> Point:
        return self.x + across * self.size, self.foot - up * self.size

    def points(self, *places: Point) -> list[Point]:
        return [self.at(across, up) for across, up in places]

    def mirrored(self, *places: Point) -> list[Point]:
        """Close an outline given from bottom to top on the right with its mirror image on the left."""
        return self.points(*places, *((-across, up) for across, up in reversed(places)))


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws a mask larger than it will be. All places and sizes are pixels of the canvas."""

    draw: ImageDraw.ImageDraw
    left: int
    top: int
    fineness: int

    def at(self, x: float, y: float) -> Point:
        return (x - self.left) * self.fineness, (y - self.top) * self.fineness

    def polygon(self, points: Sequence[Point], shade: int = 255) -> None:
        self.draw.polygon([self.at(x, y) for x, y in points], fill=shade)

    def blob(self, points: Sequence[Point], shade: int = 255) -> None:
        """Draw a closed shape whose outline runs smoothly through *points*."""
        self.polygon(curve([*points[-1:], *points, *points[:2]]), shade)

    def ellipse(self, x: float, y: float, across: float, down: float, shade: int = 255) -> None:
        """Draw an ellipse by its centre and radii."""
        self.draw.ellipse([self.at(x - across, y - down), self.at(x + across, y + down)], fill=shade)

    def rectangle(self, left: float, top: float, right: float, bottom: float, shade: int = 255) -> None:
        self.draw.rectangle([self.at(left, top), self.at(right, bottom)], fill=shade)

    def line(self, points: Sequence[Point], width: float, shade: int = 255) -> None:
        """Draw a round line through *points*."""
        thick = max(1, round(width * self.fineness))
        self.draw.line([self.at(x, y) for x, y in points], fill=shade, width=thick, joint="curve")
        if thick > 2 * self.fineness:
            for x, y in (points[0], points[-1]):
                self.ellipse(x, y, width / 2, width / 2, shade)


_T = np.arange(8, dtype=np.float64)[:, None] / 8
CATMULL_ROM = np.hstack(
    [
        -0.5 * _T + _T**2 - 0.5 * _T**3,
        1 - 2.5 * _T**2 + 1.5 * _T**3,
        0.5 * _T + 2 * _T**2 - 1.5 * _T**3,
        -0.5 * _T**2 + 0.5 * _T**3,
    ]
)
"""Weights of four neighbouring points at eight places between the middle two."""


def curve(points: Sequence[Point]) -> list[Point]:
    """Run smoothly from the second of *points* to the last but one."""
    corners = np.asarray(points)
    runs = np.stack([corners[shift : len(points) - 3 + shift] for shift in range(4)], axis=1)
    fine: list[list[float]] = (CATMULL_ROM @ runs).reshape(-1, 2).tolist()
    return [*((x, y) for x, y in fine), points[-2]]


@dataclass(slots=True)
class Canvas:
    image: Image.Image
    rng: np.random.Generator

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    @property
    def unit(self) -> int:
        """What sizes of things are fractions of."""
        return min(self.image.size)

    def px(self, x: float, y: float) -> tuple[int, int]:
        """Turn shares of width and height into pixels."""
        return round(x * self.width), round(y * self.height)

    def noise(self, cells: float, octaves: int = 5, *, stretch: float = 1.0, rough: float = 0.5) -> Field:
        """
        Fractal noise from 0 to 1, a quarter of the canvas in size.

        Args:
            cells: Blobs along the shorter side.

            stretch: How many times wider than high the blobs are.

            rough: Share of each octave against the one before.

        """
        size = self.soft_size()
        total = np.zeros((size[1], size[0]), dtype=np.float32)
        weight, sum_of_weights = 1.0, 0.0
        for octave in range(octaves):
            across = cells * 2**octave * size[0] / min(size) / stretch
            down = cells * 2**octave * size[1] / min(size)
            if octave and min(across, down) > min(size):
                break
            lattice = self.rng.random((max(2, math.ceil(down) + 1), max(2, math.ceil(across) + 1)), dtype=np.float32)
            total += weight * np.asarray(Image.fromarray(lattice).resize(size, Image.Resampling.BICUBIC))
            sum_of_weights += weight
            weight *= rough
        return total / sum_of_weights

    def soft_size(self) -> tuple[int, int]:
        return (max(1, -(-self.width // SOFT)), max(1, -(-self.height // SOFT)))

    def soft_grid(self) -> tuple[Field, Field]:
        """Shares of width and height at each place of a soft field."""
        width, height = self.soft_size()
        x = (np.arange(width, dtype=np.float32) + 0.5) / width
        y = (np.arange(height, dtype=np.float32) + 0.5) / height
        return np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))

    def enlarge(self, soft: Field) -> Image.Image:
        """Bring soft colours or a soft mask (0 to 255) to the canvas's size."""
        return to_image(soft).resize(self.image.size, Image.Resampling.BILINEAR)

    def cover(self, soft: Field) -> None:
        """Paint over everything with soft colours."""
        self.image = self.enlarge(soft)

    def veil(self, colour: Colour, soft: Field) -> None:
        """Lay a colour over the canvas, as thick as *soft* (0 to 1) says."""
        self.image.paste(ints(colour), (0, 0), self.enlarge(soft * 255))

    def add_light(self, soft: Field) -> None:
        """Brighten by soft colours, as light does: white stays white."""
        self.image = ImageChops.screen(self.image, self.enlarge(soft))

    def gradient(self, stops: Stops, top: float = 0, bottom: float | None = None) -> Image.Image:
        """Make a vertical gradient of the canvas's size that runs between two heights, in pixels."""
        end = self.height if bottom is None else bottom
        rows = np.arange(self.height, dtype=np.float32)
        column = ramp(stops, (rows - top) / max(1.0, end - top))[:, None, :]
        return to_image(column).resize(self.image.size, Image.Resampling.NEAREST)

    def below(self, edge: Field, paint: Image.Image) -> None:
        """
        Paint what lies below a line.

        Args:
            edge: The line, in pixels from the top, one a column.

            paint: A picture of the canvas's size.

        """
        top, lowest = max(0, math.floor(float(edge.min()))), min(self.height, math.ceil(float(edge.max())) + 1)
        if top >= self.height:
            return
        rows = np.arange(top, max(top, lowest), dtype=np.float32)
        mask = to_image(np.clip(rows[:, None] + 1 - edge[None, :], 0, 1) * 255)
        if rows.size:
            self.image.paste(paint.crop((0, top, self.width, lowest)), (0, top), mask)
        if lowest < self.height:
            self.image.paste(paint.crop((0, max(lowest, 0), self.width, self.height)), (0, max(lowest, 0)))

    def box_of(self, spot: Spot, *, across: float, up: float, down: float = 0.0) -> Box:
        """Find the pixels that a thing may touch, no more than the canvas has. Reaches are shares of its height."""
        return (
            min(self.width - 1, max(0, int(spot.x - across * spot.size))),
            min(self.height - 1, max(0, int(spot.foot - up * spot.size))),
            max(1, min(self.width, int(spot.x + across * spot.size) + 1)),
            max(1, min(self.height, int(spot.foot + down * spot.size) + 1)),
        )

    def shape(self, box: Box, draw: Callable[[Pen], None], *, fineness: int = 3) -> Image.Image:
        """Draw a mask of the size of *box* with soft edges; the pen takes coordinates of the canvas."""
        left, top, right, bottom = box
        large = Image.new("L", (max(1, right - left) * fineness, max(1, bottom - top) * fineness))
        draw(Pen(ImageDraw.Draw(large), left, top, fineness))
        return large.reduce(fineness)

    def draw(self, box: Box, draw: Callable[[Pen], None], colour: Colour | Image.Image, *, fineness: int = 3) -> None:
        """Draw a shape and paint through it."""
        self.fill(box, self.shape(box, draw, fineness=fineness), colour)

    def fill(self, box: Box, mask: Image.Image, colour: Colour | Image.Image) -> None:
        """Paint through a mask made by :meth:`shape` for the same box."""
        paint = colour if isinstance(colour, Image.Image) else Image.new("RGB", mask.size, ints(colour))
        self.image.paste(paint, box[:2], mask)

    def glow(self, x: float, y: float, radius: float, colour: Colour, *, core: float = 0.0) -> None:
        """Add a soft round light at a pixel; *core* is the share of the radius that is fully bright."""
        side = max(2, round(radius * 2))
        small = min(side, 96)
        axis = (np.arange(small, dtype=np.float32) + 0.5) / small * 2 - 1
        distance = np.hypot(axis[None, :], axis[:, None])
        strength = np.clip((1 - distance) / (1 - core), 0, 1) ** 2.2
        light = to_image(strength[..., None] * np.asarray(colour, dtype=np.float32))
        light = light.resize((side, side), Image.Resampling.BILINEAR)
        left, top = round(x - side / 2), round(y - side / 2)
        box = (max(0, left), max(0, top), min(self.width, left + side), min(self.height, top + side))
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        part = light.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
        self.image.paste(ImageChops.screen(self.image.crop(box), part), box[:2])

    def blur(self, radius: float) -> None:
        self.image = self.image.filter(ImageFilter.BoxBlur(radius))

    def line(self, points: int, octaves: int, *, rough: float = 0.5, angular: bool = False) -> Field:
        """A fractal line from -1 to 1, one value a column."""
        x = np.arange(self.width, dtype=np.float32) / max(self.width, self.height)
        total = np.zeros(self.width, dtype=np.float32)
        weight = 1.0
        for octave in range(octaves):
            count = points * 2**octave
            knots = self.rng.uniform(-1, 1, count + 2).astype(np.float32)
            places = x * count
            share = places - np.floor(places)
            if not angular:
                share = share * share * (3 - 2 * share)
            index = places.astype(np.int64)
            total += weight * (knots[index] * (1 - share) + knots[index + 1] * share)
            weight *= rough
        return np.asarray(total * (1 - rough) / (1 - rough**octaves), dtype=np.float32)
