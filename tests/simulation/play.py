"""One world, played from beginning to end: the log of errors is heard, and its folder is in memory."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.sim.world import Result, World
from tests.simulation.chat import SimChat

HOUR = 3600.0


def play(seed: int, jobs: int = 40) -> Result:
    """Let world *seed* go from its first hour to its quiet end."""
    with _folder() as folder:
        world = World(seed, folder=folder, make_surface=SimChat, jobs=jobs)
        with quietly(), _hearing(world):
            return world.run()


def how_to_replay(seed: int) -> str:
    return f"make simulate SEED={seed}"


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let nothing but errors be said: what goes wrong in a world is expected, what we did not expect is not."""
    loggers = [logging.getLogger(name) for name in ("orchestrator", "bot", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


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
    handler, root = _Errors(world), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="glowplug-sim-") as name:
        yield Path(name)
