"""A ComfyUI that runs already, somewhere: no machine is rented, and its pictures cost nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.adapters.comfyui import ComfyLimits, ComfyRefused, connect_url
from orchestrator.domain.errors import (
    ApiOff,
    AttemptInterrupted,
    ComfyUnavailable,
    GraphRejected,
    InferenceUnavailable,
    OutOfVram,
)
from orchestrator.domain.ids import PromptId
from orchestrator.domain.inference import Capabilities, LoraSupport
from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import fill
from orchestrator.ports.comfy import Comfy
from orchestrator.ports.inference import Attempt, InferenceApi, Made

CAPABILITIES = Capabilities(
    runs_graphs=True, loras=LoraSupport.OWN, takes_negative=True, takes_image=True, can_cancel=True, seconds=8.0
)
"""Whatever our graph can; what the server lacks it says itself."""


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
        return "comfy_endpoint"

    @property
    def title(self) -> str:
        return "your ComfyUI"

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def probe(self) -> None:
        """See the port: it answers, and takes our token."""
        async with self._connected() as comfy:
            await comfy.stats()

    async def generate(self, attempt: Attempt) -> Made:
        job = attempt.job
        try:
            async with self._connected() as comfy:
                await comfy.stats()  # a refused token is told here; the event socket only fails to open
                graph = fill(attempt.workflow, job.values, image=await _uploaded(comfy, job, attempt.source))
                pictures = await comfy.resume(graph, _prompt(job), on_progress=attempt.on_progress)
        except OutOfVram as error:
            raise GraphRejected(
                "Your ComfyUI ran out of graphics memory; ask for a smaller picture or for fewer."
            ) from error
        return Made(pictures=pictures, cost=MicroUsd(0))

    async def cancel(self, job: Job) -> None:
        async with self._connected() as comfy:
            await comfy.interrupt(_prompt(job))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Comfy]:
        """A connection whose errors are those of the port."""
        try:
            async with connect_url(self._url, token=self._token, limits=self._limits) as comfy:
                yield comfy
        except ComfyRefused as error:
            raise ApiOff(f"{self.title} refuses the token; see COMFYUI_TOKEN") from error
        except (ComfyUnavailable, AttemptInterrupted) as error:
            raise InferenceUnavailable(f"{self.title}: {error}") from error


async def _uploaded(comfy: Comfy, job: Job, source: bytes | None) -> str:
    return "" if source is None else await comfy.upload(source, f"{job.source or job.id}.png")


def _prompt(job: Job) -> PromptId:
    return job.prompt or PromptId(job.id)


def comfy_endpoint(url: str, token: str) -> InferenceApi:
    """Open any ComfyUI by its address."""
    return ComfyEndpoint(url=url, token=token)
