"""Composes a scene: sky first, then what is far, then what is near."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from orchestrator.sandbox.painter.abstract import paint_flow, paint_space
from orchestrator.sandbox.painter.canvas import Canvas, Spot, dim, mix, rgb
from orchestrator.sandbox.painter.cat import paint_cat
from orchestrator.sandbox.painter.flowers import FEW, MANY, paint_meadow
from orchestrator.sandbox.painter.land import (
    cliff_edge,
    paint_cliff,
    paint_dunes,
    paint_forest,
    paint_hills,
    paint_mountains,
    paint_tree,
)
from orchestrator.sandbox.painter.light import Light, light_for
from orchestrator.sandbox.painter.lighthouse import paint_beams, paint_lighthouse
from orchestrator.sandbox.painter.places import paint_city, paint_room
from orchestrator.sandbox.painter.sky import Sun, mist, paint_rain, paint_sky, paint_snowfall
from orchestrator.sandbox.painter.things import paint_birds, paint_boat, paint_cabin
from orchestrator.sandbox.painter.water import paint_water
from orchestrator.sandbox.painter.words import Scene

RED = rgb("#c8402f")
FURS = tuple(rgb(text) for text in ("#d9822b", "#3a3436", "#8a8a92", "#e6d3b3", "#6b4a34"))
PETALS = tuple(rgb(text) for text in ("#e2402f", "#f2a0c0", "#f7d354", "#9a7fe0", "#ffffff"))


@dataclass(frozen=True, slots=True)
class _View:
    """What is seen outdoors."""

    canvas: Canvas
    scene: Scene
    light: Light

    def has(self, feature: str) -> bool:
        return feature in self.scene.features

    def sky(self, horizon: float) -> Sun:
        features = self.scene.features | ({"storm"} if self.scene.time == "storm" else set())
        sun = paint_sky(self.canvas, self.light, horizon, frozenset(features))
        if self.has("birds"):
            paint_birds(self.canvas, self.light, horizon)
        return sun


def paint_scene(canvas: Canvas, scene: Scene) -> None:
    """Fill the canvas with the scene."""
    if scene.place == "abstract":
        paint_flow(canvas, scene.accent)
        return
    if scene.place == "space":
        paint_space(canvas, scene.accent, with_planet=bool(canvas.rng.random() < 0.7))
        return
    tint = scene.accent if scene.place in {"sea", "mountains", "hills", "desert", "forest"} else None
    view = _View(
        canvas, scene, light_for(scene.time, None if scene.features & {"lighthouse", "boat"} else tint, canvas.rng)
    )
    PLACES[scene.place](view)
    _weather(view)


def _weather(view: _View) -> None:
    if view.has("fog"):
        mist(view.canvas, view.light.far, 0.62, 0.2, 0.95)
    if view.scene.place == "room":
        return
    if view.has("rain"):
        paint_rain(view.canvas, view.light)
    if view.has("snowfall") or (view.has("snow") and view.scene.place not in {"mountains", "sea"}):
        paint_snowfall(view.canvas)


def _sea(view: _View) -> None:
    canvas, light, rng = view.canvas, view.light, view.canvas.rng
    horizon = float(rng.uniform(0.58, 0.68))
    sun = view.sky(horizon)
    if rng.random() < 0.6:
        _far_coast(view, horizon)
    tint = mix(rgb("#1d5a78"), light.sky[0][1], 0.5)
    calm = 0.25 if view.has("rain") else float(rng.uniform(0.4, 0.7))
    has_tower = view.has("lighthouse")
    if has_tower:
        _headland(view, sun, horizon, far=True)
    shining = None if view.scene.time == "storm" or view.has("rain") else sun
    paint_water(canvas, light, shining, horizon, tint=tint, calm=calm, clear=0.82)
    if has_tower:
        _headland(view, sun, horizon, far=False)
    elif view.has("boat") or rng.random() < 0.35:
        size = canvas.unit * (0.26 if view.has("boat") else 0.07)
        x = canvas.width * (0.3 if sun.x > canvas.width / 2 else 0.68)
        water = (horizon + (0.1 if view.has("boat") else 0.015)) * canvas.height
        paint_boat(canvas, light, Spot(x, water, size), view.scene.accent or rgb("#f6ead2"))


def _far_coast(view: _View, horizon: float) -> None:
    canvas = view.canvas
    edge = (horizon + 0.004 - 0.045 * np.maximum(0, canvas.line(2, 5) + 0.1)) * canvas.height
    colour = mix(view.light.far, view.light.near, 0.22)
    canvas.below(edge.astype(np.float32), canvas.gradient([(0, colour), (1, colour)]))


def _headland(view: _View, sun: Sun, horizon: float, *, far: bool) -> None:
    """The rock with the lighthouse; called before the sea for its mirror image and after it for its foot."""
    canvas, light = view.canvas, view.light
    left = sun.x > canvas.width / 2
    inner = 0.4 if canvas.width > canvas.height * 1.2 else 0.47
    at = inner if left else 1 - inner
    state = canvas.rng.bit_generator.state if far else None
    edge = cliff_edge(canvas, at, horizon + 0.1, 0.2, left=left)
    colour = mix(light.near, mix(light.far, rgb("#6d5a50"), 0.5), 0.34)
    x = canvas.width * (inner * 0.56 if left else 1 - inner * 0.56)
    foot = float(edge[round(min(canvas.width - 1, max(0, x)))])
    size = min(canvas.unit * 0.5, foot * 0.86)
    if not far:
        if light.is_dark:
            paint_beams(canvas, Spot(x, foot, size))
        paint_cliff(canvas, light, edge, colour)
    paint_lighthouse(canvas, light, sun, Spot(x, foot, size), view.scene.accent or RED)
    if far and state is not None:
        canvas.rng.bit_generator.state = state


def _mountains(view: _View) -> None:
    canvas, light = view.canvas, view.light
    horizon = 0.6
    sun = view.sky(horizon + 0.06)
    paint_mountains(canvas, light, sun, horizon, snow=view.has("snow") or not view.has("desert"))
    if view.has("lake") or canvas.rng.random() < 0.4:
        paint_water(canvas, light, None, 0.82, tint=mix(rgb("#1d4a5e"), light.sky[0][1], 0.4), calm=0.85, clear=0.86)
    if view.has("cabin"):
        paint_cabin(
            canvas, light, Spot(canvas.width * 0.33, canvas.height * 0.86, canvas.unit * 0.16), view.scene.accent or RED
        )


def _forest(view: _View) -> None:
    horizon = 0.56
    view.sky(horizon + 0.05)
    paint_forest(view.canvas, view.light, horizon, snow=view.has("snow"))
    if view.has("cabin"):
        canvas = view.canvas
        spot = Spot(canvas.width * 0.6, canvas.height * 0.9, canvas.unit * 0.2)
        paint_cabin(canvas, view.light, spot, view.scene.accent or RED)


def _city(view: _View) -> None:
    horizon = float(view.canvas.rng.uniform(0.68, 0.74))
    view.sky(horizon)
    paint_city(view.canvas, view.light, horizon, neon=view.has("neon"))


def _desert(view: _View) -> None:
    horizon = 0.58
    sun = view.sky(horizon)
    paint_dunes(view.canvas, view.light, sun, horizon)


def _meadow(view: _View) -> None:
    canvas, rng = view.canvas, view.canvas.rng
    horizon = float(rng.uniform(0.45, 0.52))
    view.sky(horizon + 0.04)
    paint_hills(canvas, view.light, horizon - 0.02, rgb("#5f8a4d"), layers=2)
    petal = view.scene.accent or PETALS[int(rng.integers(len(PETALS)))]
    paint_meadow(canvas, view.light, horizon + 0.08, petal, sizes=FEW if view.has("large") else MANY)


def _hills(view: _View) -> None:
    canvas, rng = view.canvas, view.canvas.rng
    horizon = 0.56
    view.sky(horizon)
    ground = rgb("#e9eef5") if view.has("snow") else mix(rgb("#6b8f47"), rgb("#b08a3e"), float(rng.uniform(0, 0.6)))
    paint_hills(canvas, view.light, horizon, ground)
    x = canvas.width * float(rng.uniform(0.3, 0.7))
    if view.has("cabin"):
        paint_cabin(canvas, view.light, Spot(x, canvas.height * 0.76, canvas.unit * 0.17), view.scene.accent or RED)
    elif view.has("tree") or rng.random() < 0.6:
        leaf = view.scene.accent or mix(rgb("#4f7f3f"), rgb("#c9772c"), float(rng.random()))
        spot = Spot(x, canvas.height * 0.82, canvas.unit * 0.5)
        paint_tree(canvas, view.light, spot, mix(leaf, view.light.near, 0.25))


def _room(view: _View) -> None:
    """A window, what is seen through it, and who looks out."""
    canvas, rng = view.canvas, view.canvas.rng
    outside = [place for place in ("city", "sea", "mountains", "forest") if view.has(place)]
    outlook = outside[0] if outside else str(rng.choice(["hills", "sea", "mountains", "city"]))
    PLACES[outlook](_View(canvas, _without(view.scene, "cat"), view.light))
    if view.has("rain"):
        paint_rain(canvas, view.light)
    if view.has("snow"):
        paint_snowfall(canvas)
    canvas.blur(canvas.unit / 420)
    wood = mix(rgb("#a5764f"), rgb("#e8dcc8"), float(rng.uniform(0, 0.5)))
    x, foot = paint_room(canvas, view.light, dim(wood, 0.85))
    if view.has("cat"):
        fur = view.scene.accent or FURS[int(rng.integers(len(FURS)))]
        x += canvas.unit * float(rng.uniform(-0.16, 0.16))
        paint_cat(canvas, view.light, Spot(x, foot, canvas.unit * 0.46), fur, faces_us=bool(rng.random() < 0.6))


def _without(scene: Scene, feature: str) -> Scene:
    return Scene(place=scene.place, time=scene.time, features=scene.features - {feature}, accent=None)


PLACES: dict[str, Callable[[_View], None]] = {
    "sea": _sea,
    "mountains": _mountains,
    "forest": _forest,
    "city": _city,
    "desert": _desert,
    "meadow": _meadow,
    "hills": _hills,
    "room": _room,
}
