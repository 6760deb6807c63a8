"""One request for pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.errors import IllegalTransitionError
from orchestrator.domain.ids import ImageKey, InstanceId, JobId, PromptId, SessionId, UserId, WorkflowName
from orchestrator.domain.money import MicroUsd

Value = str | int | float
"""What a parameter of a workflow can be set to."""


class Preference(StrEnum):
    """Where its person wants it made."""

    DEFAULT = ""  # as the admins have chosen
    NOW = "now"  # wherever it is there soonest
    OWN = "own"  # on their own machine, however cold
    CHEAP = "cheap"  # where it costs least, however long that takes


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLora:
    """
    A LoRA that a person or an admin has added, as it was when a job asked for it.

    Attributes:
        path: Below ComfyUI's ``models`` folder.
        url: Where it is fetched from.
        triggers: Words that make it work, put before the prompt.
    """

    name: str
    path: str
    url: str
    size_bytes: int
    sha256: str
    triggers: str = ""


class JobState(StrEnum):
    QUEUED = "QUEUED"  # waits for its turn or for a machine
    RUNNING = "RUNNING"  # one attempt is under way
    SUCCEEDED = "SUCCEEDED"  # its pictures are in the blob store
    FAILED = "FAILED"  # its person is told why
    CANCELLED = "CANCELLED"  # its person no longer wants it


NEXT: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

UNFINISHED = frozenset({JobState.QUEUED, JobState.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Who made the pictures, and what that took."""

    by: str
    """What a person reads, such as ``your RTX 4090``."""
    seconds: float
    cost: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job failed: which sentence to show, and what to fill into it. The bot owns the sentences."""

    key: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    One request for one or more pictures of one workflow.

    Attributes:
        origin: Opaque to us: where the bot keeps this job's card. It survives restarts with the job.
        values: Every parameter of the workflow, defaults filled in, seed included.
        source: The picture to start from, for workflows that take one.
        deadline: When no further machine is tried.
        attempts: How often it was begun; a crash of our own is not counted.
        instance: The machine of the running or last attempt; None on a bridge.
        bridge: The managed API of the running or last attempt; empty on a machine.
        prompt: What ComfyUI calls the running attempt.
        bridge_ref: What that API calls the running attempt; empty while that is not known.
        avoids: APIs that failed at it: they are not asked again.
        prefers: Where its person wants it made.
        may_remake: What an API keeps back as indecent may be made on a machine: so its place has decided.
        own_lora: The LoRA that is not the workflow's; None when it asks for none of those.
        forgotten_at: Since when it has neither words nor pictures, as its person wished; nobody is shown it.
        served: Who made it; of a cancelled job, what it had cost by then.
    """

    id: JobId
    user: UserId
    session: SessionId
    surface: str
    origin: str
    idempotency_key: str
    workflow: WorkflowName
    values: Mapping[str, Value]
    state: JobState
    submitted_at: datetime
    deadline: datetime
    version: int = 0
    source: ImageKey | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0
    instance: InstanceId | None = None
    bridge: str = ""
    bridge_ref: str = ""
    avoids: tuple[str, ...] = ()
    prefers: Preference = Preference.DEFAULT
    may_remake: bool = False
    own_lora: OwnLora | None = None
    prompt: PromptId | None = None
    images: tuple[ImageKey, ...] = ()
    served: Served | None = None
    failure: Failure | None = None
    acknowledged_at: datetime | None = None
    forgotten_at: datetime | None = None

    def moved_to(self, state: JobState, now: datetime) -> "Job":
        """Move along the table, the only way to move.

        Raises:
            IllegalTransitionError: The table has no such move.
        """
        if state not in NEXT[self.state]:
            raise IllegalTransitionError(f"job {self.id}: {self.state} -> {state}")
        ended = None if state in UNFINISHED else now
        return replace(self, state=state, ended_at=ended)

    @property
    def seed(self) -> int:
        return int(self.values.get("seed", 0))

    @property
    def count(self) -> int:
        return int(self.values.get("count", 1))

    @property
    def is_over(self) -> bool:
        return self.state not in UNFINISHED
