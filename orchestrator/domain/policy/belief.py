"""What a machine should cost and take, learnt from those that were ordered before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.domain.ids import CloudName
from orchestrator.domain.policy.shadow import Belief

NEWEST = 30
"""Starts that are learnt from: markets change."""

DOUBT = 0.5
"""Starts that what was believed before is worth, beside those that were seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """
    One machine that was ordered: it got ready, or was lost before.

    Attributes:
        seconds: From the order until then.
        usd: What it had cost by then.
        usd_s: What a second of it costs.
    """

    cloud: CloudName
    gpu: str
    seconds: float
    usd: float
    usd_s: float
    worked: bool


def believe(starts: Sequence[Start], prior: Belief) -> Belief:
    """
    Learn from *starts*, newest first: from all of them, and from those more that are of the newest one's kind.

    What is lost is shared among those that get ready: where four of five are, each start costs five.
    """
    if not starts:
        return prior
    kind = starts[0].cloud, starts[0].gpu
    return _learnt([start for start in starts if (start.cloud, start.gpu) == kind], _learnt(starts, prior))


def _learnt(starts: Iterable[Start], prior: Belief) -> Belief:
    known = tuple(starts)
    ready, count = DOUBT + sum(start.worked for start in known), DOUBT + len(known)
    return Belief(
        usd_s=(DOUBT * prior.usd_s + sum(start.usd_s for start in known)) / count,
        cold_s=(DOUBT * prior.cold_s + sum(start.seconds for start in known)) / ready,
        start_usd=(DOUBT * prior.start_usd + sum(start.usd for start in known)) / ready,
        paint_s=prior.paint_s,
    )
