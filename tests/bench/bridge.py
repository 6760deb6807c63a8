"""
What we add to a managed API's own time: ``make bench-bridge``.

A whole orchestrator on a sandbox whose Replicate takes four seconds a picture; people ask one after another while no
machine is warm. The API's own time is what it says itself, from the order to the end.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path

from orchestrator.api import JobRequest, Orchestrator, Preference, Succeeded, UserId
from orchestrator.app import SandboxAddress, open_orchestrator
from orchestrator.sandbox import replicate
from orchestrator.sandbox.options import DataFolder, SandboxOptions
from orchestrator.sandbox.server import Sandbox, open_sandbox
from orchestrator.settings import Settings

PICTURES = 8
GOAL_S = 0.5


async def measured(folder: Path) -> list[float]:
    """Seconds beyond the API's own time, of each picture."""
    async with open_sandbox(DataFolder(folder / "sandbox"), SandboxOptions()) as sandbox:
        given = {"GLOWPLUG_DATA": str(folder / "data"), "GLOWPLUG_ROUTING": "bridge", "GLOWPLUG_MAX_USD_HOUR": "0.001"}
        address = SandboxAddress(url=sandbox.url, key=sandbox.key)
        async with open_orchestrator(Settings.model_validate(given), address) as bot:
            return [await _one(bot, sandbox, number) for number in range(PICTURES)]


async def _one(bot: Orchestrator, sandbox: Sandbox, number: int) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    ticket = await bot.submit(
        JobRequest(
            user=UserId(f"bench:{number}"),
            surface="bench",
            origin="",
            idempotency_key=f"k{number}",
            workflow=None,
            values={"prompt": f"a lighthouse {number}"},
            prefers=Preference.NOW,
        )
    )
    took = 0.0
    async for view in bot.updates():
        if view.id == ticket.job and view.ended_at is not None:
            took = loop.time() - began
            assert isinstance(view.status, Succeeded), view.status
            break
    order = [*sandbox.apis.apps["replicate"][replicate.ACCOUNT].predictions.values()][-1]
    assert order.completed_at is not None
    return took - (order.completed_at - order.created_at).total_seconds()


def main() -> int:
    """Print each figure and, last, one JSON line; 1 if the median misses its goal."""
    with tempfile.TemporaryDirectory() as folder:
        added = asyncio.run(measured(Path(folder)))
    for number, seconds in enumerate(added):
        print(f"picture {number}: {seconds * 1000:.0f} ms beyond the API's own time")
    median = statistics.median(added)
    print(json.dumps({"added_p50_s": round(median, 3), "added_max_s": round(max(added), 3), "goal_s": GOAL_S}))
    return int(median > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
