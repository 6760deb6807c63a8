"""The same seed gives the same world, byte for byte, in whatever process."""

import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import zip_longest

import pytest

from orchestrator.faults import WorldFault
from orchestrator.sim import weather
from tests.simulation.play import play

CRASHES = {WorldFault.CRASH, WorldFault.CRASH_TWICE, WorldFault.CRASH_IN_RECOVERY, WorldFault.DOWN_FOR_HOURS}
CRASHING = [seed for seed in range(1, 200) if len(weather.draw(seed, 1.0).faults & CRASHES) > 1][:2]
"""Seeds of worlds in which the bot is killed in several ways."""


def told(seed: int, hash_seed: str) -> bytes:
    """What one process prints about a world: its whole log, its faults and its money."""
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, capture_output=True, env=environment, check=True, timeout=200).stdout


def first_difference(one: bytes, other: bytes) -> str:
    """The first line that differs, of both."""
    lines = enumerate(zip_longest(one.splitlines(), other.splitlines()), start=1)
    return next((f"line {number}:\n  {a!r}\n  {b!r}" for number, (a, b) in lines if a != b), "")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [4, *CRASHING])
def test_two_processes_with_other_hashes_tell_the_same_world(seed: int) -> None:
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(lambda hash_seed: told(seed, hash_seed), ("1", "4242"))

    assert len(one.splitlines()) > 200
    assert sha256(one).digest() == sha256(other).digest(), first_difference(one, other)


@pytest.mark.timeout(300)
def test_when_python_collects_its_garbage_changes_no_step() -> None:
    """In this world a mirror breaks off: generators are left in circles, and closing them takes steps."""
    often, usual = (60, 5, 5), gc.get_threshold()
    try:
        one = play(4)
        gc.set_threshold(*often)
        other = play(4)
    finally:
        gc.set_threshold(*usual)

    assert (one.steps, one.log) == (other.steps, other.log)


def test_a_world_that_crashes_is_among_them() -> None:
    assert len(CRASHING) == 2
