"""No byte comes twice without need, whatever the speeds; and an agent that is killed at any moment loses little."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from orchestrator.sandbox.mirror import MirrorFault
from tests.adapters.agent.conftest import Mirrors
from tests.adapters.agent.machine import AgentMachine

SIZE = 12_000_000
BIG = "unet/big.safetensors"
TWICE = 1.03
"""What may come in all, over the size of the files."""
KILLS = 10


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("big")
    (folder / "unet").mkdir()
    (folder / BIG).write_bytes(random.Random(BIG).randbytes(SIZE))
    return folder


@pytest.fixture
async def few(big: Path) -> AsyncIterator[Mirrors]:
    """No mirror yet, of one big file."""
    found = Mirrors(big)
    yield found
    for server in found.servers:
        await server.close()


def assert_right(machine: AgentMachine, mirrors: Mirrors) -> None:
    assert (machine.root / "comfyui" / "models" / BIG).read_bytes() == (mirrors.folder / BIG).read_bytes()


async def beyond(stream: asyncio.StreamReader, count: int) -> int:
    """Follow a fetch until it has more than so many bytes, or all; says how many."""
    async for line in stream:
        event = json.loads(line)
        if event["event"] == "done" or event["bytes"] > count:
            return SIZE if event["event"] == "done" else int(event["bytes"])
    raise AssertionError("the fetch ended without a word")


@pytest.mark.parametrize(
    "speeds",
    [
        {"alike": (40_000_000, 4_000_000), "and alike": (40_000_000, 4_000_000)},
        {"fast": (20_000_000, 2_000_000), "half": (10_000_000, 1_000_000)},
        {"fast": (20_000_000, 2_000_000), "a quarter": (5_000_000, 500_000)},
        {"one": (20_000_000, 20_000_000)},
    ],
    ids=" ".join,
)
async def test_next_to_nothing_comes_twice(
    machine: AgentMachine, few: Mirrors, speeds: Mapping[str, tuple[int, int]]
) -> None:
    for everybody, each in speeds.values():
        await few.add(bytes_per_s=everybody, per_connection=each)

    done = await machine.last(few.chunked(BIG))

    assert_right(machine, few)
    assert done["bytes"] == SIZE
    await few.all_answered()
    assert sum(few.served) <= SIZE * TWICE


async def test_connections_that_fall_far_behind_are_cut(machine: AgentMachine, few: Mirrors) -> None:
    """A mirror that was the fast one slows to a hundredth in the middle: the other one does its work."""
    await few.add(bytes_per_s=4_000_000, per_connection=500_000)
    await few.add(bytes_per_s=2_000_000, per_connection=250_000)
    request = few.chunked(BIG)

    async with machine.calling(request) as caller:
        assert caller.stdout is not None
        await beyond(caller.stdout, SIZE // 10)
        few.faults(0).switch_on(MirrorFault.SLOW)
        had = await beyond(caller.stdout, SIZE - 1)

    assert had == SIZE
    assert_right(machine, few)


async def test_agent_killed_at_any_moment_ends_with_the_right_file(machine: AgentMachine, few: Mirrors) -> None:
    """What it had written stays, but for blocks that were on their way."""
    dice = random.Random(7)
    await few.add(bytes_per_s=4_000_000)
    request = few.chunked(BIG)
    had = [0]
    for _ in range(KILLS):
        async with machine.calling(request) as caller:
            assert caller.stdout is not None
            had.append(await beyond(caller.stdout, had[-1] + dice.randrange(SIZE // 50)))
            await machine.kill()
        await machine.start()

    done = await machine.last(request)

    assert had == sorted(had), "what was there once is there still"
    assert had[KILLS // 2] < SIZE, "it was done before it could be killed"
    assert done["bytes"] <= SIZE - had[-1]
    assert_right(machine, few)
