"""The people of a world: when they ask for what, and what else they do. They try again when nobody answers."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from orchestrator.api import JobRequest, Orchestrator, Preference
from orchestrator.domain.errors import OrchestratorError, RequestError
from orchestrator.domain.ids import JobId, UserId
from orchestrator.faults import WorldFault
from orchestrator.sim.timeline import Timeline
from orchestrator.sim.weather import Weather

ASK_AGAIN_S = 7.0
BURST_GAP_S = (5.0, 240.0)
LONG_AFTER_S = 900.0
FEWEST_PEOPLE = 3
PREFERENCES = (*[Preference.DEFAULT] * 7, Preference.NOW, Preference.OWN, Preference.CHEAP)
"""Most people say nothing about it."""


class Wants(StrEnum):
    PICTURES = "pictures"
    CANCEL = "cancel"
    KEEP = "keep"
    RELEASE = "release"
    END_MACHINE = "end-machine"  # an admin, of any machine that there is


@dataclass(slots=True, kw_only=True)
class Wish:
    """
    One thing that one person does.

    Attributes:
        key: By which a wish that is said twice is known again.
        of: The request that it is about, for a cancel.
        job: What became of a request.
        refusal: Why it was not taken.
    """

    at: float
    person: UserId
    wants: Wants
    key: str
    count: int = 1
    prefers: Preference = Preference.DEFAULT
    of: "Wish | None" = None
    is_done: bool = False
    job: JobId | None = None
    refusal: str = ""


class People:
    """Outlives the lives of the bot: what could not be said to one is said to the next."""

    def __init__(self, wishes: Iterable[Wish], timeline: Timeline, *, surface: str) -> None:
        self.wishes = sorted(wishes, key=lambda wish: (wish.at, wish.key))
        self._timeline = timeline
        self._surface = surface

    async def act(self, bot: Orchestrator) -> None:
        """Do everything whose time has come, in order, until there is nothing left to wish."""
        async with asyncio.TaskGroup() as group:
            for wish in self.wishes:
                if wish.is_done:
                    continue
                await asyncio.sleep(max(wish.at - self._timeline.now, 0.0))
                group.create_task(self._insist(bot, wish))

    async def _insist(self, bot: Orchestrator, wish: Wish) -> None:
        while not wish.is_done:
            try:
                await self._do(bot, wish)
                wish.is_done = True
            except RequestError as error:
                wish.refusal, wish.is_done = error.key, True
            except OrchestratorError:
                await asyncio.sleep(ASK_AGAIN_S)

    async def _do(self, bot: Orchestrator, wish: Wish) -> None:
        match wish.wants:
            case Wants.PICTURES:
                ticket = await bot.submit(self._request(wish))
                wish.job = ticket.job
            case Wants.CANCEL:
                if wish.of is not None and wish.of.job is not None:
                    await bot.cancel(wish.of.job, by=wish.person)
            case Wants.KEEP:
                await bot.keep(wish.person, timedelta(minutes=30))
            case Wants.RELEASE:
                await bot.release(wish.person)
            case Wants.END_MACHINE:
                machines = (await bot.overview()).instances
                if machines:
                    await bot.end_instance(machines[0].id)

    def _request(self, wish: Wish) -> JobRequest:
        return JobRequest(
            user=wish.person,
            surface=self._surface,
            origin="",
            idempotency_key=wish.key,
            workflow=None,
            values={"prompt": f"a cat {wish.key}", "count": wish.count},
            prefers=wish.prefers,
        )


def draw(dice: random.Random, weather: Weather, *, jobs: int, people: int) -> list[Wish]:
    """
    At least *jobs* requests in bursts over the active hours, of three people at least.

    And what the weather has people do beside.
    """
    wishes: list[Wish] = []
    names = [UserId(f"sim:{name}") for name in ("ada", "bob", "cem", "dee", "eve")[:people]]
    while len(wishes) < jobs or len({wish.person for wish in wishes}) < FEWEST_PEOPLE:
        at, person = dice.uniform(0, weather.active_s * 0.95), names[len(wishes) % people]
        for _ in range(dice.choice((1, 1, 3, 5, 8))):
            key = f"{len(wishes):03d}"
            count, prefers = dice.choice((1, 1, 2, 4)), dice.choice(PREFERENCES)
            wishes.append(Wish(at=at, person=person, wants=Wants.PICTURES, key=key, count=count, prefers=prefers))
            at = min(at + dice.uniform(*BURST_GAP_S), weather.active_s)
    return wishes + [extra for wish in wishes for extra in _beside(wish, dice, weather)]


def _beside(wish: Wish, dice: random.Random, weather: Weather) -> list[Wish]:
    found = []
    for fault, wants, chance in (
        (WorldFault.PERSON_CANCELS, Wants.CANCEL, 0.4),
        (WorldFault.PERSON_KEEPS, Wants.KEEP, 0.1),
        (WorldFault.PERSON_RELEASES, Wants.RELEASE, 0.2),
        (WorldFault.ADMIN_ENDS, Wants.END_MACHINE, 0.1),
    ):
        if weather.falls(fault, chance):
            at = min(wish.at + dice.choice((dice.uniform(0, 2), dice.uniform(0, LONG_AFTER_S))), weather.active_s)
            found.append(Wish(at=at, person=wish.person, wants=wants, key=f"{wish.key}-{wants}", of=wish))
    return found
