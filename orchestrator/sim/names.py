"""The world's clocks and ids: repeatable, and as unreliable as the real ones may be."""

import random
from datetime import datetime, timedelta

from orchestrator.adapters.system import SystemClock
from orchestrator.domain.ids import InstanceId, JobId, PromptId, SessionId
from orchestrator.ports.clock import Clock, Ids
from orchestrator.sim.timeline import Timeline


class SimWall:
    """
    The computer's own clock.

    Attributes:
        wrong_by: How far it is ahead of the truth.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.wrong_by = timedelta()

    def now(self) -> datetime:
        return self._timeline.date() + self.wrong_by

    def clock(self) -> Clock:
        """What one life of the bot reads."""
        return SystemClock(self.now, lambda: self._timeline.now, lambda: "the computer")


class SimIds(Ids):
    """Ids that sort as they were made, and say where in the log to look."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._count = 0

    def _next(self, kind: str) -> str:
        self._count += 1
        return f"{self._count:06d}{kind}{self._dice.getrandbits(20):05x}"

    def job(self) -> JobId:
        return JobId(self._next("j"))

    def session(self) -> SessionId:
        return SessionId(self._next("s"))

    def instance(self) -> InstanceId:
        return InstanceId(self._next("i"))

    def prompt(self) -> PromptId:
        return PromptId(self._next("p"))
