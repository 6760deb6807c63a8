"""
A log played again: the production control plane on virtual time, with people who ask as the log says.

Nothing goes wrong here but what the fault profile does to machines, so that what is left is the policy: what it costs,
and how long people wait.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.adapters.database.inline_db import at_once
from orchestrator.api import JobView, Orchestrator, Succeeded
from orchestrator.control.shared import Limits
from orchestrator.domain.activity import Request
from orchestrator.domain.ids import CloudName, JobId, UserId
from orchestrator.domain.money import MicroUsd, micro_usd
from orchestrator.domain.policy.renting import RentingPolicy
from orchestrator.domain.policy.spend import UNCAPPED
from orchestrator.domain.terms import Terms
from orchestrator.faults import Profile
from orchestrator.sim.account import SimAccount
from orchestrator.sim.blobs import SimBlobs
from orchestrator.sim.inference import SimInference
from orchestrator.sim.life import Life, Rules, Surroundings
from orchestrator.sim.loop import SimLoop
from orchestrator.sim.market import SimHost, SimMarket
from orchestrator.sim.names import SimIds, SimWall
from orchestrator.sim.timeline import Timeline
from orchestrator.sim.traffic import People, Wants, Wish
from orchestrator.sim.weather import Weather

PAUSE = timedelta(minutes=10)
"""Without a request of theirs: a person's next one is a first one again."""

HOSTS = 200
MODELS_SHARE = 0.5
"""Of a cold start: the downloads."""

MODELS_BYTES = 33e9
DEADLINE = timedelta(days=1)
LOOK_S = 600.0
MOST_LOOKS = 200
QUIET = Limits(
    job_deadline=DEADLINE,
    max_machines=100_000,
    look_every=timedelta(hours=1),
    quiet_look_every=timedelta(hours=1),
    dead_man=timedelta(hours=10),
)
"""Nobody crashes here, so the books need not be compared with the clouds' each minute."""

