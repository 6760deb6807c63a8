"""No byte comes twice without need, whatever the speeds; and an agent that is killed at any moment loses little."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from orchestrator.sandbox.mirror import MirrorFault
from tests.adapters.agent.conftest import Mirrors
from tests.adapters.agent.kills import BIG, TWICE, beyond, fetched_under_fire, make_big
from tests.adapters.agent.machine import AgentMachine

SIZE = 12_000_000
KILLS = 6


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_big(tmp_path_factory.mktemp("big"), SIZE)


@pytest.fixture
async def few(big: Path) -> AsyncIterator[Mirrors]:
    """No mirror yet, of one big file."""
    found = Mirrors(big)
    yield found
    for server in found.servers:
        await server.close()


def assert_right(machine: AgentMachine, mirrors: Mirrors) -> None:
    assert (machine.root / "comfyui" / "models" / BIG).read_bytes() == (mirrors.folder / BIG).read_bytes()


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
        *_, last = await beyond(caller.stdout, SIZE)

    assert last["event"] == "done"
    assert_right(machine, few)


async def test_agent_killed_at_any_moment_ends_with_the_right_file(machine: AgentMachine, few: Mirrors) -> None:
    """What it had written stays. ``python -m tests.adapters.agent.kills`` kills it fifty times."""
    await few.add(bytes_per_s=SIZE // KILLS * 2)

    outcome = await fetched_under_fire(machine, few, few.chunked(BIG), KILLS)

    assert outcome.kills > KILLS // 2, "it was done before it could be killed"
    assert outcome.right
    assert outcome.kept


async def test_mirror_that_resets_each_connection_after_a_while_costs_little(
    machine: AgentMachine, few: Mirrors
) -> None:
    """As one that breaks off after 10 MB does to a file of 20 GB; a block that was not whole is lost each time."""
    await few.add(bytes_per_s=8_000_000)
    few.faults(0).reset_after = SIZE // 32
    few.switch_on(MirrorFault.RESET)

    done = await machine.last(few.chunked(BIG))

    assert_right(machine, few)
    await few.all_answered()
    assert done["bytes"] == SIZE
    assert sum(few.served) <= SIZE * 1.15
