"""The steps of a cold start, what each waits for, and how long it took: what cards, reports and benchmarks show."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache


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
    LORA = "lora"  # one that the waiting person has added, fetched ahead
    ENCODE = "encode"  # the waiting person's prompt, while the larger models still come
    SMOKE = "smoke"  # one small picture, thrown away; left out where a real one is about to be painted


NEEDS: Mapping[Step, frozenset[Step]] = {
    Step.PROVISION: frozenset(),
    Step.BOOT: frozenset({Step.PROVISION}),
    Step.SSH: frozenset({Step.BOOT}),
    Step.AGENT: frozenset({Step.SSH}),
    Step.CLONE: frozenset({Step.AGENT}),
    Step.TORCH: frozenset({Step.CLONE}),
    Step.REQUIREMENTS: frozenset({Step.TORCH}),
    Step.COMFYUI: frozenset({Step.REQUIREMENTS}),
    Step.MODELS: frozenset({Step.AGENT}),
    Step.LORA: frozenset({Step.AGENT}),
    Step.ENCODE: frozenset({Step.COMFYUI}),
    Step.SMOKE: frozenset({Step.COMFYUI, Step.MODELS}),
}
"""What each step waits for, and nothing else does it wait for: whatever is not on one path runs side by side."""

OPTIONAL = frozenset({Step.CLONE, Step.TORCH, Step.REQUIREMENTS, Step.LORA, Step.ENCODE})
"""Steps that many a cold start has not: what they would wait for is waited for without them."""

AHEAD = frozenset({Step.LORA, Step.ENCODE})
"""Steps that only make the first picture quicker: nothing waits for them, and their failure is none of the machine."""


def needed(step: Step, among: Collection[Step]) -> frozenset[Step]:
    """What *step* waits for where only the steps *among* are taken: what a missing one needs, in its place."""
    found: frozenset[Step] = frozenset()
    for need in NEEDS[step]:
        found |= {need} if need in among else needed(need, among)
    return found


@cache
def needed_in_all(step: Step) -> frozenset[Step]:
    """Every step before *step*, however far before."""
    return NEEDS[step].union(*(needed_in_all(need) for need in NEEDS[step]))


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
        rate_bps: Bytes a second just now; of a step that has ended, what the machine's link was measured at; 0 when
            neither is known.
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
