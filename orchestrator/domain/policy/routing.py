"""Where a job is made: on the session's own machine, over a bridge, or nowhere yet."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.domain.job import Job, Preference
from orchestrator.domain.snapshot import SessionSnapshot

BATCH = 5
"""So many pictures of one job are batch work: nobody looks at the first one while the last is painted."""

LONG_S = 60.0
"""Of painting ahead on the own machine: an API is there sooner for somebody who waits."""


class Routing(StrEnum):
    """What the admins have chosen for those who say nothing."""

    HYBRID = "hybrid"  # people who wait get the managed API, batch work goes to the market
    OWN = "own"  # machines alone; an API only for who says --now
    BRIDGE = "bridge"  # an API whenever there is one that can


@dataclass(frozen=True, slots=True, kw_only=True)
class OnInstance:
    """The session's machine makes it, as soon as it is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBridge:
    """A managed API makes it now."""

    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """It waits for a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """
    What is believed of both ways.

    Attributes:
        bridge_usd: What the best API that can make this job takes for it.
        start_usd: A start of a machine, lost tries included.
        usd_s: A second of a machine.
        paint_s: A picture on a machine, in seconds.
        is_coming: A machine is rented for this session, whatever becomes of this job.
    """

    bridge_usd: float
    start_usd: float
    usd_s: float
    paint_s: float
    is_coming: bool


Route = OnInstance | OnBridge | Wait


def route(
    job: Job,
    snapshot: SessionSnapshot,
    *,
    bridges: tuple[str, ...],
    may_rent: bool,
    routing: Routing = Routing.HYBRID,
    prices: Prices | None = None,
) -> Route:
    """
    Decide for one queued job.

    Args:
        bridges: The APIs that can serve this job now, best first.
        may_rent: Whether any cloud is configured, and machines may be ordered.
        prices: None where nothing is to be decided by money or time.
    """
    if snapshot.ready:
        is_sooner = bridges and prices is not None and _would_wait_long(job, snapshot, routing, prices)
        return OnBridge(api=bridges[0]) if is_sooner else OnInstance()
    if bridges and (not may_rent or _wants_bridge(job, snapshot, routing, prices)):
        return OnBridge(api=bridges[0])
    return Wait()


def _wants_bridge(job: Job, snapshot: SessionSnapshot, routing: Routing, prices: Prices | None) -> bool:
    match job.prefers:
        case Preference.NOW:
            return True
        case Preference.OWN:
            return False
        case Preference.CHEAP:
            return routing is not Routing.OWN and prices is not None and _is_cheaper(job, snapshot, prices)
        case _:
            return routing is Routing.BRIDGE or (routing is Routing.HYBRID and job.count < BATCH)


def _is_cheaper(job: Job, snapshot: SessionSnapshot, prices: Prices) -> bool:
    """An API costs less than a machine that is started for this; beside one that comes anyway it never does."""
    if snapshot.warming or prices.is_coming:
        return False
    return prices.bridge_usd < prices.start_usd + prices.usd_s * prices.paint_s * job.count


def _would_wait_long(job: Job, snapshot: SessionSnapshot, routing: Routing, prices: Prices) -> bool:
    """Somebody looks at the screen, and the machine has other work for a while."""
    is_waited_for = job.prefers is Preference.NOW or (job.prefers is Preference.DEFAULT and job.count < BATCH)
    if routing is Routing.OWN or not is_waited_for:
        return False
    ahead = [other for other in snapshot.running if not other.bridge]
    ahead += [other for other in snapshot.queued if (other.submitted_at, other.id) < (job.submitted_at, job.id)]
    return sum(other.count for other in ahead) * prices.paint_s > LONG_S
