"""Where a job is made: on the session's own machine, over a bridge, or nowhere yet."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.domain.job import Job, Preference
from orchestrator.domain.snapshot import SessionSnapshot

BATCH = 5
"""So many pictures of one job are batch work: nobody looks at the first one while the last is painted."""


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


Route = OnInstance | OnBridge | Wait


def route(
    job: Job, snapshot: SessionSnapshot, *, bridges: tuple[str, ...], may_rent: bool, routing: Routing = Routing.HYBRID
) -> Route:
    """
    Decide for one queued job.

    Args:
        bridges: The APIs that can serve this job now, best first.
        may_rent: Whether any cloud is configured, and machines may be ordered.
    """
    if snapshot.ready:
        return OnInstance()
    if bridges and (not may_rent or _wants_bridge(job, routing)):
        return OnBridge(api=bridges[0])
    return Wait()


def _wants_bridge(job: Job, routing: Routing) -> bool:
    match job.prefers:
        case Preference.NOW:
            return True
        case Preference.OWN | Preference.CHEAP:
            return False
        case _:
            return routing is Routing.BRIDGE or (routing is Routing.HYBRID and job.count < BATCH)
