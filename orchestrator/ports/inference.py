"""A managed API that makes the picture while no machine is warm: the bridge."""

from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.comfy import OnProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Pictures, and what the API charges for them."""

    pictures: tuple[bytes, ...]
    cost: MicroUsd


class InferenceApi(Protocol):
    """
    One managed API.

    None of them knows an idempotency key: a call whose answer was lost is never repeated blindly.
    """

    @property
    def name(self) -> str:
        """What a person reads: who made the picture."""
        ...

    def can_serve(self, workflow: Workflow, job: Job) -> bool:
        """Whether this API can make just this picture: model, LoRA, size, steps."""
        ...

    async def generate(self, workflow: Workflow, job: Job, *, source: bytes | None, on_progress: OnProgress) -> Made:
        """
        Make the pictures of *job*.

        Raises:
            GraphRejected: It refuses this request for good.
            InferenceUnavailable: It does not answer or has no room.
        """
        ...

    async def cancel(self, job: Job) -> None:
        """Stop it, where the API can; silent when there is nothing to stop."""
        ...
