"""The agent on other Pythons than ours: the oldest and the newest that this computer has."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.adapters.agent.conftest import Mirrors, assert_complete
from tests.adapters.agent.machine import AGENT, AgentMachine

OLDEST = (3, 8)
"""What the agent promises to run on."""
SAYS = "import sys; print(*sys.version_info[:2])"


def candidates() -> Iterator[str]:
    """Programs that may be Pythons: those on the path, and those that pyenv keeps aside."""
    for minor in range(OLDEST[1], 30):
        yield from filter(None, [shutil.which(f"python3.{minor}")])
    for folder in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"):
        yield from map(str, Path(folder or os.devnull).glob("versions/*/bin/python3"))


def version_of(python: str) -> tuple[int, int] | None:
    """None where it does not start, as one that pyenv lists and has not chosen."""
    done = subprocess.run([python, "-c", SAYS], capture_output=True, text=True, check=False)
    numbers = re.findall(r"\d+", done.stdout)
    return (int(numbers[0]), int(numbers[1])) if done.returncode == 0 and len(numbers) == 2 else None


@pytest.fixture(scope="module")
def pythons() -> dict[tuple[int, int], str]:
    found = {sys.version_info[:2]: sys.executable}
    for python in candidates():
        version = version_of(python)
        if version is not None and version >= OLDEST:
            found.setdefault(version, python)
    return found


def test_nothing_in_it_is_newer_than_what_it_promises() -> None:
    """Also what no test reaches: vermin reads every name and every form."""
    target = "-t={}.{}-".format(*OLDEST)
    argv = [str(Path(sys.executable).with_name("vermin")), "-q", "--no-tips", "--violations", target, str(AGENT)]

    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


Pick = Callable[[Iterable[tuple[int, int]]], tuple[int, int]]


@pytest.mark.parametrize("pick", [min, max], ids=["oldest", "newest"])
async def test_fetch(
    bare_machine: AgentMachine,
    mirrors: Mirrors,
    pythons: dict[tuple[int, int], str],
    pick: Pick,
) -> None:
    bare_machine.python = pythons[pick(pythons)]
    await bare_machine.start()

    assert (await bare_machine.last(mirrors.chunked()))["event"] == "done"
    assert (await bare_machine.last({"op": "status"}))["event"] == "done"
    assert_complete(bare_machine, mirrors)
