"""When a warm machine is given back: the policy's time, or longer where its person said ``keep``."""

from datetime import datetime

from orchestrator.domain.policy.renting import RentingPolicy
from orchestrator.domain.snapshot import SessionSnapshot


def warm_until(snapshot: SessionSnapshot, policy: RentingPolicy) -> datetime:
    """The time at which an idle machine of this session is given back."""
    until = policy.warm_until(snapshot)
    kept = snapshot.session.keep_until
    return max(until, kept) if kept else until


def is_idle(snapshot: SessionSnapshot, policy: RentingPolicy, now: datetime) -> bool:
    """Nothing to do for the machine, and nobody wants it kept."""
    return not snapshot.jobs and now >= warm_until(snapshot, policy)
