"""A bot that is stopped again and again, at any moment, still tells everything once: on virtual time."""

import asyncio
import random
from dataclasses import dataclass, field

from bot.chat.card import CardState
from bot.chat.fake import RecordingSurface
from bot.service.desk import open_desk
from bot.service.posting import keep_posted
from orchestrator.api import JobId, Running
from tests import virtual_time
from tests.component.bot.conftest import Chat
from tests.component.bot.fake_orchestrator import BEGIN, FakeOrchestrator
from tests.unit.bot.samples import cold

RESTARTS = 100
JOBS = 40
RANK = {state: rank for rank, state in enumerate(CardState)}


@dataclass(slots=True, kw_only=True)
class World:
    """An orchestrator and a surface that outlive the bot between them."""

    dice: random.Random
    orchestrator: FakeOrchestrator = field(default_factory=FakeOrchestrator)
    surface: RecordingSurface = field(default_factory=lambda: RecordingSurface(call_s=0.3))
    jobs: list[JobId] = field(default_factory=list)

    async def live(self) -> None:
        """Forty requests, each from its cold start to its picture, some while nobody runs the bot."""
        async with asyncio.TaskGroup() as group:
            for number in range(JOBS):
                group.create_task(self._request(number))

    async def _request(self, number: int) -> None:
        await asyncio.sleep(self.dice.uniform(0, 60))
        chat = Chat(open_desk(self.orchestrator, [self.surface], lambda: BEGIN))
        await chat.say(f"cat {number}", key=f"key {number}")
        job = next(name for name, view in self.orchestrator.views.items() if view.values["prompt"] == f"cat {number}")
        self.jobs.append(job)
        for status in (cold(), Running(done=1, of=4, eta=None, served_by="your RTX 4090")):
            await asyncio.sleep(self.dice.uniform(0, 10))
            self.orchestrator.move(job, status)
        await asyncio.sleep(self.dice.uniform(0, 10))
        self.orchestrator.succeed(job, b"one")

    async def run_the_bot(self) -> None:
        """A hundred short lives, and one that is long enough."""
        for _ in range(RESTARTS):
            await self._one_life(self.dice.uniform(0, 1.5))
        await self._one_life(300)

    async def _one_life(self, seconds: float) -> None:
        self.orchestrator.restart()
        desk = open_desk(self.orchestrator, [self.surface], lambda: BEGIN)
        async with asyncio.TaskGroup() as group:
            bot = group.create_task(keep_posted(desk))
            await asyncio.sleep(seconds)
            bot.cancel()


async def live_and_die(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(world.live())
        group.create_task(world.run_the_bot())


def test_a_hundred_restarts_lose_nothing_and_post_nothing_twice() -> None:
    world = World(dice=random.Random(7))

    virtual_time.run(live_and_die(world))

    surface = world.surface
    assert set(world.orchestrator.acknowledged) == set(world.jobs) == set(surface.messages)
    assert len(world.jobs) == JOBS
    assert {card.state for card in surface.messages.values()} == {CardState.SUCCEEDED}
    assert len(surface.posted) == JOBS, "each card is in one message, whenever the bot died"
    assert len(surface.delivered) > JOBS, "a bot that died before it could note it tells an end again"
    for job in world.jobs:
        ranks = [RANK[card.state] for card in surface.shown if card.job == job]
        assert ranks == sorted(ranks), "a card went backwards"
