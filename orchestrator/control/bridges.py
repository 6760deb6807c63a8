"""
The managed APIs: which can make a job now, and which are left alone.

As a loop's step it asks each of them, at the start and daily, whether it still serves us. One that does not is
switched off with a sentence to the admins, and asked again each hour.
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from orchestrator.api import BridgeState, BridgeView
from orchestrator.control.health import note_bridge
from orchestrator.control.moves import tell
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import ApiOff, InferenceUnavailable
from orchestrator.domain.job import Job
from orchestrator.domain.money import dollars
from orchestrator.domain.policy.breaker import Breaker
from orchestrator.domain.policy.routing import Prices, Route, Routing, route
from orchestrator.domain.snapshot import SessionSnapshot
from orchestrator.ports.inference import InferenceApi
from orchestrator.ports.store import Books

log = logging.getLogger(__name__)

PROBE_EVERY = timedelta(days=1)
PROBE_AGAIN = timedelta(hours=1)
PROBE_SOON = timedelta(minutes=5)
PROBE_LIMIT = timedelta(minutes=1)
ROUTING = "routing"
"""The fact that says what the admins chose."""


@dataclass(slots=True, kw_only=True)
class _Health:
    """
    How one API is doing.

    Attributes:
        problem: Why it is switched off; empty while it is not.
        doubt: Why nobody knows whether it serves us; empty when somebody does.
        probe_at: When it is asked next, on the loop's clock.
    """

    breaker: Breaker = Breaker()
    problem: str = ""
    doubt: str = "it has not answered yet"
    probe_at: float = -math.inf


async def routing_in_force(books: Books, shared: Shared) -> Routing:
    """What the admins chose last; the setting until they do."""
    chosen = await books.fact(ROUTING)
    return Routing(chosen) if chosen else shared.routing


class Bridges:
    """Keeps what was seen of each API in this life; the next one finds it out anew."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._apis: Mapping[str, InferenceApi] = shared.bridges
        self._health = {name: _Health() for name in self._apis}

    # Who can.

    def api(self, name: str) -> InferenceApi | None:
        return self._apis.get(name)

    def now_for(self, job: Job) -> tuple[str, ...]:
        """The APIs that can make *job* and may be asked now, best first."""
        now = asyncio.get_running_loop().time()
        return tuple(name for name in self.ever_for(job) if self._health[name].breaker.allows(now))

    def ever_for(self, job: Job) -> tuple[str, ...]:
        """The APIs that can make *job* and have not failed at it, those included that are left alone for a while."""
        workflow = self._shared.catalog.find(job.workflow)
        if workflow is None:
            return ()
        return tuple(
            name
            for name, api in self._apis.items()
            if name not in job.avoids and not self._health[name].problem and api.capabilities.can_make(workflow, job)
        )

    def route_of(self, job: Job, snapshot: SessionSnapshot, routing: Routing) -> Route:
        """Where *job*, which is queued, is made; *snapshot* with what is known of its person."""
        shared, bridges = self._shared, self.now_for(job)
        may_rent = bool(shared.clouds) and shared.gate.is_open
        prices = self._prices(job, snapshot, bridges[0], may_rent=may_rent) if bridges else None
        return route(job, snapshot, bridges=bridges, may_rent=may_rent, routing=routing, prices=prices)

    def _prices(self, job: Job, snapshot: SessionSnapshot, api: str, *, may_rent: bool) -> Prices:
        shared, belief = self._shared, self._shared.experience.belief
        of_others = replace(snapshot, waiting=())
        return Prices(
            bridge_usd=dollars(self._apis[api].capabilities.estimate(job)),
            start_usd=belief.start_usd,
            usd_s=belief.usd_s,
            paint_s=shared.board.seconds_per_image,
            is_coming=may_rent and shared.policy.wants_machine(of_others, shared.clock.now()),
        )

    def next_change(self) -> timedelta | None:
        """How long until one that is left alone may be asked again; None when none is."""
        now = asyncio.get_running_loop().time()
        waits = [health.breaker.open_until - now for health in self._health.values() if not health.breaker.allows(now)]
        return timedelta(seconds=min(waits)) if waits else None

    def problem_of(self, name: str) -> str:
        """Why it is switched off or left alone; empty when it is neither."""
        health = self._health[name]
        if health.problem or health.breaker.allows(asyncio.get_running_loop().time()):
            return health.problem
        return f"left alone after {health.breaker.failures} failures in a row"

    def view(self, name: str) -> BridgeView:
        """For people who look after it."""
        health, problem = self._health[name], self.problem_of(name)
        if problem:
            state = BridgeState.OFF if health.problem else BridgeState.RESTING
        else:
            state = BridgeState.UNKNOWN if health.doubt else BridgeState.SERVES
        return BridgeView(name=name, title=self._apis[name].title, state=state, why=problem or health.doubt)

    def views(self) -> tuple[BridgeView, ...]:
        """Best first."""
        return tuple(self.view(name) for name in self._apis)

    # How they did.

    def succeeded(self, name: str) -> None:
        self._health[name].breaker = Breaker()
        self._health[name].doubt = ""

    def failed(self, name: str, *, retry_after: timedelta | None = None) -> None:
        health, now = self._health[name], asyncio.get_running_loop().time()
        health.breaker = health.breaker.failed(now, retry_after_s=retry_after.total_seconds() if retry_after else None)

    async def switch_off(self, name: str, error: ApiOff) -> None:
        """It serves us no more: the admins are told, and people are sent elsewhere."""
        health, now = self._health[name], asyncio.get_running_loop().time()
        if not health.problem:
            log.warning("%s is switched off: %s", name, error)
        health.problem, health.probe_at = str(error), now + PROBE_AGAIN.total_seconds()
        async with self._shared.store.writing() as books:
            values: dict[str, str | int | float] = {"api": self._apis[name].title, "problem": str(error)}
            at = self._shared.clock.now()
            await tell(books, None, "bridge_off", values, topic=f"bridge:{name}", now=at, unless_since=at - PROBE_EVERY)
            await note_bridge(books, self.view(name))
        self._shared.wakeups.notices.wake()

    async def step(self) -> timedelta | None:
        """Ask those that are due whether they still serve us."""
        now = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for name, health in self._health.items():
                if health.probe_at <= now:
                    health.probe_at = now + PROBE_EVERY.total_seconds()
                    group.create_task(self._probe(name), name=f"probe:{name}")
        now = asyncio.get_running_loop().time()
        waits = [health.probe_at - now for health in self._health.values()]
        return timedelta(seconds=max(min(waits), 0.0)) if waits else None

    async def _probe(self, name: str) -> None:
        health = self._health[name]
        try:
            async with asyncio.timeout(PROBE_LIMIT.total_seconds()):
                await self._apis[name].probe()
        except ApiOff as error:
            await self.switch_off(name, error)
        except (InferenceUnavailable, TimeoutError) as error:
            health.doubt = str(error) or "it took too long to answer"
            log.info("%s cannot be asked whether it serves us: %s", name, health.doubt)
            health.probe_at = asyncio.get_running_loop().time() + PROBE_SOON.total_seconds()
        else:
            if health.problem:
                log.info("%s serves us again", name)
            health.problem = health.doubt = ""
            self._shared.wakeups.dispatcher.wake()
        async with self._shared.store.writing() as books:
            await note_bridge(books, self.view(name))