ANSWER_S = 0.5
"""Of the bridge's seconds: its answers, beside the painting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """
    How long one request took.

    Attributes:
        seconds: From the request until its pictures were there.
        is_first: It was that person's first one after ten minutes without one.
    """

    user: str
    at: datetime
    seconds: float
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """
    What a policy came to on a log.

    Attributes:
        gpu: What the cloud bills for all machines.
        bridge: What the managed API charges.
        cold_starts: Machines that were ordered.
        lost_jobs: Requests without pictures in the end.
        orphans: Machines that were left when everything was over.
    """

    policy: str
    gpu: MicroUsd
    bridge: MicroUsd
    cold_starts: int
    waits: tuple[Wait, ...]
    lost_jobs: int
    orphans: int


def replay(
    requests: Sequence[Request], policy: RentingPolicy, terms: Terms, *, profile: Profile, seed: int, folder: Path
) -> Replayed:
    """
    Play *requests*, oldest first, under *policy*.

    Args:
        folder: Empty, for the database; best in memory.
    """
    return _Replay(requests, policy, terms, profile=profile, seed=seed, folder=folder).run()


class _Replay:
    def __init__(
        self,
        requests: Sequence[Request],
        policy: RentingPolicy,
        terms: Terms,
        *,
        profile: Profile,
        seed: int,
        folder: Path,
    ) -> None:
        self._requests = requests
        self._policy = policy
        self._timeline = Timeline(requests[0].at)
        self._made: dict[JobId, JobView] = {}
        weather = _fair(profile, seed)
        self._account = SimAccount(
            CloudName("sim"),
            timeline=self._timeline,
            market=SimMarket(
                CloudName("sim"), seed=seed, size=HOSTS, profile=profile, hosts=_hosts(terms), disk_price=0
            ),
            weather=weather,
            dice=random.Random(f"account/{seed}"),
            balance=micro_usd(1e6),
            on_change=lambda _machine, _what: None,
        )
        self._bridge = None
        if terms.bridge_usd is not None:
            takes = max(terms.bridge_s - ANSWER_S, 0.0)
            self._bridge = SimInference(
                self._timeline,
                weather,
                random.Random(f"bridge/{seed}"),
                price=micro_usd(terms.bridge_usd),
                takes_s=(takes, takes),
            )
        self._wishes = [_wish(number, request, self._timeline, terms) for number, request in enumerate(requests)]
        self._around = Surroundings(
            path=folder / "glowplug.sqlite3",
            wall=SimWall(self._timeline),
            ids=SimIds(random.Random(f"ids/{seed}")),
            dice=random.Random(f"bot/{seed}"),
            accounts=(self._account,),
            bridges=(self._bridge,) if self._bridge else (),
            blobs=SimBlobs(lambda: False),
            rules=Rules(policy=policy, limits=QUIET, caps=UNCAPPED, queued_jobs=100_000),
        )

    def run(self) -> Replayed:
        loop = SimLoop(self._timeline)
        try:
            loop.run(Life(self._around, at_once).live(self._do))
        finally:
            loop.close()
        machines = self._account.ours()
        return Replayed(
            policy=self._policy.name,
            gpu=self._account.bill(),
            bridge=self._bridge.charged if self._bridge else MicroUsd(0),
            cold_starts=len(machines),
            waits=tuple(self._waits()),
            lost_jobs=len(self._wishes) - len(self._made),
            orphans=sum(machine.ended_at is None for machine in machines),
        )

    async def _do(self, bot: Orchestrator) -> None:
        people = People(self._wishes, self._timeline, surface="sim")
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(_read_notices(bot))
            await people.act(bot)
            await self._until_quiet(bot)
            reader.cancel()
        for wish in self._wishes:  # nobody reads the updates: making them costs more than all the rest
            view = await bot.job(wish.job) if wish.job else None
            if view is not None and isinstance(view.status, Succeeded):
                self._made[view.id] = view

    async def _until_quiet(self, bot: Orchestrator) -> None:
        """Everybody has their pictures, and no machine is left; those that a policy would keep for ever are ended."""
        for _ in range(MOST_LOOKS):
            overview = await bot.overview()
            if not overview.queue and not overview.sessions and not overview.instances:
                return
            await asyncio.sleep(LOOK_S)
        await bot.end_all(timedelta(hours=1))  # type: ignore[attr-defined]

    def _waits(self) -> Iterator[Wait]:
        last: dict[str, datetime] = {}
        for request, wish in zip(self._requests, self._wishes, strict=True):
            before = last.get(request.user)
            last[request.user] = request.at
            view = self._made.get(wish.job) if wish.job else None
            if view is not None and view.ended_at is not None:
                yield Wait(
                    user=request.user,
                    at=request.at,
                    seconds=(view.ended_at - request.at).total_seconds(),
                    is_first=before is None or request.at - before >= PAUSE,
                )


async def _read_notices(bot: Orchestrator) -> None:
    async for notice in bot.notices():
        await bot.acknowledge_notice(notice.id)


def _wish(number: int, request: Request, timeline: Timeline, terms: Terms) -> Wish:
    at = (request.at - timeline.date()).total_seconds()
    return Wish(
        at=at,
        person=UserId(f"sim:{request.user}"),
        wants=Wants.PICTURES,
        key=f"{number:07d}",
        count=terms.images_per_request,
    )


def _fair(profile: Profile, seed: int) -> Weather:
    nothing: Mapping[object, tuple[object, ...]] = {}
    return Weather(
        profile=profile,
        active_s=0,
        faults=frozenset(),
        windows=nothing,  # type: ignore[arg-type]
        spells=nothing,  # type: ignore[arg-type]
        dice=random.Random(f"weather/{seed}"),
    )


def _hosts(terms: Terms) -> tuple[SimHost, ...]:
    """All alike: what differs between policies is then the policy."""
    return tuple(
        SimHost(
            number=number,
            gpu="RTX 4090",
            vram_mib=24_564,
            compute_capability=8.9,
            price=round(terms.gpu_usd_hour * 1e6),
            bps=MODELS_BYTES / (MODELS_SHARE * terms.cold_start_s),
            speed=1.0,
            cold_start_s=terms.cold_start_s,
            picture_s=terms.generate_s,
        )
        for number in range(HOSTS)
    )
