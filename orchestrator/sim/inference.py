"""A managed API in memory: it paints for a price a picture, and knows no idempotency key."""

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from math import inf

from orchestrator.domain.errors import (
    ApiOff,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    PictureFiltered,
)
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

TAKES_S = 1.0, 6.0
CHANCE = 0.5
LOOK_S = 0.5
"""Between two looks at an order."""
LIMIT_S = 120.0
"""Of an answer, and of an order."""


class Mood(StrEnum):
    """How the API is; a world may change it at any time."""

    WELL = "well"
    FULL = "full"  # no room for an order
    DOWN = "down"  # answers nothing but errors
    SILENT = "silent"  # answers nothing
    LOSES_ANSWERS = "loses answers"
    FILTERS = "filters"
    FAILS = "fails"
    POOR = "poor"  # our account is empty
    RETIRED = "retired"  # our model is gone
    FORGETS = "forgets"  # the last picture of each order
    ENDLESS = "endless"


@dataclass(slots=True, kw_only=True)
class Order:
    """
    What was ordered, and is made whether anybody asks for it or not.

    Attributes:
        mood: The one it was taken in.
        ends: When it is made, in seconds of the world.
    """

    pictures: tuple[bytes, ...]
    cost: MicroUsd
    mood: Mood
    ends: float
    is_cancelled: bool = False


class SimInference(InferenceApi):
    """
    Outlives the lives of the bot.

    Args:
        price: For a picture.
        takes_s: At least and at most, from the order until the pictures are there.

    Attributes:
        orders: By what it calls them.
        charged: What it will bill us.
    """

    name = "painter.sim"
    title = "the painter"
    capabilities = Capabilities(
        families=frozenset({"flux-schnell"}),
        loras=LoraSupport.PUBLIC,
        is_filtered=True,
        can_cancel=True,
        price=Price(per_picture=PRICE),
    )

    def __init__(
        self,
        timeline: Timeline,
        weather: Weather,
        dice: random.Random,
        *,
        key_is_good: bool = True,
        price: MicroUsd = PRICE,
        takes_s: tuple[float, float] = TAKES_S,
    ) -> None:
        self.capabilities = replace(type(self).capabilities, price=Price(per_picture=price))
        self._price = price
        self._takes_s = takes_s
        self._timeline = timeline
        self._weather = weather
        self._dice = dice
        self._key_is_good = key_is_good
        self.mood = Mood.WELL
        self.orders: dict[str, Order] = {}
        self.charged = MicroUsd(0)

    async def probe(self) -> None:
        await self._answer()

    async def generate(self, attempt: Attempt) -> Made:
        job = attempt.job
        order = await self._find(job) if not attempt.is_new else await self._order(attempt)
        while self._timeline.now < order.ends and not order.is_cancelled:  # noqa: ASYNC110 - as one polls an API
            await asyncio.sleep(min(LOOK_S, order.ends - self._timeline.now))
        if order.is_cancelled:
            raise InferenceFailed("it was cancelled there", cost=order.cost)
        if order.mood is Mood.FILTERS:
            raise PictureFiltered("it keeps the picture back", cost=order.cost)
        if order.mood is Mood.FAILS or len(order.pictures) < job.count:
            raise InferenceFailed("it made too little", cost=order.cost)
        attempt.on_progress(Painting(done=job.count, total=job.count))
        await asyncio.sleep(0.1)
        return Made(pictures=order.pictures, cost=order.cost)

    async def cancel(self, job: Job) -> None:
        await self._answer()
        order = self.orders.get(job.bridge_ref)
        if order is not None and self._timeline.now < order.ends:
            order.is_cancelled = True

    async def _find(self, job: Job) -> Order:
        """The order of an earlier life; it cannot be searched for."""
        if not job.bridge_ref:
            raise InferenceUncertain("nobody knows whether it was ordered", cost=self.capabilities.estimate(job))
        await self._answer()
        order = self.orders.get(job.bridge_ref)
        if order is None:
            raise InferenceFailed("it no longer knows the order", cost=self.capabilities.estimate(job))
        return order

    async def _order(self, attempt: Attempt) -> Order:
        job = attempt.job
        await self._answer()
        if self._falls(WorldFault.BRIDGE_FAILS) or self.mood is Mood.FULL:
            raise InferenceUnavailable("no room", retry_after=timedelta(seconds=5))
        if self.mood is Mood.POOR:
            raise ApiOff("the account is empty")
        order = self._taken(job)
        ref = f"o{len(self.orders) + 1}"
        self.orders[ref] = order
        self.charged = MicroUsd(self.charged + order.cost)
        if self._falls(WorldFault.BRIDGE_LOSES_ANSWERS) or self.mood is Mood.LOSES_ANSWERS:
            await asyncio.sleep(self._dice.uniform(1.0, 6.0))
            raise InferenceUncertain("the answer was lost", cost=order.cost)
        await attempt.note_ref(ref)
        return order

    def _taken(self, job: Job) -> Order:
        painted = job.count - (self.mood is Mood.FORGETS)
        return Order(
            pictures=tuple(PNG + f"{job.id}/{n}".encode() for n in range(painted)),
            cost=MicroUsd(self._price * job.count),
            mood=self.mood,
            ends=inf if self.mood is Mood.ENDLESS else self._timeline.now + self._dice.uniform(*self._takes_s),
        )

    async def _answer(self) -> None:
        """Wait for an answer, as far as it gives any."""
        await asyncio.sleep(self._dice.uniform(0.1, 0.5))
        if not self._key_is_good:
            raise ApiOff("the key is refused")
        if self.mood is Mood.SILENT:
            await asyncio.sleep(LIMIT_S)
            raise InferenceUnavailable("it does not answer")
        if self.mood is Mood.DOWN:
            raise InferenceUnavailable("out of order")
        if self.mood is Mood.RETIRED:
            raise ApiOff("our model is gone")

    def _falls(self, fault: WorldFault) -> bool:
        return self._weather.is_on(fault, self._timeline.now) and self._dice.random() < CHANCE
