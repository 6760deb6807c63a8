"""Small things in a landscape: a boat, a cabin, a flock of birds."""

from orchestrator.sandbox.painter.canvas import Canvas, Colour, Pen, Spot, mix, rgb
from orchestrator.sandbox.painter.light import Light

LAMP = rgb("#ffd27a")


def paint_boat(canvas: Canvas, light: Light, spot: Spot, sail: Colour) -> None:
    """A small sailing boat; its waterline is its foot."""
    box = canvas.box_of(spot, across=0.6, up=1.2, down=0.15)

    def hull(pen: Pen) -> None:
        pen.blob(spot.points((-0.36, 0.1), (0.0, 0.07), (0.44, 0.12), (0.28, -0.05), (-0.27, -0.05)))
        pen.line(spot.points((0, 0), (0, 1.08)), spot.size * 0.02)

    def sails(pen: Pen) -> None:
        pen.polygon(spot.points((0.03, 1.05), (0.2, 0.62), (0.42, 0.2), (0.03, 0.16)))
        pen.polygon(spot.points((-0.03, 0.95), (-0.16, 0.55), (-0.34, 0.2), (-0.03, 0.16)), 225)

    canvas.draw(box, sails, mix(sail, light.sky[-1][1], 0.35))
    canvas.draw(box, hull, mix(light.near, rgb("#5a3325"), 0.35))


def paint_cabin(canvas: Canvas, light: Light, spot: Spot, roof: Colour) -> None:
    """A small house; its windows are lit when it is dark."""
    box = canvas.box_of(spot, across=0.8, up=1.1, down=0.1)

    def walls(pen: Pen) -> None:
        pen.polygon(spot.mirrored((0.5, -0.05), (0.5, 0.45)))
        pen.polygon(spot.points((-0.5, 0.45), (-0.2, 0.82), (0.1, 0.45)))

    def roofs(pen: Pen) -> None:
        pen.polygon(spot.points((-0.2, 0.88), (0.42, 0.88), (0.66, 0.4), (0.08, 0.4)))
        pen.line(spot.points((-0.6, 0.38), (-0.2, 0.87)), spot.size * 0.05)
        pen.polygon(spot.points((0.22, 1.02), (0.34, 1.02), (0.34, 0.8), (0.22, 0.8)))

    def windows(pen: Pen) -> None:
        for left in (-0.32, 0.2):
            pen.polygon(spot.points((left, 0.14), (left, 0.33), (left + 0.17, 0.33), (left + 0.17, 0.14)))

    canvas.draw(box, walls, mix(mix(light.near, rgb("#6b4630"), 0.55), light.far, 0.08))
    canvas.draw(box, roofs, mix(mix(roof, light.near, 0.55), light.cloud_lit, 0.1))
    canvas.draw(box, windows, LAMP if light.is_dark else mix(light.sky[0][1], (255.0, 255.0, 255.0), 0.2))
    if light.is_dark:
        for left in (-0.235, 0.285):
            canvas.glow(*spot.at(left, 0.235), spot.size * 0.42, rgb("#c98a3c"))


def paint_birds(canvas: Canvas, light: Light, horizon: float) -> None:
    """A flock, far off."""
    rng, unit = canvas.rng, canvas.unit
    middle = canvas.px(float(rng.uniform(0.25, 0.75)), float(rng.uniform(0.2, 0.6)) * horizon)
    flock = rng.normal((0, 0, 0.01), (0.09, 0.04, 0.0025), (int(rng.integers(5, 11)), 3)) * unit
    box = (0, 0, canvas.width, max(1, round(horizon * canvas.height)))

    def draw(pen: Pen) -> None:
        for dx, dy, span in flock.tolist():
            x, y = middle[0] + dx, middle[1] + dy
            for side in (-1, 1):
                wing = [(x, y), (x + side * span * 0.5, y - span * 0.42), (x + side * span, y - span * 0.2)]
                pen.line(wing, span * 0.13)

    canvas.draw(box, draw, mix(light.near, light.far, 0.25), fineness=2)
