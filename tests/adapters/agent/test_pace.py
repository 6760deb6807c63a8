"""How many connections a fetch has: as many as bring more bytes, and not one because there might."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.agent.conftest import Mirrors
from tests.adapters.agent.machine import AgentMachine, Event

SIZES = {"unet/big.safetensors": 12_000_000, "clip/less.safetensors": 5_000_000}
BIG, LESS = SIZES
EACH = 50_000
"""Bytes per second of one connection."""
BEGIN, MOST = 16, 64


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("big")
    for path, size in SIZES.items():
        (folder / path).parent.mkdir()
        (folder / path).write_bytes(random.Random(path).randbytes(size))
    return folder


@pytest.fixture
async def one(big: Path) -> AsyncIterator[Mirrors]:
    found = Mirrors(big)
    yield found
    for server in found.servers:
        await server.close()


def hurried(request: Event) -> Event:
    """Decides from shorter windows, for what comes is as even as a token bucket gives it."""
    return request | {"window_s": 0.5}


async def test_connections_are_added_until_the_mirror_gives_all_it_can(machine: AgentMachine, one: Mirrors) -> None:
    """Its total is three times what the first connections bring."""
    await one.add(bytes_per_s=3 * BEGIN * EACH, per_connection=EACH)

    events = await machine.call(hurried(one.chunked(BIG)))

    best = max(event["rate"] for event in events[:-1])
    assert best > 2.5 * BEGIN * EACH
    assert one.at_once[0] >= 3 * BEGIN
    assert (machine.root / "comfyui" / "models" / BIG).read_bytes() == (one.folder / BIG).read_bytes()


async def test_connections_that_bring_no_more_are_given_back(machine: AgentMachine, one: Mirrors) -> None:
    """The first ones have its total already: one trial shows it."""
    await one.add(bytes_per_s=BEGIN * EACH, per_connection=2 * EACH)

    await machine.call(hurried(one.chunked(LESS)))

    said = (machine.root / "glowplug" / "agent.log").read_text()
    assert f"; {BEGIN} stay" in said
    assert BEGIN <= one.at_once[0] <= 24
