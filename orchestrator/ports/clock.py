"""Wall time, ids and dice; durations are plain ``asyncio.sleep`` and ``asyncio.timeout``."""

from datetime import datetime
from typing import Protocol

from orchestrator.domain.ids import InstanceId, JobId, PromptId, SessionId


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware, in UTC; it runs evenly between two calls of :meth:`follow`, and jumps only there."""
        ...

    def follow(self) -> None:
        """Take over what the computer's clock shows now: for moments when nothing is under way that is timed."""
        return


class Ids(Protocol):
    """New names that nobody else has."""

    def job(self) -> JobId: ...

    def session(self) -> SessionId: ...

    def instance(self) -> InstanceId:
        """Letters and digits only: it becomes part of a label at a cloud."""
        ...

    def prompt(self) -> PromptId: ...
