"""The worker image's own command as the agent starts it, and the script that has it built."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.agent.machine import AgentMachine
from tests.adapters.agent.test_comfyui import FAKE, START
from tests.adapters.worker_image.recipe import FOLDER

DOCKER = """#!/bin/sh
echo "$@" >> "$ASKED"
while [ $# -gt 0 ]; do
  if [ "$1" = --metadata-file ]; then echo '{"containerimage.digest": "sha256:abc123"}' > "$2"; fi
  shift
done
"""


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[AgentMachine]:
    """A machine of that image, with a ComfyUI that only tells how it was started."""
    source = tmp_path / "opt" / "comfyui"
    source.mkdir(parents=True)
    (source / "main.py").write_text(FAKE)
    environment = {"COMFYUI_SOURCE": str(source), "COMFYUI_PYTHON": sys.executable}
    machine = AgentMachine(root=tmp_path / "r", programs=FOLDER, home=tmp_path, environment=environment)
    machine.root.mkdir()
    await machine.start()
    yield machine
    await machine.end()


async def test_the_agent_installs_nothing_and_starts_it(machine: AgentMachine) -> None:
    seen = await machine.last({"op": "probe", "start": "comfyui"})

    started = await machine.last(START | {"args": ["--lowvram"]})

    base = machine.root / "comfyui"
    arguments, _ = json.loads((base / "arguments.json").read_text())
    own = ["--listen", "127.0.0.1", "--port", str(started["port"]), "--base-directory", str(base)]
    assert seen["has_start"] is True
    assert arguments == [*own, "--disable-metadata", "--lowvram"]
    assert not (machine.root / "comfyui-source").exists()


async def test_what_the_agent_ends_is_comfyui_itself(machine: AgentMachine) -> None:
    """Not a shell around it, which would leave it alive."""
    started = await machine.last(START)

    command = Path(f"/proc/{started['pid']}/cmdline").read_bytes().split(b"\0")
    assert command[1].endswith(b"/main.py")


async def built(tmp_path: Path, *arguments: str) -> tuple[str, str]:
    """Run the script with a docker that notes what it is asked; give its words and the notes."""
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    seen = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ASKED": str(tmp_path / "asked")}
    script = ["sh", str(FOLDER / "build.sh"), *arguments]
    ran = await asyncio.create_subprocess_exec(*script, env=seen, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = await ran.communicate()
    notes = tmp_path / "asked"
    return said.decode(), notes.read_text() if notes.exists() else ""


async def test_it_is_built_so_that_the_same_commit_gives_the_same_bits(tmp_path: Path) -> None:
    said, asked = await built(tmp_path, "registry.example/worker:1", "push")

    for option in ("--no-cache", "--provenance=false", "--sbom=false", "--platform linux/amd64"):
        assert option in asked
    assert "type=image,push=true,name=registry.example/worker:1,rewrite-timestamp=true" in asked
    assert 'image = "registry.example/worker:1@sha256:abc123"' in said


async def test_it_is_not_pushed_unless_that_is_said(tmp_path: Path) -> None:
    _, asked = await built(tmp_path, "worker:1")

    assert "push" not in asked


async def test_without_a_name_it_says_what_is_missing(tmp_path: Path) -> None:
    said, asked = await built(tmp_path)

    assert "make worker-image IMAGE=" in said
    assert asked == ""
