"""
How long a machine takes to get ready: its bytes over the link it should have, beside what else a cold start takes.

A link's speed is thought to lie about a share of what its cloud advertises for it, as the logarithm of a speed lies
about a mean (log-normal). That share is learnt cloud by cloud; hosts lie about their cloud's, machines about their
host's, and one download about its machine's. Each level is the guess for the one below, and weighs less the more was
measured there. What was measured fades as outcomes do.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from orchestrator.domain.estimates import FEWEST, REAL_CLOUD
from orchestrator.domain.ids import CloudName, HostId, MachineId
from orchestrator.domain.offer import Offer
from orchestrator.domain.policy.memory import HALF_LIFE
from orchestrator.domain.stages import Step

INSTALL = frozenset({Step.CLONE, Step.TORCH, Step.REQUIREMENTS, Step.COMFYUI})
"""Steps that run beside the download."""

MOST_LINKS = 1000
"""Links that are read; the newest ones say the most."""

NEWEST_STARTS = 30
"""Cold starts of a cloud that its usual times are learnt from."""

BPS_OF_MBPS = 1e6 / 8
"""Bytes a second of what clouds advertise."""

USUAL_MBPS = 1000.0
"""What a cloud that does not say counts as advertising: with :data:`HONEST` 63 MB/s, as the first user measured."""

HONEST = 0.5
"""
Share of the advertised speed that is expected of a cloud nobody has measured: what is advertised was measured to some
server nearby, while where the models are decides (one host moved 38 MB/s from R2 and 110 from Hugging Face).
"""
HONEST_WORTH = 4.0
"""Machines that this share is worth."""

HOST_SPREAD = 0.6
"""Of the logarithm, between hosts: third parties saw the same file come at 28 to 105 MB/s."""

MACHINE_SPREAD = 0.3
"""The same between machines of one host: they share its line."""

DOWNLOAD_SPREAD = 0.3
"""And between downloads of one machine: nine at one data centre took 226 to 375 seconds for the same file."""

SLOWEST, FASTEST = 1e5, 2e10
"""Bytes a second between which a link is believed to be: a single absurd value must not teach everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """
    How fast one machine really downloaded, and when that was known.

    Attributes:
        bps: Bytes a second.
        advertised_mbps: What its offer said, in megabits a second; 0 where it did not.
    """

    cloud: CloudName
    machine: MachineId
    host: HostId
    at: datetime
    bps: float
    advertised_mbps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimes:
    """
    Seconds of one machine's cold start.

    Attributes:
        total: From the order until it was ready.
        models: Its download.
        install: ComfyUI and what it needs, beside the download.
    """

    total: float
    models: float
    install: float

    @property
    def around(self) -> float:
        """What neither of the two covers: the order, the boot, the login, the first picture."""
        return max(self.total - max(self.models, self.install), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """
    Attributes:
        cold_s: Seconds from the order until it should be ready.
        link_bps: Bytes a second that its link should move.
        size: Bytes that it has to download.
    """

    cold_s: float
    link_bps: float
    size: int

    def __str__(self) -> str:
        wire = f"{self.size / 1e9:.1f} GB at about {self.link_bps / 1e6:.0f} MB/s" if self.size else "nothing to fetch"
        return f"ready in about {self.cold_s:.0f} s, {wire}"


@dataclass(frozen=True, slots=True)
class _Bell:
    """A normal distribution of the logarithm of a speed, or of its share of an advertised one."""

    mean: float
    var: float

    def seeing(self, mean: float, var: float) -> "_Bell":
        """The posterior after a value that lies about the truth with *var*."""
        weight = self.var / (self.var + var)
        return _Bell(self.mean + weight * (mean - self.mean), self.var * (1 - weight))

    def about(self, spread: float) -> "_Bell":
        """Of something that lies about this."""
        return _Bell(self.mean, self.var + spread**2)


@dataclass(slots=True)
class _Tally:
    """Downloads of one machine: their weight, and the sum of the logarithms of their shares by weight."""

    weight: float = 0.0
    total: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.weight

    def var(self, *spreads: float) -> float:
        """How far its mean may lie from what it lies about by *spreads*."""
        return sum(spread**2 for spread in spreads) + DOWNLOAD_SPREAD**2 / self.weight


class Wire:
    """
    What is known of links and cold starts at the time *now*; without any history, what is advertised counts.

    Args:
        starts: Of each cloud the newest cold starts.
    """

    def __init__(self, links: Iterable[Link], starts: Mapping[CloudName, Sequence[StartTimes]], now: datetime) -> None:
        self._now = now
        self._usual = {cloud: _usual(known) for cloud, known in starts.items()}
        self._machines: defaultdict[CloudName, dict[MachineId, _Tally]] = defaultdict(dict)
        self._hosts: defaultdict[tuple[CloudName, HostId], dict[MachineId, _Tally]] = defaultdict(dict)
        for link in links:
            self._remember(link)
        self._clouds = {cloud: _share_of(tallies.values()) for cloud, tallies in self._machines.items()}

    def _remember(self, link: Link) -> None:
        age = max(self._now - link.at, timedelta())  # as in Memory
        weight = 0.5 ** (age / HALF_LIFE)
        tally = self._machines[link.cloud].setdefault(link.machine, _Tally())
        self._hosts[link.cloud, link.host][link.machine] = tally
        tally.weight += weight
        tally.total += weight * math.log(_believable(link.bps) / _advertised_bps(link.advertised_mbps))

    def forecast(self, offer: Offer, size: int) -> Forecast:
        """What the machine of *offer* should take when its download is of *size* bytes; a volume has them already."""
        around, install = self._usual.get(offer.cloud, _usual(()))
        bell, missing = self._speed(offer), 0 if offer.volume else size
        fetch = _mean_of_longer(install, missing, bell) if missing else install
        return Forecast(cold_s=around + fetch, link_bps=math.exp(bell.mean - bell.var / 2), size=missing)

    def measured_bps(self, offer: Offer) -> float:
        """Bytes a second that its link should move, where it was measured itself; 0 where not, or where none matter."""
        is_known = not offer.volume and offer.machine in self._machines.get(offer.cloud, {})
        return self.forecast(offer, 0).link_bps if is_known else 0.0

    def _speed(self, offer: Offer) -> _Bell:
        """The logarithm of what its link should move in its next download."""
        host = self._clouds.get(offer.cloud, _PRIOR).about(HOST_SPREAD)
        for machine, tally in self._hosts.get((offer.cloud, offer.host), {}).items():
            if machine != offer.machine:
                host = host.seeing(tally.mean, tally.var(MACHINE_SPREAD))
        bell, own = host.about(MACHINE_SPREAD), self._machines.get(offer.cloud, {}).get(offer.machine)
        if own is not None:
            bell = bell.seeing(own.mean, own.var())
        return _Bell(bell.mean + math.log(_advertised_bps(offer.inet_down_mbps)), bell.var + DOWNLOAD_SPREAD**2)


_ANY_MACHINE = HOST_SPREAD**2 + MACHINE_SPREAD**2 + DOWNLOAD_SPREAD**2
_PRIOR = _Bell(math.log(HONEST), _ANY_MACHINE / HONEST_WORTH)


def _share_of(tallies: Iterable[_Tally]) -> _Bell:
    """A cloud's share of what it advertises; a machine that downloads often counts little more than another."""
    share = _PRIOR
    for tally in tallies:
        share = share.seeing(tally.mean, tally.var(HOST_SPREAD, MACHINE_SPREAD))
    return share


def _usual(starts: Sequence[StartTimes]) -> tuple[float, float]:
    """Median seconds around download and install, and of the install; a guess while there are fewer than a few."""
    if len(starts) >= FEWEST:
        return median(start.around for start in starts), median(start.install for start in starts)
    middle = {step: sum(seconds) / 2 for step, seconds in REAL_CLOUD.items()}
    around = sum(seconds for step, seconds in middle.items() if step not in {Step.MODELS, *INSTALL})
    return around, sum(seconds for step, seconds in middle.items() if step in INSTALL)


def _mean_of_longer(least: float, size: int, bell: _Bell) -> float:
    """
    Mean of the longer of *least* seconds and a download of *size* bytes.

    The mean time is longer than the time at the mean speed: a link that may be fast or slow is mostly waited for.
    """
    mean, deviation = size * math.exp(bell.var / 2 - bell.mean), math.sqrt(bell.var)
    if least <= 0:
        return mean
    far = math.log(mean / least) / deviation + deviation / 2
    return least + mean * _share_below(far) - least * _share_below(far - deviation)


def _share_below(deviations: float) -> float:
    """Of a normal distribution."""
    return math.erfc(-deviations / math.sqrt(2)) / 2


def _believable(bps: float) -> float:
    return min(max(bps, SLOWEST), FASTEST)


def _advertised_bps(mbps: float) -> float:
    return (mbps if mbps > 0 else USUAL_MBPS) * BPS_OF_MBPS
