"""Which states the page is looked at in, at each width and in each theme."""

from tests.browser.stories import TROUBLE, Card, buttons, card, stages

LONG = (
    "an old harbour in fog, seen from a rowing boat, lanterns along the quay, a cat on a coil of rope, "
    "muted greens and copper, painted in oil with a broad brush"
)


def conversation() -> list[Card]:
    """A stretch of an evening: what a person has in front of them after a while."""
    wide = {"prompt": LONG, "caption": f"{LONG} · seed 41 · 13 s · $0.0012 · your RTX 4090"}
    return [
        card("succeeded", id="a", at=0, images=["wide-3"], view=wide),
        card("cancelled", id="b", at=60),
        card("succeeded", id="c", at=120, images=["square-1", "square-2", "square-5", "square-4"]),
        card("succeeded", id="d", at=180),
    ]


def states() -> dict[str, list[Card]]:
    trouble = card("cold_start", stages=stages("boot"), view=TROUBLE)
    return {
        "queued": [card("succeeded", id="x", at=-60, images=["wide-3"]), card("queued")],
        "cold_start": [card("cold_start")],
        "trouble": [trouble],
        "running": [card("running")],
        "succeeded": [card("succeeded")],
        "tall": [card("succeeded", images=["tall-2"])],
        "failed": [card("failed", view={"buttons": buttons("edit")})],
        "cancelled": [card("cancelled")],
        "conversation": conversation(),
    }
