"""When to try again, and when to stop: the only place that decides it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.errors import OrchestratorError, RateLimited, Remedy
from orchestrator.domain.instance import EndReason

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
ACCOUNT_TRIES = 3
"""A refused key or an empty balance is asked again this often before the person is told."""

NOT_THE_MACHINE = frozenset(
    {
        EndReason.NO_OFFER,
        EndReason.OFFER_GONE,
        EndReason.ACCOUNT,
        EndReason.CLOUD_UNAVAILABLE,
        EndReason.LAUNCH_LOST,
        EndReason.OVER_BUDGET,
    },
)
"""Ends that another machine at once would meet again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAt:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NextOffer:
    """Not here; another offer may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Trying again cannot help."""


Verdict = RetryAt | NextOffer | Stop


def pause(attempt: int, jitter: float) -> timedelta:
    """Doubling from one second to a minute; *jitter* 0..1 spreads it over its upper half."""
    longest = min(FIRST_PAUSE * float(2 ** min(attempt, 10)), LONGEST_PAUSE)
    return longest * (0.5 + jitter / 2)


def after(error: OrchestratorError, attempt: int, now: datetime, jitter: float) -> Verdict:
    """
    Decide what follows *error*.

    Args:
        attempt: How many tries of the same thing failed before this one.
        jitter: 0 to 1, from the injected dice.
    """
    if isinstance(error, RateLimited):
        return RetryAt(at=now + max(error.retry_after, pause(0, jitter)))
    match error.remedy:
        case Remedy.RETRY | Remedy.RECONCILE:
            return RetryAt(at=now + pause(attempt, jitter))
        case Remedy.ELSEWHERE:
            return NextOffer()
        case Remedy.GIVE_UP | Remedy.OPERATOR:
            return Stop()


def next_machine_at(reason: EndReason | None, tries: int, ended: datetime, jitter: float) -> datetime:
    """
    When a session may try its next machine after one ended for *reason*.

    A machine that failed is replaced at once; a cloud that has nothing or does not answer, and a budget that allows
    none, are asked ever more slowly.
    """
    return ended + pause(tries + 1, jitter) if reason in NOT_THE_MACHINE else ended
