"""Skies: gradient, sun or moon, clouds, stars, the aurora, rain and snow."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from orchestrator.sandbox.painter.canvas import Canvas, Colour, Pen, mix, ramp, rgb, smooth
from orchestrator.sandbox.painter.light import Light


@dataclass(frozen=True, slots=True)
class Sun:
    """Where the light comes from, in pixels; a moon, when the light is dark enough for stars."""

    x: float
    y: float
    radius: float
    is_moon: bool


def paint_sky(canvas: Canvas, light: Light, horizon: float, features: frozenset[str]) -> Sun:
    """Fill the canvas with sky, its gradient ending at *horizon* (share of the height)."""
    rng = canvas.rng
    is_moon = "moon" in features or light.stars > 0.5
    low, high = light.sun_height
    x = float(rng.choice([rng.uniform(0.2, 0.42), rng.uniform(0.58, 0.8)]))
    y = horizon * (1 - float(rng.uniform(low, high)))
    grid_x, grid_y = canvas.soft_grid()
    haze = (canvas.noise(2.5, 3, stretch=3) - 0.5) * 0.1
    sky = ramp(light.sky, np.clip(grid_y / horizon + haze, 0, 1))
    aspect = canvas.width / canvas.height
    distance = np.hypot((grid_x - x) * aspect, (grid_y - y) * 1.25)
    halo = np.exp(-distance / (0.09 if is_moon else 0.22)) * (0.28 if is_moon else 0.62)
    sky += (np.asarray(light.sun, dtype=np.float32) - sky) * halo[..., None]
    canvas.cover(sky)
    if light.stars:
        _stars(canvas, horizon, light.stars)
    if "aurora" in features:
        _aurora(canvas, horizon)
    sun = Sun(x * canvas.width, y * canvas.height, canvas.unit * float(rng.uniform(0.035, 0.055)), is_moon)
    if "storm" not in features and "rain" not in features:
        _disc(canvas, sun, light)
    if "clear" not in features:
        _clouds(canvas, light, horizon, (x, y))
    return sun


def _stars(canvas: Canvas, horizon: float, density: float) -> None:
    count = int(420 * density * canvas.width * canvas.height / canvas.unit**2)
    pixels = np.zeros((canvas.height, canvas.width), dtype=np.uint8)
    x = canvas.rng.integers(0, canvas.width, count)
    height = canvas.rng.random(count)
    y = (height**1.4 * horizon * canvas.height).astype(np.int64)
    pixels[y, x] = (canvas.rng.random(count) ** 2.5 * 215 + 40) * (1 - height**3)
    stars = Image.fromarray(pixels)
    canvas.image = ImageChops.screen(canvas.image, stars.convert("RGB"))
    for _ in range(int(9 * density)):
        at = canvas.px(float(canvas.rng.random()), float(canvas.rng.random()) * horizon * 0.7)
        canvas.glow(*at, canvas.unit * float(canvas.rng.uniform(0.006, 0.013)), rgb("#dbe6ff"), core=0.12)


def _aurora(canvas: Canvas, horizon: float) -> None:
    x, y = canvas.soft_grid()
    rays = smooth(canvas.noise(9, 3, stretch=0.4)[:1], 0.25, 0.75)
    total = np.zeros((*x.shape, 3), dtype=np.float32)
    for base, colour in ((0.72, rgb("#35e39b")), (0.5, rgb("#3fb8d8")), (0.38, rgb("#9a5be0"))):
        path = canvas.line(2, 3)[:: max(1, canvas.width // x.shape[1])][: x.shape[1]]
        up = np.maximum(0, base * horizon + path * 0.16 - y) / (0.34 * horizon)
        strength = np.exp(-2.2 * up) * (1 - np.exp(-22 * up)) * (0.5 + 0.7 * rays)
        total += strength[..., None] * np.asarray(colour, dtype=np.float32) * 0.8
    canvas.add_light(total)


def _disc(canvas: Canvas, sun: Sun, light: Light) -> None:
    reach = 3.2 if sun.is_moon else 5.5
    canvas.glow(sun.x, sun.y, sun.radius * reach, mix(light.sun, (0, 0, 0), 0.45))
    radius = sun.radius
    box = (
        round(sun.x - radius) - 2,
        round(sun.y - radius) - 2,
        round(sun.x + radius) + 2,
        round(sun.y + radius) + 2,
    )
    mask = canvas.shape(box, lambda pen: pen.ellipse(sun.x, sun.y, radius, radius))
    canvas.fill(box, mask, mix(light.sun, (255, 255, 255), 0.35))
    if sun.is_moon:

        def dark_seas(pen: Pen) -> None:
            for dx, dy, size in ((-0.3, -0.25, 0.3), (0.25, 0.1, 0.36), (-0.1, 0.45, 0.24), (0.4, -0.4, 0.15)):
                pen.ellipse(sun.x + dx * radius, sun.y + dy * radius, size * radius, size * radius * 0.9, 46)

        seas = canvas.shape(box, dark_seas)
        canvas.fill(box, ImageChops.multiply(seas, mask), rgb("#9aa3b8"))


def _clouds(canvas: Canvas, light: Light, horizon: float, sun_at: tuple[float, float]) -> None:
    x, y = canvas.soft_grid()
    billows = canvas.noise(3.2, 6, stretch=2.6, rough=0.55)
    streaks = canvas.noise(7, 4, stretch=7)
    depth = np.clip(y / horizon, 0, 1)
    texture = billows * (1 - depth * 0.6) + streaks * depth * 0.6
    cover = 0.66 - 0.24 * light.cloudiness
    thickness = smooth(texture, cover, cover + 0.2)
    lit_side = np.pad(thickness, ((3, 0), (0, 0)), mode="edge")[:-3] - thickness
    near_sun = np.exp(-np.hypot((x - sun_at[0]) * 1.2, y - sun_at[1]) / 0.4)
    lit = np.clip(0.42 - lit_side * 1.5 + near_sun * 0.5 + (billows - 0.52) * 1.1 - thickness * 0.12, 0, 1)
    colours = ramp([(0, light.cloud_shade), (1, light.cloud_lit)], lit)
    mask = thickness * np.clip((1.04 - y / horizon) * 9, 0, 1) * (0.55 + 0.4 * light.cloudiness)
    canvas.image.paste(canvas.enlarge(colours), (0, 0), canvas.enlarge(mask * 255))


def mist(canvas: Canvas, colour: Colour, at: float, height: float, strength: float) -> None:
    """Lay a bank of fog around a height (both shares of the canvas)."""
    _, y = canvas.soft_grid()
    bank = np.exp(-(((y - at) / height) ** 2)) * (0.5 + canvas.noise(3, 4, stretch=5))
    canvas.veil(colour, np.clip(bank * strength, 0, 0.95))


def paint_rain(canvas: Canvas, light: Light) -> None:
    """Slanted streaks, near ones longer and brighter."""
    colour = mix(light.cloud_lit, (255, 255, 255), 0.5)
    for length, width, shade, count in ((0.035, 0.001, 42, 420), (0.07, 0.0016, 62, 170), (0.13, 0.0024, 80, 45)):
        fall = length * canvas.unit

        def streaks(pen: Pen, count: int = count, fall: float = fall, width: float = width, shade: int = shade) -> None:
            for x, y in _anywhere(canvas, count):
                pen.line([(x, y), (x - fall * 0.16, y + fall)], width * canvas.unit, shade)

        canvas.draw((0, 0, canvas.width, canvas.height), streaks, colour, fineness=1)


def paint_snowfall(canvas: Canvas) -> None:
    """Flakes of three distances."""
    for size, shade, count in ((0.0013, 150, 380), (0.0026, 185, 150), (0.0055, 120, 36)):
        radius = size * canvas.unit

        def flakes(pen: Pen, count: int = count, radius: float = radius, shade: int = shade) -> None:
            for x, y in _anywhere(canvas, count):
                pen.ellipse(x, y, radius, radius, shade)

        canvas.draw((0, 0, canvas.width, canvas.height), flakes, (255, 255, 255), fineness=2)


def _anywhere(canvas: Canvas, count: int) -> list[list[float]]:
    places: list[list[float]] = (canvas.rng.random((count, 2)) * np.asarray(canvas.image.size)).tolist()
    return places
