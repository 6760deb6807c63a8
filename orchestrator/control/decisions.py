"""Why a request was decided as it was: written with the job's first event, read back for ``/why``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.api import Decision
from orchestrator.domain.job import Job, Value
from orchestrator.domain.policy.advice import Advice
from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.fixed import Fixed
from orchestrator.domain.policy.renting import RentingPolicy
from orchestrator.domain.policy.routing import BATCH, Routing
from orchestrator.domain.policy.shadow import NEVER
from orchestrator.ports.store import Details

BREAK_EVEN = "break-even"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apis:
    """
    What the managed APIs say to one job.

    Attributes:
        title: Of the best that can make it; empty where none can.
        usd: What that takes for it.
        obstacle: Why none can: what the best of them lacks; empty where one can, or where there is none at all.
    """

    title: str = ""
    usd: float = 0.0
    obstacle: str = ""


def details_of(
    advice: Advice, apis: Apis, policy: RentingPolicy, recent: tuple[float, ...], routing: Routing
) -> Details:
    """All that a decision went by, as plain values."""
    of, within = 0 if advice.rule.requests == NEVER else advice.rule.requests, advice.within
    window_s, keep = advice.rule.window_s, policy.kept(advice) if isinstance(policy, Auto) else advice.keep
    if isinstance(policy, Fixed):
        of, within, window_s = policy.requests, policy.within(recent), policy.window.total_seconds()
    return {
        **advice.numbers(),
        "keep_s": keep.total_seconds(),
        "policy": policy.name,
        "routing": str(routing),
        "of": of,
        "within": within,
        "window_s": window_s,
        "api": apis.title,
        "api_usd": round(apis.usd, 4),
        "obstacle": apis.obstacle,
    }


def decision_of(job: Job, details: Details, *, warm_until: datetime | None) -> Decision | None:
    """What was written down for *job*; None where that is no longer kept, or was never so complete."""
    if "policy" not in details or "obstacle" not in details:
        return None
    return Decision(
        policy=str(details["policy"]),
        routing=Routing(str(details["routing"])),
        prefers=job.prefers,
        is_batch=job.count >= BATCH,
        api=str(details["api"]),
        api_usd=_number(details, "api_usd"),
        obstacle=str(details["obstacle"]),
        rents=bool(details["rents"]),
        keep=timedelta(seconds=_number(details, "keep_s")),
        rule=str(details["rule"]),
        is_bounded=bool(details["bounded"]),
        within=int(_number(details, "within")),
        of=int(_number(details, "of")),
        window=timedelta(seconds=_number(details, "window_s")),
        rule_usd=_number(details, "rule_usd"),
        bridge_usd=_number(details, "bridge_usd"),
        requests=_number(details, "requests"),
        credit_usd=_number(details, "credit_usd"),
        cold=timedelta(seconds=_number(details, "cold_s")),
        start_usd=_number(details, "start_usd"),
        usd_hour=_number(details, "usd_hour"),
        warm_until=warm_until,
    )


def _number(details: Mapping[str, Value], name: str) -> float:
    return float(details[name])
