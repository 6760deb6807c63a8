"""The agent's file: what any rented machine can run, and nothing that leads back to us."""

import ast
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.adapters.agent.conftest import Mirrors, assert_complete
from tests.adapters.agent.machine import AGENT, AgentMachine

OLDEST = (3, 8)
PACKAGES = [AGENT.parents[2] / name for name in ("bot", "orchestrator")]


def runs(python: str) -> bool:
    """Some managers of versions put names on the PATH that lead nowhere."""
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0


@cache
def pythons() -> list[str]:
    """Those at hand from 3.8 on, the oldest first; our own if there is no other."""
    names = [f"python3.{minor}" for minor in range(OLDEST[1], 20)]
    return [path for name in names if (path := shutil.which(name)) and runs(path)] or [sys.executable]


def test_oldest_python_can_read_it() -> None:
    ast.parse(AGENT.read_text(), feature_version=OLDEST)


def test_only_the_standard_library_is_imported() -> None:
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(AGENT.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }

    assert imported <= sys.stdlib_module_names


def test_nobody_imports_it() -> None:
    sources = [file for package in PACKAGES for file in package.rglob("*.py") if file != AGENT]

    assert not [file for file in sources if "payload.agent" in file.read_text() or "payload import" in file.read_text()]


def test_one_writing_suits_every_version() -> None:
    """The linter would rewrite it for the newest Python; this is what the exception in its configuration is for."""
    ruff = Path(sys.executable).parent / "ruff"
    checked = subprocess.run(
        [ruff, "check", "--isolated", "--target-version", "py38", "--select", "E9,F", AGENT],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("which", ["oldest", "newest", "our own"])
async def test_oldest_and_newest_python_at_hand_run_it(
    bare_machine: AgentMachine, mirrors: Mirrors, which: str
) -> None:
    bare_machine.python = {"oldest": pythons()[0], "newest": pythons()[-1]}.get(which, sys.executable)
    await bare_machine.start()

    done = await bare_machine.last(mirrors.manifest())

    assert done["event"] == "done"
    assert_complete(bare_machine, mirrors)
