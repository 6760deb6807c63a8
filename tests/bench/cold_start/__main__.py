"""
A cold start on loopback, by the first user's script and by us, beside what the wire allows: ``make bench-cold-start``.

A real sshd, two mirrors with limits per connection, per mirror and for the wire, real git and pip, a server that speaks
ComfyUI's protocol; his proportions, scaled down (see :mod:`tests.bench.cold_start.scale`). The last line is one JSON
document.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from orchestrator.adapters.workflow_files import WorkflowFiles
from orchestrator.app import WORKFLOWS
from orchestrator.domain.stages import Stage
from tests.bench.cold_start.downloads import by_agent, by_aria2c
from tests.bench.cold_start.files import addressed, with_files, write_files
from tests.bench.cold_start.first_user import by_his_script
from tests.bench.cold_start.image import make_image
from tests.bench.cold_start.mirrors import two_mirrors
from tests.bench.cold_start.ours import by_us
from tests.bench.cold_start.scale import Scale

GOAL_RATIO = 1.10
GOAL_SPEEDUP = 3.0


async def measure(folder: Path, scale: Scale, rounds: int) -> dict[str, float]:
    """His script once, then ours and the downloaders in turn."""
    files = write_files(folder / "files", scale)
    async with two_mirrors(folder / "files", scale) as mirrors:
        files = addressed(files, mirrors)
        shipped = WorkflowFiles(WORKFLOWS).all()[0]
        workflow = make_image(folder, scale).put_into(with_files(shipped, files))
        his = await by_his_script(_machine(folder), scale, workflow)
        print("first user: " + ", ".join(f"{name} {took:.1f} s" for name, took in his.seconds.items()))
        ours, agent, aria2c, checked = [], [], [], []
        for _ in range(rounds):
            took, stages = await by_us(_machine(folder), scale, workflow)
            ours.append(took)
            print(f"ours {took:.2f} s: " + ", ".join(_words(stage, stages[0]) for stage in stages))
            agent.append(await by_agent(_machine(folder), files))
            aria2c.append(await by_aria2c(_machine(folder), files, checks=False))
            checked.append(await by_aria2c(_machine(folder), files, checks=True))
            print(f"downloads: agent {agent[-1]:.2f} s, aria2c {aria2c[-1]:.2f} s, with sha256 {checked[-1]:.2f} s")
    ours_s, agent_s, aria2c_s = (statistics.median(times) for times in (ours, agent, aria2c))
    return {
        "ratio_to_limit": round(ours_s / scale.limit_s, 3),
        "speedup_over_first_user": round(his.total_s / ours_s, 2),
        "ours_s": round(ours_s, 2),
        "limit_s": round(scale.limit_s, 2),
        "first_user_s": round(his.total_s, 2),
        "agent_s": round(agent_s, 2),
        "aria2c_s": round(aria2c_s, 2),
        "aria2c_sha256_s": round(statistics.median(checked), 2),
        "time_scale": scale.time,
        "speed_scale": scale.speed,
    }


def _words(stage: Stage, first: Stage) -> str:
    if stage.started_at is None or stage.ended_at is None or first.started_at is None:
        return f"{stage.step} {stage.state}"
    start, end = (at - first.started_at for at in (stage.started_at, stage.ended_at))
    return f"{stage.step} {start.total_seconds():.1f}-{end.total_seconds():.1f}"


def _machine(folder: Path) -> Path:
    """Where the next machine stands; the one before is no more, and its disk is free again."""
    place = folder / "machine"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place / "m"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-cold-start", description=__doc__)
    parser.add_argument("--time", type=float, default=5.0, help="true seconds that become one")
    parser.add_argument("--speed", type=float, default=10.0, help="by how much links are slower")
    parser.add_argument("--rounds", type=int, default=2, help="how often ours and the downloaders run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glowplug-lab-") as folder:
        found = asyncio.run(measure(Path(folder), Scale(time=given.time, speed=given.speed), given.rounds))
    print(json.dumps(found))
    good = found["ratio_to_limit"] <= GOAL_RATIO and found["speedup_over_first_user"] >= GOAL_SPEEDUP
    return int(not good or found["agent_s"] > found["aria2c_s"])


if __name__ == "__main__":
    sys.exit(main())
