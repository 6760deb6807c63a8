"""A ComfyUI that runs already, somewhere: no machine is rented, and its pictures cost nothing."""

from orchestrator.adapters.comfyui import ComfyLimits, connect_url
from orchestrator.domain.errors import (
    AttemptInterrupted,
    ComfyUnavailable,
    GraphRejected,
    InferenceUnavailable,
    OutOfVram,
)
from orchestrator.domain.ids import PromptId
from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import Workflow, fill
from orchestrator.ports.comfy import Comfy, OnProgress
from orchestrator.ports.inference import InferenceApi, Made


class ComfyEndpoint(InferenceApi):
    """
    Any ComfyUI by URL.

    The prompt carries the id of the job's attempt: one that goes on after a crash of ours is found there and not
    painted twice.
    """

    def __init__(self, *, url: str, token: str = "", limits: ComfyLimits | None = None) -> None:
        self._url = url
        self._token = token
        self._limits = limits or ComfyLimits()

    @property
    def name(self) -> str:
        return "your ComfyUI"

    def can_serve(self, workflow: Workflow, job: Job) -> bool:  # noqa: ARG002 - it says itself what it lacks
        return True

    async def generate(self, workflow: Workflow, job: Job, *, source: bytes | None, on_progress: OnProgress) -> Made:
        try:
            async with connect_url(self._url, token=self._token, limits=self._limits) as comfy:
                graph = fill(workflow, job.values, image=await _uploaded(comfy, job, source))
                pictures = await comfy.resume(graph, _prompt(job), on_progress=on_progress)
        except OutOfVram as error:
            raise GraphRejected(
                "Your ComfyUI ran out of graphics memory; ask for a smaller picture or for fewer."
            ) from error
        except (ComfyUnavailable, AttemptInterrupted) as error:
            raise InferenceUnavailable(f"{self.name}: {error}") from error
        return Made(pictures=pictures, cost=MicroUsd(0))

    async def cancel(self, job: Job) -> None:
        try:
            async with connect_url(self._url, token=self._token, limits=self._limits) as comfy:
                await comfy.interrupt(_prompt(job))
        except ComfyUnavailable as error:
            raise InferenceUnavailable(f"{self.name}: {error}") from error


async def _uploaded(comfy: Comfy, job: Job, source: bytes | None) -> str:
    return "" if source is None else await comfy.upload(source, f"{job.source or job.id}.png")


def _prompt(job: Job) -> PromptId:
    return job.prompt or PromptId(job.id)
