"""``glowplug bench cold-start`` shows the first user's table, and what glowplug makes of the same hosts."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes import clean_environment

pytestmark = pytest.mark.timeout(400)

HIS_CRITERIA = {"failure_rate": 0.1, "fine_variation": 0.3, "bad_variation": 0.5}


async def bench(folder: Path, *args: str, **settings: str) -> tuple[int, str, str]:
    """Run it where nothing else is; its status, what it prints, and what it says on the side."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orchestrator", "bench", "cold-start", *args),
        cwd=folder,
        env=clean_environment(GLOWPLUG_DATA=str(folder / "data"), **settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def report(folder: Path, *args: str, **settings: str) -> dict[str, Any]:
    status, out, err = await bench(folder, "--cloud", "sandbox", "--faults", "first-user", *args, "--json", **settings)
    assert (status, err) == (0, ""), err
    parsed: dict[str, Any] = json.loads(out)
    return parsed


async def test_without_memory_and_further_tries_it_is_the_first_users_table(tmp_path: Path) -> None:
    """Of five machines one never opens SSH, three vanish while the models load, and one makes a picture."""
    measured = await report(tmp_path, "--runs", "5", "--plain")

    assert list(measured) == ["runs", "success_rate", "variation", "verdict", "criteria", "usd_per_run", "by_step"]
    ends = sorted((run["failure"] or run["outcome"], run["ended_in"] or "") for run in measured["runs"])
    assert ends == [("ssh_unreachable", "ssh"), ("succeeded", ""), *[("vanished", "models")] * 3]
    assert [run["tries"] for run in measured["runs"]] == [1] * 5
    assert (measured["success_rate"], measured["variation"], measured["verdict"]) == (0.2, None, "batch_only")
    assert measured["criteria"] == HIS_CRITERIA
    assert measured["usd_per_run"] > 0
    [kept] = (tmp_path / "data" / "bench").iterdir()
    assert json.loads(kept.read_text()) == measured


async def test_with_them_every_run_makes_its_picture_and_only_the_first_has_to_search(tmp_path: Path) -> None:
    measured = await report(tmp_path, "--runs", "5")

    assert [run["outcome"] for run in measured["runs"]] == ["succeeded"] * 5
    assert measured["success_rate"] == 1
    assert [run["tries"] for run in measured["runs"][1:]] == [1] * 4
    for run in measured["runs"]:
        steps = [step["step"] for step in run["steps"]]
        assert steps[-1] == "generation"  # who waits gets the first picture: it is the proof, and no other is made
        assert "models" in steps
        assert "smoke" not in steps
        assert sum(step["bytes"] for step in run["steps"]) > 0
        assert run["total_s"] > 0


async def test_a_person_reads_the_steps_and_the_verdict_and_sees_them_drawn(tmp_path: Path) -> None:
    status, out, err = await bench(tmp_path, "--runs", "1", "--faults", "none", "--chart", "steps.svg")

    assert status == 0
    assert out.startswith("on the sandbox: nothing is rented for real")
    assert "run 1" in out
    assert "1 of 1 made their picture: fine for people who wait" in out
    assert err == "steps.svg\n"
    assert "Cold start on the sandbox: 1 run, 1 made a picture" in (tmp_path / "steps.svg").read_text()


@pytest.mark.parametrize(
    "args", [("--cloud", "moon"), ("--chart", "steps.gif"), ("--cap-usd", "-1"), ("--runs", "0"), ("--faults", "rain")]
)
async def test_what_cannot_be_measured_is_said_and_nothing_is_started(tmp_path: Path, args: tuple[str, ...]) -> None:
    status, out, err = await bench(tmp_path, *args)

    assert (status, out) == (2, "")
    assert "Traceback" not in err
    assert not (tmp_path / "data").exists()


async def test_what_may_be_spent_is_not_exceeded(tmp_path: Path) -> None:
    status, out, _ = await bench(tmp_path, "--cloud", "vast", "--runs", "1", "--faults", "none", "--cap-usd", "0.01")

    assert status == 0
    assert "on the sandbox's vast" in out
    assert "over_budget" in out
    assert "$0.0000 a run" in out
