"""
How soon Discord gets its first response while the database is busy: ``make bench-ack``.

The whole way in one process: a slash command as Discord's gateway brings it, the bot, the orchestrator and its
database, until the response was sent. Meanwhile others ask, cancel and look back without a pause. The last line is one
JSON document; simcord's own time is in it, so it is an upper bound.
"""

import asyncio
import json
import statistics
import tempfile
import time
from itertools import count
from pathlib import Path

from orchestrator.adapters.system import SystemClock
from orchestrator.api import JobRequest, UserId
from orchestrator.app import open_orchestrator
from orchestrator.control.service import Service
from orchestrator.settings import Settings
from tests.discord.world import Discord, a_town, heard

SAMPLES = 200
BUSY = 6
"""Others at work at the same time."""


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        quiet, busy = await _measured(Path(folder))
    for name, seconds in (("quiet", quiet), ("busy", busy)):
        print(f"{name}: p50 {_ms(seconds, 50)} ms, p95 {_ms(seconds, 95)} ms, p99 {_ms(seconds, 99)} ms")
    print(json.dumps({"ack_p99_ms": _ms(busy, 99), "ack_p99_quiet_ms": _ms(quiet, 99), "samples": len(busy)}))


async def _measured(folder: Path) -> tuple[list[float], list[float]]:
    settings = Settings.model_validate({"GLOWPLUG_DATA": str(folder), "GLOWPLUG_MAX_QUEUE": "1000000"})
    async with (
        open_orchestrator(settings) as orchestrator,
        a_town() as town,
        town.bot(orchestrator, SystemClock().now) as discord,
    ):
        quiet = [await _asked(discord, number) for number in range(SAMPLES // 2)]
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(_work(orchestrator, number)) for number in range(BUSY)]
            busy = [await _asked(discord, number) for number in range(SAMPLES)]
            for other in others:
                other.cancel()
    return quiet, busy


async def _asked(discord: Discord, number: int) -> float:
    began = time.perf_counter()
    answer = await discord.imagine(f"cat {number}")
    took = time.perf_counter() - began
    assert heard(answer), "Discord got no response"
    return took


async def _work(orchestrator: Service, number: int) -> None:
    """Ask, look back and cancel, again and again."""
    user = UserId(f"web:busy {number}")
    for turn in count():
        request = JobRequest(
            user=user,
            surface="web",
            origin="",
            idempotency_key=f"{user} {turn}",
            workflow=None,
            values={"prompt": f"a busy cat {turn}"},
        )
        ticket = await orchestrator.submit(request)
        await orchestrator.jobs(user=user, limit=50)
        await orchestrator.cancel(ticket.job, by=user)
        await orchestrator.costs(30)


def _ms(seconds: list[float], percent: int) -> float:
    return round(statistics.quantiles(seconds, n=100)[percent - 1] * 1000, 1)


if __name__ == "__main__":
    asyncio.run(main())
