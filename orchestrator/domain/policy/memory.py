"""
How far a machine is trusted: what it, its host and its cloud did before, the old counting ever less.

Each outcome weighs half as much after :data:`HALF_LIFE`. A machine nobody has tried is as good as its host's other
machines, a host nobody has tried as good as its cloud; one full outcome of its own weighs as much as that guess
(:data:`GUESS`). So one failure halves the trust in a machine, one success lifts it half the way to certainty, and
both fade. See docs/decisions/0012-memory-of-hosts.md for where the numbers come from.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.ids import CloudName, HostId, MachineId

HALF_LIFE = timedelta(days=2)
"""After which an outcome counts half: the week that hosts stay bad in, and the day after which most are mended."""

WINDOW = 8 * HALF_LIFE
"""Older outcomes weigh under half a hundredth: they are not even read."""

MOST_OUTCOMES = 1000
"""Outcomes that are read; the newest ones say the most."""

REST = timedelta(hours=1)
"""A machine that failed is not tried again for so long, whatever else is known: as long as a job is tried for."""

FLOOR = 0.6
"""Of the trust in an untried machine of the same cloud; below it a machine is taken only when no other is left."""

GUESS = 1.0
"""Outcomes that the guess from one level up is worth."""

CLOUD_READY = 0.8
"""Share of machines that get ready at a cloud nobody has tried; worth :data:`CLOUD_GUESS` outcomes."""
CLOUD_GUESS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    How one machine that we ordered did, and when that was known.

    Attributes:
        worked: It made a picture and was given back for no fault of its own; False when it ended for one.
    """

    cloud: CloudName
    machine: MachineId
    host: HostId
    at: datetime
    worked: bool


@dataclass(slots=True)
class _Tally:
    """Weights of what went well, and of all."""

    good: float = 0.0
    all: float = 0.0

    def add(self, outcome: Outcome, weight: float) -> None:
        self.good += weight * outcome.worked
        self.all += weight

    def share(self, guess: float, worth: float) -> float:
        """The mean of a Beta posterior whose prior has the mean *guess* and the weight *worth*."""
        return (guess * worth + self.good) / (worth + self.all)

    def without(self, other: "_Tally") -> "_Tally":
        return _Tally(max(self.good - other.good, 0.0), max(self.all - other.all, 0.0))


class Memory:
    """What *outcomes* say at the time *now*; without any every machine is as good as another."""

    def __init__(self, outcomes: Iterable[Outcome], now: datetime) -> None:
        self._now = now
        self._clouds: defaultdict[CloudName, _Tally] = defaultdict(_Tally)
        self._hosts: defaultdict[tuple[CloudName, HostId], _Tally] = defaultdict(_Tally)
        self._machines: defaultdict[tuple[CloudName, MachineId], _Tally] = defaultdict(_Tally)
        self._failed_at: dict[tuple[CloudName, MachineId], datetime] = {}
        for outcome in outcomes:
            self._remember(outcome)

    def _remember(self, outcome: Outcome) -> None:
        age = max(self._now - outcome.at, timedelta())  # a clock that was set back makes nothing weigh more
        weight = 0.5 ** (age / HALF_LIFE)
        machine = (outcome.cloud, outcome.machine)
        for tally in (
            self._clouds[outcome.cloud],
            self._hosts[outcome.cloud, outcome.host],
            self._machines[machine],
        ):
            tally.add(outcome, weight)
        if not outcome.worked:
            self._failed_at[machine] = max(outcome.at, self._failed_at.get(machine, outcome.at))

    def is_resting(self, cloud: CloudName, machine: MachineId) -> bool:
        """Whether it failed within :data:`REST`."""
        failed_at = self._failed_at.get((cloud, machine))
        return failed_at is not None and self._now - failed_at < REST

    def untried(self, cloud: CloudName) -> float:
        """How likely an untried machine of an untried host gets ready at *cloud*; between 0 and 1, never either."""
        return self._clouds.get(cloud, _Tally()).share(CLOUD_READY, CLOUD_GUESS)

    def trust(self, cloud: CloudName, host: HostId, machine: MachineId) -> float:
        """How likely this machine gets ready and stays; between 0 and 1, never either."""
        own = self._machines.get((cloud, machine), _Tally())
        siblings = self._hosts.get((cloud, host), _Tally()).without(own)
        return own.share(siblings.share(self.untried(cloud), GUESS), GUESS)

    def is_doubtful(self, cloud: CloudName, host: HostId, machine: MachineId) -> bool:
        """Whether it is so much worse than an untried one that even a low price is no reason to take it."""
        return self.trust(cloud, host, machine) < FLOOR * self.untried(cloud)
