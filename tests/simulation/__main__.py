"""
Many worlds, one a seed: ``make simulate SEEDS=5000``; ``SEED=17`` replays one with its log.
"""

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from orchestrator.sim.world import Result, World
from tests.simulation.chat import SimChat


def play(seed: int, jobs: int = 40) -> Result:
    """Let one world go from beginning to end."""
    quiet_down()
    with _folder() as folder:
        world = World(seed, folder=folder, make_surface=SimChat, jobs=jobs)
        with _hearing(world):
            return world.run()


def quiet_down() -> None:
    """Let nothing but errors be said: what goes wrong in a world is expected, what we did not expect is not."""
    for name in ("orchestrator", "bot", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)


class _Errors(logging.Handler):
    """An error in the log with a traceback is one that no code of ours expected."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            text = logging.Formatter().format(record)
            self._world.watch.fail("unexpected", text)


@contextlib.contextmanager
def _hearing(world: World) -> Iterator[None]:
    handler = _Errors(world)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="glowplug-sim-") as name:
        yield Path(name)


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=300)
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--seed", type=int)
    given = options.parse_args()
    if given.seed is not None:
        result = play(given.seed)
        print("\n".join(result.log))
        print(result.violations, result.faults, result.jobs, result.bill, result.ledger)
        return bool(result.violations)
    began = time.monotonic()
    bad = 0
    with ProcessPoolExecutor(max_workers=int(os.environ.get("JOBS", "2"))) as pool:
        for result in pool.map(play, range(given.first, given.first + given.seeds), chunksize=4):
            if result.violations:
                bad += 1
                print(result.seed, result.violations[:2], flush=True)
    print(f"{given.seeds} worlds, {bad} bad, {time.monotonic() - began:.0f} s")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
