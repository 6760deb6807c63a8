"""ComfyUI put onto a machine whose image lacks it: step by step, each once."""

import subprocess
from pathlib import Path

import pytest

from tests.adapters.agent.machine import AgentMachine, Event
from tests.adapters.agent.test_comfyui import FAKE

STEPS = ["clone", "torch", "requirements"]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, check=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """ComfyUI's source as far as installing goes: a program and requirements, of which there are none."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "main.py").write_text(FAKE)
    (folder / "requirements.txt").write_text("# none\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "tag", "v1")
    return folder


def request_for(repository: Path, commit: str) -> Event:
    return {"op": "install", "repository": str(repository), "commit": commit, "torch": [], "index_url": ""}


def steps(events: list[Event]) -> list[tuple[str, str]]:
    return [(event["step"], event["state"]) for event in events if event["event"] == "step"]


async def test_steps_are_told_as_they_go_and_comfyui_starts_from_there(machine: AgentMachine, repository: Path) -> None:
    """Makes a virtual environment and runs pip, twice in all: a second or two."""
    events = await machine.call(request_for(repository, git(repository, "rev-parse", "HEAD")))
    started = await machine.last({"op": "comfyui", "start": "comfyui"})

    assert steps(events) == [(step, state) for step in STEPS for state in ("running", "done")]
    assert events[-1]["event"] == "done"
    assert started["event"] == "done"
    assert not list(machine.home.iterdir())


async def test_what_is_installed_is_not_installed_again(machine: AgentMachine, repository: Path) -> None:
    request = request_for(repository, "v1")
    await machine.call(request)
    (repository / ".git").rename(repository / "gone")

    events = await machine.call(request)

    assert events[-1]["event"] == "done"
    assert len(steps(events)) == 2 * len(STEPS)


async def test_old_commit_is_found_where_the_server_serves_no_single_ones(
    machine: AgentMachine, repository: Path
) -> None:
    old = git(repository, "rev-parse", "HEAD")
    (repository / "main.py").write_text("newer")
    git(repository, "commit", "--quiet", "--all", "--message", "second")
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "false")
    git(repository, "tag", "--delete", "v1")

    await machine.call(request_for(repository, old))

    assert (machine.root / "comfyui-source" / "main.py").read_text() == FAKE


async def test_commit_that_is_not_there_fails_the_clone(machine: AgentMachine, repository: Path) -> None:
    events = await machine.call(request_for(repository, "0" * 40))

    assert steps(events) == [("clone", "running")]
    assert (events[-1]["code"], "exit status" in events[-1]["detail"]) == ("clone_failed", True)


async def test_option_in_the_place_of_a_repository_is_none(machine: AgentMachine, tmp_path: Path) -> None:
    events = await machine.call(request_for(Path("--upload-pack=touch escaped"), "v1"))

    assert events[-1]["code"] == "clone_failed"


async def test_requirements_that_cannot_be_met_fail_that_step_with_pips_words(
    machine: AgentMachine, repository: Path
) -> None:
    (repository / "requirements.txt").write_text("./no-such-folder\n")
    git(repository, "commit", "--quiet", "--all", "--message", "broken")

    events = await machine.call(request_for(repository, git(repository, "rev-parse", "HEAD")))

    assert steps(events)[-1] == ("requirements", "running")
    assert (events[-1]["code"], "no-such-folder" in events[-1]["detail"]) == ("requirements_failed", True)
