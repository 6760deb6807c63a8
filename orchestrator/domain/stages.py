"""The steps of a cold start, each timed: what cards, reports and benchmarks show."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Step(StrEnum):
    """One step from the decision to rent to a warm machine, in the order in which they begin."""

    PROVISION = "provision"  # find an offer and order it
    BOOT = "boot"  # until the cloud says that it runs
    SSH = "ssh"  # until SSH lets us in
    AGENT = "agent"  # our agent is up and has looked around
    CLONE = "clone"  # ComfyUI's source, where the image lacks it
    TORCH = "torch"  # PyTorch, likewise
    REQUIREMENTS = "requirements"  # ComfyUI's own dependencies, likewise
    COMFYUI = "comfyui"  # until ComfyUI answers
    MODELS = "models"  # model files, downloaded and verified
    SMOKE = "smoke"  # one small picture, thrown away


class StageState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """
    One step of one machine's cold start.

    Attributes:
        bytes_done: Bytes so far, for steps that move bytes.
        bytes_total: 0 where the step moves none.
        rate_bps: Bytes a second just now; 0 when not known.
    """

    step: Step
    state: StageState
    started_at: datetime | None = None
    ended_at: datetime | None = None
    bytes_done: int = 0
    bytes_total: int = 0
    rate_bps: int = 0

    def seconds(self, now: datetime) -> float | None:
        """How long it has taken so far, or took in all; None before it began."""
        if self.started_at is None:
            return None
        return max((self.ended_at or now) - self.started_at, timedelta()).total_seconds()
