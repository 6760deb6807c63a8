"""A sitting cat, against the light."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from orchestrator.sandbox.painter.canvas import Box, Canvas, Colour, Pen, Spot, curve, dim, ints, mix, rgb, to_image
from orchestrator.sandbox.painter.light import Light

HEAD = 0.745
"""Height of the head's middle, as a share of the cat's height."""


def paint_cat(canvas: Canvas, light: Light, spot: Spot, fur: Colour, *, faces_us: bool) -> None:
    """Paint a cat whose tail hangs down; it looks at us, or out of the window."""
    box = canvas.box_of(spot, across=0.62, up=1.05, down=0.42)
    silhouette = canvas.shape(box, lambda pen: _silhouette(pen, spot))
    canvas.fill(box, silhouette, _lit_fur(canvas, light, silhouette, fur))
    if faces_us:
        _front(canvas, light, spot, box, fur)
        _face(canvas, light, spot, box)
    else:
        _back(canvas, light, spot, box, fur)


def _silhouette(pen: Pen, spot: Spot) -> None:
    pen.blob(
        spot.mirrored(
            (0.12, -0.012),
            (0.235, 0.0),
            (0.295, 0.085),
            (0.288, 0.2),
            (0.242, 0.33),
            (0.188, 0.45),
            (0.15, 0.56),
            (0.12, 0.68),
        )
    )
    pen.blob(spot.mirrored((0.06, 0.605), (0.135, 0.63), (0.188, 0.69), (0.186, 0.765), (0.148, 0.835), (0.07, 0.872)))
    for side in (-1, 1):
        ear = [(0.192, 0.745), (0.2, 0.86), (0.188, 0.985), (0.115, 0.93), (0.035, 0.855), (0.1, 0.76)]
        pen.polygon(curve(spot.points(*((side * x, y) for x, y in [ear[-1], *ear, ear[0], ear[1]]))))
        pen.ellipse(*spot.at(side * 0.085, 0.012), spot.size * 0.075, spot.size * 0.036)
    path = curve(
        spot.points(
            (0.1, 0.1),
            (0.22, 0.035),
            (0.36, -0.005),
            (0.425, -0.1),
            (0.405, -0.22),
            (0.43, -0.32),
            (0.52, -0.355),
            (0.6, -0.3),
        )
    )
    for index, (x, y) in enumerate(path):
        thick = spot.size * (0.042 - 0.014 * index / len(path))
        pen.ellipse(x, y, thick, thick)


def _lit_fur(canvas: Canvas, light: Light, silhouette: Image.Image, fur: Colour) -> Image.Image:
    """Fur in shadow with a bright rim where light comes round the edge."""
    size = silhouette.size
    dark = mix(light.near, fur, 0.5)
    column = np.linspace(0, 1, size[1], dtype=np.float32)[:, None, None]
    body = np.asarray(mix(dark, light.far, 0.16)) * (1 - column) + np.asarray(dim(dark, 0.72)) * column
    hairs = canvas.rng.normal(0, 1, (max(2, size[1] // 6), max(2, size[0] // 2))).astype(np.float32)
    grain = np.asarray(Image.fromarray(hairs).resize(size, Image.Resampling.BICUBIC))
    paint = to_image(body * (1 + 0.09 * grain[..., None]))
    reach = max(2, round(canvas.unit * 0.009))
    rim = ImageChops.subtract(silhouette, ImageChops.offset(silhouette, 0, reach))
    sides = ImageChops.subtract(silhouette, ImageChops.offset(silhouette, -reach // 2, reach // 2))
    glow = ImageChops.lighter(rim, sides.point(lambda value: value // 2)).filter(ImageFilter.BoxBlur(reach / 3))
    paint.paste(Image.new("RGB", size, ints(mix(light.sun, fur, 0.3))), (0, 0), glow)
    return paint


def _front(canvas: Canvas, light: Light, spot: Spot, box: Box, fur: Colour) -> None:
    """A pale chest, front legs and inner ears."""
    pale = mix(mix(light.near, fur, 0.5), rgb("#fff4e4"), 0.3)

    def chest(pen: Pen) -> None:
        pen.blob(spot.mirrored((0.02, 0.3), (0.085, 0.4), (0.1, 0.5), (0.06, 0.59)), 190)

    def legs(pen: Pen) -> None:
        for side in (-1, 1):
            pen.line(spot.points((side * 0.012, 0.02), (side * 0.016, 0.26)), spot.size * 0.009, 150)
            pen.line(curve(spot.points(*((side * x, y) for x, y in _THIGH))), spot.size * 0.008, 110)

    def ears(pen: Pen) -> None:
        for side in (-1, 1):
            pen.polygon(spot.points((side * 0.17, 0.84), (side * 0.172, 0.935), (side * 0.09, 0.875)), 190)

    soft = canvas.shape(box, chest).filter(ImageFilter.BoxBlur(spot.size * 0.025))
    canvas.fill(box, soft, pale)
    canvas.draw(box, legs, dim(light.near, 0.6))
    canvas.draw(box, ears, mix(rgb("#b9736b"), light.near, 0.35))


_THIGH = ((0.3, 0.3), (0.2, 0.27), (0.145, 0.16), (0.16, 0.05), (0.2, 0.0))


def _back(canvas: Canvas, light: Light, spot: Spot, box: Box, fur: Colour) -> None:
    """Stripes over the spine and the backs of the ears."""
    dark = dim(mix(light.near, fur, 0.35), 0.75)

    def stripes(pen: Pen) -> None:
        for step in range(7):
            up, wide = 0.14 + 0.065 * step, 0.15 - 0.014 * step
            pen.line(
                curve(
                    spot.points((-wide, up - 0.06), (-wide, up - 0.05), (0, up), (wide, up - 0.05), (wide, up - 0.06))
                ),
                spot.size * 0.012,
                130,
            )
        for across in (-0.05, 0, 0.05):
            pen.line(spot.points((across, 0.8), (across * 0.8, 0.855)), spot.size * 0.012, 130)

    canvas.draw(box, stripes, dark)


def _face(canvas: Canvas, light: Light, spot: Spot, box: Box) -> None:
    size, sides = spot.size, (-1, 1)

    def muzzle(pen: Pen) -> None:
        for side in sides:
            pen.ellipse(*spot.at(side * 0.03, HEAD - 0.072), size * 0.04, size * 0.03, 130)

    def eyes(pen: Pen) -> None:
        for side in sides:
            pen.blob(spot.points(*((side * across, HEAD + up) for across, up in _EYE)))

    def pupils(pen: Pen) -> None:
        for side in sides:
            pen.ellipse(*spot.at(side * 0.073, HEAD + 0.007), size * 0.01, size * 0.022)

    canvas.draw(box, muzzle, mix(light.near, rgb("#fff4e4"), 0.45))
    canvas.draw(box, eyes, rgb("#e8c04a"))
    canvas.draw(box, pupils, rgb("#0b0a08"))
    canvas.draw(box, lambda pen: _mouth(pen, spot), mix(rgb("#c47f7f"), light.near, 0.2))
    canvas.draw(box, lambda pen: _whiskers(pen, spot), mix(light.sun, rgb("#d8d0c8"), 0.5))
    for side in sides:
        canvas.glow(*spot.at(side * 0.073 + 0.012, HEAD + 0.02), size * 0.012, rgb("#ffffff"), core=0.3)


_EYE = ((0.035, 0.0), (0.055, 0.026), (0.09, 0.03), (0.112, 0.014), (0.085, -0.016), (0.055, -0.014))


def _mouth(pen: Pen, spot: Spot) -> None:
    """Nose and the two curves below it."""
    pen.blob(spot.points((-0.018, HEAD - 0.042), (0.018, HEAD - 0.042), (0, HEAD - 0.062)))
    for side in (-1, 1):
        smile = spot.points((0, HEAD - 0.06), (side * 0.008, HEAD - 0.084), (side * 0.034, HEAD - 0.088))
        pen.line(smile, spot.size * 0.005)


def _whiskers(pen: Pen, spot: Spot) -> None:
    for side in (-1, 1):
        for drop in (-0.03, 0.0, 0.035):
            hair = spot.points((side * 0.06, HEAD - 0.07 - drop * 0.3), (side * 0.27, HEAD - 0.066 - drop))
            pen.line(hair, spot.size * 0.003, 170)
