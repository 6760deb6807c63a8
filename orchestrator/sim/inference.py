"""A managed API in memory: it paints for a price a picture, and knows no idempotency key."""

import asyncio
import random

from orchestrator.domain.errors import InferenceUnavailable
from orchestrator.domain.inference import Capabilities, LoraSupport, Price
from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.faults import WorldFault
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Attempt, InferenceApi, Made
from orchestrator.sim.comfy import PNG
from orchestrator.sim.timeline import Timeline
from orchestrator.sim.weather import Weather

PRICE = MicroUsd(3_000)
"""A picture, in micro-dollars."""

CHANCE = 0.5


class SimInference(InferenceApi):
    """
    Outlives the lives of the bot.

    Attributes:
        charged: What it will bill us.
    """

    name = "painter.sim"
    title = "the painter"
    capabilities = Capabilities(
        families=frozenset({"flux-schnell"}), loras=LoraSupport.PUBLIC, price=Price(per_picture=PRICE)
    )

    def __init__(self, timeline: Timeline, weather: Weather, dice: random.Random) -> None:
        self._timeline = timeline
        self._weather = weather
        self._dice = dice
        self.charged = MicroUsd(0)

    async def probe(self) -> None:
        await asyncio.sleep(0.1)

    async def generate(self, attempt: Attempt) -> Made:
        job = attempt.job
        await asyncio.sleep(self._dice.uniform(0.1, 0.5))
        if self._weather.is_on(WorldFault.BRIDGE_FAILS, self._timeline.now) and self._dice.random() < CHANCE:
            raise InferenceUnavailable("no room")
        await asyncio.sleep(self._dice.uniform(1.0, 6.0))
        cost = MicroUsd(PRICE * job.count)
        self.charged = MicroUsd(self.charged + cost)
        if self._weather.is_on(WorldFault.BRIDGE_LOSES_ANSWERS, self._timeline.now) and self._dice.random() < CHANCE:
            raise InferenceUnavailable("the answer was lost")
        attempt.on_progress(Painting(done=job.count, total=job.count))
        await asyncio.sleep(0.1)
        return Made(pictures=tuple(PNG + f"{job.id}/{n}".encode() for n in range(job.count)), cost=cost)

    async def cancel(self, job: Job) -> None:  # noqa: ARG002
        await asyncio.sleep(0.1)
