"""Times of day: the colours of the sky, of the distance and of the shadows."""

from dataclasses import dataclass, replace

import numpy as np

from orchestrator.sandbox.painter.canvas import Colour, mix, rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    sky: tuple[tuple[float, Colour], ...]
    """From the top (0) to the horizon (1)."""
    sun: Colour
    sun_height: tuple[float, float]
    """Least and most, as shares of the sky above the horizon."""
    far: Colour
    """What distance fades into."""
    near: Colour
    """What stands against the light."""
    cloud_lit: Colour
    cloud_shade: Colour
    cloudiness: float
    stars: float
    is_dark: bool
    """Lamps and windows are lit."""


def _sky(*colours: str) -> tuple[tuple[float, Colour], ...]:
    last = len(colours) - 1
    return tuple((index / last, rgb(colour)) for index, colour in enumerate(colours))


LIGHTS = {
    "dawn": Light(
        sky=_sky("#3a4a86", "#7c7fb5", "#c79dbb", "#f4bfa6", "#ffe3bd"),
        sun=rgb("#fff1cf"),
        sun_height=(0.05, 0.22),
        far=rgb("#dcb6b6"),
        near=rgb("#25264a"),
        cloud_lit=rgb("#ffdcc0"),
        cloud_shade=rgb("#9a86b4"),
        cloudiness=0.5,
        stars=0.0,
        is_dark=False,
    ),
    "day": Light(
        sky=_sky("#2b6cc0", "#559be0", "#93c6ef", "#d3eaf7"),
        sun=rgb("#fffdf0"),
        sun_height=(0.55, 0.85),
        far=rgb("#b4cfe4"),
        near=rgb("#2c4552"),
        cloud_lit=rgb("#ffffff"),
        cloud_shade=rgb("#9fb6cf"),
        cloudiness=0.55,
        stars=0.0,
        is_dark=False,
    ),
    "dusk": Light(
        sky=_sky("#1a1d4a", "#46316f", "#a1497f", "#ee7a5c", "#ffc27d"),
        sun=rgb("#ffe2a6"),
        sun_height=(0.03, 0.16),
        far=rgb("#b9637c"),
        near=rgb("#150f28"),
        cloud_lit=rgb("#ffa47a"),
        cloud_shade=rgb("#5d3a72"),
        cloudiness=0.6,
        stars=0.25,
        is_dark=True,
    ),
    "night": Light(
        sky=_sky("#050b20", "#0d1c41", "#1b3463", "#345a85"),
        sun=rgb("#f6f1dc"),
        sun_height=(0.5, 0.85),
        far=rgb("#2c4a72"),
        near=rgb("#050912"),
        cloud_lit=rgb("#4f6f9b"),
        cloud_shade=rgb("#142648"),
        cloudiness=0.35,
        stars=1.0,
        is_dark=True,
    ),
    "storm": Light(
        sky=_sky("#1d242e", "#3c4854", "#6c7a83", "#a8b3b5"),
        sun=rgb("#d9e0de"),
        sun_height=(0.6, 0.8),
        far=rgb("#8b989d"),
        near=rgb("#141b20"),
        cloud_lit=rgb("#8d9aa2"),
        cloud_shade=rgb("#262f38"),
        cloudiness=0.95,
        stars=0.0,
        is_dark=True,
    ),
}


def light_for(time: str, tint: Colour | None, rng: np.random.Generator) -> Light:
    """Choose the light of a time of day, a little different each time, and drawn towards *tint* if there is one."""
    light = LIGHTS[time]
    wander = [(255.0, 190.0, 150.0), (160.0, 130.0, 220.0), (120.0, 190.0, 210.0)][int(rng.integers(3))]
    pulls: list[tuple[Colour, float]] = [(wander, float(rng.uniform(0, 0.13)))]
    if tint is not None:
        pulls.append((tint, 0.3))
    for colour, share in pulls:
        light = replace(
            light,
            sky=tuple((place, _drawn(shade, colour, share)) for place, shade in light.sky),
            far=_drawn(light.far, colour, share),
            cloud_shade=_drawn(light.cloud_shade, colour, share),
        )
    return light


def _drawn(shade: Colour, towards: Colour, share: float) -> Colour:
    """Change the hue and keep the brightness."""
    brightness = sum(shade) / max(1.0, sum(towards))
    goal = (towards[0] * brightness, towards[1] * brightness, towards[2] * brightness)
    return mix(shade, goal, share)
