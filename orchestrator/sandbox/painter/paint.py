"""The painter's one door."""

import numpy as np

from orchestrator.sandbox.painter.brief import Brief, Picture


def paint(brief: Brief) -> Picture:
    """Paint a picture; the same brief gives the same pixels."""
    rng = np.random.default_rng([brief.seed, len(brief.prompt)])
    return rng.integers(0, 255, (brief.height, brief.width, 3), dtype=np.uint8)
