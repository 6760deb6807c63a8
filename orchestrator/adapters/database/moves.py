"""What tells one state of a job, session or instance from the next, for the event log."""

from orchestrator.domain.instance import Instance
from orchestrator.domain.job import Job
from orchestrator.domain.session import Session
from orchestrator.ports.clock import Clock
from orchestrator.ports.store import Details, Event

Subject = Job | Session | Instance


class Chronicle:
    """Writes moves down as events of one kind, stamped by *clock*."""

    def __init__(self, kind: str, clock: Clock) -> None:
        self._kind = kind
        self._clock = clock

    def began(self, first: Subject, reason: str, details: Details | None = None) -> Event:
        return self._event(first, before="", reason=reason, details=details or {})

    def moved(self, before: Subject, after: Subject, reason: str, details: Details | None) -> Event | None:
        """The event of a change; None for one that neither leaves its state nor has anything to explain."""
        if before.state == after.state and details is None:
            return None
        return self._event(after, before=before.state, reason=reason, details=details or {})

    def _event(self, after: Subject, *, before: str, reason: str, details: Details) -> Event:
        return Event(
            at=self._clock.now(),
            kind=self._kind,
            subject=after.id,
            before=before,
            after=after.state,
            reason=reason,
            details=details,
        )
