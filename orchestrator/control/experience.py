"""
What was learnt of people and machines: kept in memory, and made anew from the books at each start.

Each request is played against all rules as it comes in (:mod:`orchestrator.domain.policy.advice`), at the prices that
the last machines had. What is advised then holds until the person's next request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.control.decisions import Apis
from orchestrator.domain.ids import CloudName, InstanceId, UserId
from orchestrator.domain.instance import BLAMELESS, Instance
from orchestrator.domain.job import Job, Preference
from orchestrator.domain.money import MICRO
from orchestrator.domain.policy.advice import Advice, Adviser
from orchestrator.domain.policy.belief import NEWEST, Start, believe
from orchestrator.domain.policy.early import AT_MOST_EVERY, SOON, Hunches, is_worth_starting
from orchestrator.domain.policy.shadow import Ask, Belief
from orchestrator.domain.snapshot import Evidence, SessionSnapshot
from orchestrator.domain.traffic import HIS_COLD_START, HIS_PICTURE
from orchestrator.ports.inference import InferenceApi
from orchestrator.ports.store import Books
from orchestrator.ports.workflows import WorkflowCatalog

MEMORY = timedelta(days=90)
PAGE = 500

USD_HOUR = 0.35
"""A 24 GB card on a market (2026): what is assumed until a machine of ours was seen."""

MARKET = Belief(
    usd_s=USD_HOUR / 3600,
    cold_s=HIS_COLD_START.total_seconds(),
    start_usd=USD_HOUR / 3600 * HIS_COLD_START.total_seconds(),
    paint_s=HIS_PICTURE.total_seconds(),
)
SANDBOX_MARKET = Belief(usd_s=USD_HOUR / 3600, cold_s=10.0, start_usd=USD_HOUR / 360, paint_s=2.0)
"""Machines there are ready in seconds."""


@dataclass(slots=True)
class _Guess:
    """
    Whether one person is about to ask.

    Attributes:
        since: They have seemed so since then.
        early_for: A machine was started then, and they have not asked since.
        started_at: The last that was.
        bridge_usd: What an API took for their last request; 0 where none could make it.
    """

    hunches: Hunches = Hunches()
    since: datetime | None = None
    early_for: datetime | None = None
    started_at: datetime | None = None
    bridge_usd: float = 0.0

    def settle(self, now: datetime, *, has_asked: bool) -> None:
        """Count what has become of the last one, if that can be told by now."""
        if self.since is not None and now - self.since > SOON:
            self.hunches = replace(self.hunches, missed=self.hunches.missed + 1)
            self.since = None
        elif self.since is not None and has_asked:
            self.hunches = replace(self.hunches, followed=self.hunches.followed + 1)
            self.since = None
        self.early_for = None if has_asked else self.early_for


class Experience:
    """
    Args:
        bridges: By name, best first.
        most_kept: The upper bound of every keep-alive.
        prior: What is believed of machines before any was seen.
    """

    def __init__(
        self,
        *,
        bridges: Mapping[str, InferenceApi],
        catalog: WorkflowCatalog,
        most_kept: timedelta,
        prior: Belief = MARKET,
    ) -> None:
        self._bridges = bridges
        self._catalog = catalog
        self._most_kept = most_kept
        self._prior = prior
        self._guesses: dict[UserId, _Guess] = {}
        self._starts: dict[InstanceId, Start | None] = {}
        self.adviser = Adviser(most_kept)
        self.belief = prior
        self.since: datetime | None = None
        """The first request that it knows."""

    async def load(self, books: Books, now: datetime) -> None:
        """Go through what was asked for before, oldest first, at today's prices."""
        await self.learn(books)
        last: Job | None = None
        while page := await books.jobs.since(now - MEMORY, after=last, limit=PAGE):
            for job in page:
                self.ask(job)
            last = page[-1]

    async def learn(self, books: Books, *, seconds_per_image: float | None = None) -> None:
        """Take in what machines have cost and taken."""
        settled = await books.instances.settled(NEWEST)
        self._starts = {name: await self._start(books, name) for name in settled}
        starts = [start for start in self._starts.values() if start is not None]
        paint_s = self._prior.paint_s if seconds_per_image is None else seconds_per_image
        self.belief = believe(starts, replace(self._prior, paint_s=paint_s))

    async def _start(self, books: Books, name: InstanceId) -> Start | None:
        """How the start of a machine went; None where that says nothing. It never changes any more."""
        if name in self._starts:
            return self._starts[name]
        instance = await books.instances.get(name)
        return None if instance is None else _start_of(instance)

    def ask(self, job: Job) -> Advice:
        """A request has come in."""
        self.since = self.since or job.submitted_at
        apis = self.apis(job)  # without one it has to be a machine
        bridge_usd = apis.usd if apis.title else None
        guess = self._guesses.setdefault(job.user, _Guess())
        guess.settle(job.submitted_at, has_asked=True)
        guess.bridge_usd = bridge_usd or 0.0
        ask = Ask(at=job.submitted_at.timestamp(), images=job.count, bridge_usd=bridge_usd)
        return self.adviser.ask(job.user, ask, self.belief)

    def expect(self, user: UserId, now: datetime) -> bool:
        """Somebody seems about to ask; returns whether a machine is worth starting for them now."""
        guess = self._guesses.setdefault(user, _Guess())
        guess.settle(now, has_asked=False)
        guess.since = guess.since or now
        if guess.started_at is not None and now - guess.started_at < AT_MOST_EVERY:
            return False
        advice, recent = self.adviser.advice(user), self.adviser.recent(user)
        during = sum(at - recent[0] <= self.belief.cold_s for at in recent)  # as it was the last time
        return is_worth_starting(advice, guess.hunches, bridge_usd=guess.bridge_usd, requests=during)

    def started_early(self, user: UserId, now: datetime) -> None:
        """A machine is on its way for a request that they have not made."""
        guess = self._guesses.setdefault(user, _Guess())
        guess.started_at = guess.early_for = now

    def seen(self, snapshot: SessionSnapshot) -> SessionSnapshot:
        """The same with what is known of its person."""
        user: UserId = snapshot.session.user
        guess = self._guesses.get(user)
        evidence = Evidence(
            recent=self.adviser.recent(user),
            advice=self.adviser.advice(user),
            expected_at=guess.early_for if guess else None,
        )
        return replace(snapshot, evidence=evidence)

    def apis(self, job: Job) -> Apis:
        """What the managed APIs say to it: the best that can make it, or why none can."""
        workflow = self._catalog.find(job.workflow)
        if workflow is None or not self._bridges:
            return Apis()
        if job.prefers is Preference.OWN:
            return Apis(obstacle=str(Preference.OWN))
        obstacles = {name: api.capabilities.obstacle(workflow, job) for name, api in self._bridges.items()}
        able = next((self._bridges[name] for name, obstacle in obstacles.items() if obstacle is None), None)
        if able is None:
            return Apis(obstacle=str(next(iter(obstacles.values()))))
        return Apis(title=able.title, usd=able.capabilities.estimate(job) / MICRO)


def _start_of(instance: Instance) -> Start | None:
    """Only a first picture shows that a machine has started well; one that was not asked for any says nothing."""
    at = instance.ready_at if instance.proved_at else instance.given_up_at
    if instance.ordered_at is None or instance.offer is None or at is None:
        return None
    if instance.proved_at is None and instance.end_reason in BLAMELESS:
        return None
    return Start(
        cloud=instance.cloud or CloudName(""),
        gpu=instance.offer.gpu,
        seconds=(at - instance.ordered_at).total_seconds(),
        usd=instance.cost(at) / MICRO,
        usd_s=instance.price / MICRO / 3600,
        worked=instance.proved_at is not None,
    )
