"""How many connections a fetch has: as many as bring more bytes, and not one because there might."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.payload.agent import Pace
from tests.adapters.agent.conftest import Mirrors
from tests.adapters.agent.machine import AgentMachine, Event

BIG, SIZE = "unet/big.safetensors", 12_000_000
EACH = 50_000
"""Bytes per second of one connection."""
BEGIN, MOST = 16, 64


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("big")
    (folder / BIG).parent.mkdir()
    (folder / BIG).write_bytes(random.Random(BIG).randbytes(SIZE))
    return folder


@pytest.fixture
async def one(big: Path) -> AsyncIterator[Mirrors]:
    found = Mirrors(big)
    yield found
    for server in found.servers:
        await server.close()


def hurried(request: Event, *, window_s: float = 0.5) -> Event:
    """Decides from shorter windows, for what comes is as even as a token bucket gives it."""
    return request | {"window_s": window_s}


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

    await machine.call(hurried(one.chunked(BIG), window_s=1.0))  # a busy computer's buckets are filled in jerks

    said = (machine.root / "glowplug" / "agent.log").read_text()
    assert f"; {BEGIN} stay" in said
    assert BEGIN <= one.at_once[0] <= 24


def counts(pace: Pace, wire: Callable[[int, int], int], *, seconds: int) -> Iterator[int]:
    """How many connections there are each second, where *wire* says what comes in it with so many."""
    received = 0
    for second in range(seconds):
        pace.look(float(second), received, has_work=True)
        yield pace.count
        received += wire(pace.count, second)


def test_never_more_than_the_most() -> None:
    assert list(counts(Pace(BEGIN), lambda count, _: count * 1000, seconds=60))[-1] == MOST


@pytest.mark.parametrize("total", [5, 16, 20, 30, 40, 64, 100])
def test_ends_within_one_step_of_what_is_needed(total: int) -> None:
    """Of 1.5 times: the last step that brought more is kept."""
    end = list(counts(Pace(BEGIN), lambda count, _: min(count, total) * 1000, seconds=60))[-1]

    assert max(BEGIN, min(total, MOST) * 0.95) <= end <= max(BEGIN, min(total * 1.5, MOST))


def test_what_others_take_from_the_wire_is_no_reason_for_more() -> None:
    dice = random.Random(3)

    seen = list(counts(Pace(BEGIN), lambda _count, _: dice.randrange(97_000, 100_000), seconds=120))

    assert (max(seen), seen[-1]) == (24, BEGIN)


def test_fewer_are_tried_and_kept_where_the_mirror_slows_down_who_asks_for_much() -> None:
    """As Hugging Face did to one who reported it: after 20 GB with 64 connections it gave next to nothing."""
    seen = list(
        counts(Pace(BEGIN), lambda count, second: count * 1000 if second < 30 or count <= 8 else 300, seconds=90)
    )

    assert (seen[29], seen[-1], min(seen)) == (MOST, 8, 8)


def test_fewer_are_not_kept_where_they_bring_less() -> None:
    """The wire has become slow, and it is nobody's fault."""
    seen = list(counts(Pace(BEGIN), lambda count, second: count * (1000 if second < 30 else 100), seconds=90))

    assert (seen[29], seen[-1], min(seen[30:])) == (MOST, MOST, MOST // 2)


def test_more_are_tried_again_when_the_wire_is_well_again() -> None:
    """While it is slow, few are as good."""
    seen = list(
        counts(
            Pace(BEGIN), lambda count, second: min(count * 1000, 1500 if 30 <= second < 80 else 100_000), seconds=140
        )
    )

    assert (seen[29], seen[79], seen[-1]) == (MOST, 8, MOST)
