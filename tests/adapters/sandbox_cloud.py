"""A sandbox's machines without its own server, for the servers that speak as other clouds do."""

import asyncio
import random
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.adapters.system import SystemClock
from orchestrator.faults import Profile
from orchestrator.sandbox.cloud import Cloud
from orchestrator.sandbox.machine import Ground
from orchestrator.sandbox.market import Market
from orchestrator.sandbox.troubles import Troubles


def now_of_this_computer() -> float:
    return SystemClock().now().timestamp()


@asynccontextmanager
async def sandbox_cloud(
    *, hosts: int, speed: float, first_contract: int = 1000, now: Callable[[], float] = now_of_this_computer
) -> AsyncIterator[Cloud]:
    """Open it; its machines end with the block."""
    with tempfile.TemporaryDirectory() as folder:
        async with asyncio.TaskGroup() as tasks:
            ground = Ground(folder=Path(folder), mark=secrets.token_hex(16), speed=speed, comfyui={}, now=now)
            cloud = Cloud(
                ground=ground,
                market=Market(seed=1, hosts=hosts),
                troubles=Troubles(profile=Profile.NONE, seed=1, now=ground.now),
                balance_usd=25.0,
                first_contract=first_contract,
                tasks=tasks,
                dice=random.Random(1),
            )
            try:
                yield cloud
            finally:
                await cloud.end_all()
