"""What is in memory keeps its ports' promises on the loop of a simulated world: there sleeping takes no time."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from orchestrator.sim.loop import SimLoop
from orchestrator.sim.timeline import Timeline

TURN_S = 0.05
"""Turns are long, so that a rule which counts them sees a call through; nothing in a world waits shorter."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """See pytest-asyncio; below this folder alone."""
    del config, item
    return {"sim": lambda: SimLoop(Timeline(), turn_s=TURN_S)}
