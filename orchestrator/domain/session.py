"""A person's stretch of activity; it owns at most one machine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.errors import IllegalTransitionError
from orchestrator.domain.ids import JobId, SessionId, UserId


class SessionState(StrEnum):
    OPEN = "OPEN"  # active, without a machine of its own
    WARMING = "WARMING"  # a machine is on its way
    WARM = "WARM"  # its machine is ready
    COOLING = "COOLING"  # its machine is being given back
    CLOSED = "CLOSED"  # over; the next request opens another


NEXT: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.OPEN: frozenset({SessionState.WARMING, SessionState.CLOSED}),
    SessionState.WARMING: frozenset({SessionState.OPEN, SessionState.WARM, SessionState.COOLING}),
    SessionState.WARM: frozenset({SessionState.OPEN, SessionState.WARMING, SessionState.COOLING}),
    SessionState.COOLING: frozenset({SessionState.CLOSED}),
    SessionState.CLOSED: frozenset(),
}

ACTIVE = frozenset({SessionState.OPEN, SessionState.WARMING, SessionState.WARM})
"""Takes requests. A person has at most one session in these states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    One person's session.

    Attributes:
        last_request_at: The idle timeout counts from here.
        keep_until: The person asked to keep the machine at least until then.
        due_at: When the sessions loop must look again; None when only an event can change anything.
        tries: Machines given up in a row since one last painted.
        released_at: The person gave the machine back: it goes as soon as nothing is unfinished.
        idle_since: When the last unfinished job ended; None while there is one.
        bridged_job: The last one that a managed API made while no machine was ready: its person goes on waiting for
            the machine.
    """

    id: SessionId
    user: UserId
    state: SessionState
    opened_at: datetime
    last_request_at: datetime
    version: int = 0
    keep_until: datetime | None = None
    due_at: datetime | None = None
    tries: int = 0
    released_at: datetime | None = None
    idle_since: datetime | None = None
    bridged_job: JobId | None = None

    def moved_to(self, state: SessionState) -> "Session":
        """Move along the table, the only way to move.

        Raises:
            IllegalTransitionError: The table has no such move.
        """
        if state not in NEXT[self.state]:
            raise IllegalTransitionError(f"session {self.id}: {self.state} -> {state}")
        return replace(self, state=state)
