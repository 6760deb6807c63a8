"""Wall time, ids and dice; durations are plain ``asyncio.sleep`` and ``asyncio.timeout``."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.domain.ids import InstanceId, JobId, PromptId, SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """
    A moment that a later process can go on from.

    Attributes:
        at: What the clock showed.
        boot: Which start of the computer *steady* counts from; empty where the system does not tell.
        steady: Seconds since then, whatever the clock was set to meanwhile.
    """

    at: datetime
    boot: str
    steady: float


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware, in UTC; it runs evenly between two calls of :meth:`follow`, and jumps only there."""
        ...

    def follow(self) -> None:
        """Take over what the computer's clock shows now: for moments when nothing is under way that is timed."""
        ...

    def mark(self) -> Mark: ...

    def date_of(self, mark: Mark) -> datetime:
        """
        What this clock would have shown at the moment of *mark*, had it always been set as it is now.

        After a start of the computer nobody knows that; then what the clock of *mark* showed.
        """
        ...

    def go_on_from(self, mark: Mark) -> None:
        """
        Show, until the next :meth:`follow`, what the clock of *mark* would show now.

        After a start of the computer nobody knows that; then at least what it showed.
        """
        ...


class Ids(Protocol):
    """New names that nobody else has."""

    def job(self) -> JobId: ...

    def session(self) -> SessionId: ...

    def instance(self) -> InstanceId:
        """Letters and digits only: it becomes part of a label at a cloud."""
        ...

    def prompt(self) -> PromptId: ...
