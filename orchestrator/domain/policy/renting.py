"""Whether a session should have a machine, and until when it keeps it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from orchestrator.domain.snapshot import SessionSnapshot


class RentingPolicy(Protocol):
    """When to rent and when to give back: what a policy by name decides."""

    @property
    def name(self) -> str: ...

    @property
    def idle_timeout(self) -> timedelta:
        """The upper bound of how long an idle machine is kept."""
        ...

    def wants_machine(self, snapshot: SessionSnapshot, now: datetime) -> bool:
        """Whether this session should have a machine now, if it has none."""
        ...

    def warm_until(self, snapshot: SessionSnapshot) -> datetime:
        """When an idle machine is given back, leaving aside what its person asked for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstUser:
    """The first user's rule: rent at the first request, give back after a fixed time without one."""

    idle_timeout: timedelta
    name: str = "first-user"

    def wants_machine(self, snapshot: SessionSnapshot, now: datetime) -> bool:
        """Also for who has their picture from an API already: the next one is to come from the machine."""
        if snapshot.queued or any(job.bridge for job in snapshot.running):
            return True
        return snapshot.session.bridged_job is not None and now < self.warm_until(snapshot)

    def warm_until(self, snapshot: SessionSnapshot) -> datetime:
        return snapshot.session.last_request_at + self.idle_timeout
