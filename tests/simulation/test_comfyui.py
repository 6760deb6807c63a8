"""Worlds whose faults are ComfyUI's: machines are mended before they are left, and nothing is lost."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.faults import Fault, WorldFault
from orchestrator.sim.weather import AnyFault
from orchestrator.sim.world import World
from tests.simulation.chat import SimChat
from tests.simulation.play import quietly

EVENTS = "SELECT reason FROM event WHERE kind = 'instance' AND after <> 'TERMINATED'"
MOST_WORLDS = 12


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.COMFYUI_HANGS, "comfyui_stuck"),
        (Fault.COMFYUI_OOM, "out_of_vram"),
        (Fault.COMFYUI_DIES, "comfyui_failed"),
    ],
)
def test_it_is_started_again_and_then_replaced_also_across_crashes(tmp_path: Path, fault: Fault, code: str) -> None:
    """World after world, until both have happened; none of them may break a rule."""
    told: Counter[str] = Counter()

    for seed in range(1, MOST_WORLDS + 1):
        told += play(tmp_path / str(seed), seed, fault)
        if told["started ComfyUI again"] and told[code]:
            return

    pytest.fail(f"in {MOST_WORLDS} worlds only {told}")


def play(folder: Path, seed: int, fault: Fault) -> Counter[str]:
    """What was told of the machines of one world."""
    folder.mkdir()
    faults: frozenset[AnyFault] = frozenset({fault, WorldFault.CRASH})
    with quietly():
        result = World(seed, folder=folder, make_surface=SimChat, only=faults, jobs=15).run()
    assert result.violations == ()
    with closing(sqlite3.connect(folder / "glowplug.sqlite3")) as books:
        return Counter(reason for (reason,) in books.execute(EVENTS))
