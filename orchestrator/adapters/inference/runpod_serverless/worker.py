"""
Your own endpoint that runs worker-comfyui: our own graph with its LoRA, whatever that paints.

Order and answer as in the README of github.com/runpod-workers/worker-comfyui 5.8.5. Its models are yours to put there:
on the endpoint's volume below ``models/unet``, ``clip``, ``vae`` and ``loras``.
"""

import base64
import logging
import math
from dataclasses import dataclass
from pathlib import PurePosixPath

import aiohttp
from yarl import URL

from orchestrator.adapters.inference.exchange import LOOPBACK
from orchestrator.adapters.inference.runpod_serverless import jobs, wire
from orchestrator.adapters.inference.runpod_serverless.client import JobClient
from orchestrator.adapters.inference.runpod_serverless.jobs import Ended, Jobs
from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.inference.runpod_serverless.pictures import Pictures
from orchestrator.domain.errors import ApiOff, InferenceFailed, InferenceUncertain
from orchestrator.domain.inference import MEGAPIXEL, Capabilities, LoraSupport, Price, size_of
from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import Workflow, fill
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Attempt, InferenceApi, Made

log = logging.getLogger(__name__)

ADDRESS = "https://api.runpod.ai"
UNNAMED = "worker"
"""An endpoint where none is named: the sandbox takes any."""
PER_SECOND = MicroUsd(310)
"""A flex worker with a 4090 (docs.runpod.io/serverless/pricing, 2026-08), in micro-dollars."""
IDLE_S = 5
"""A worker is paid on for so long after its last job: the endpoint's idle timeout as the console sets it."""
START_S = 60.0
"""Of what a job waited, so much may have been a worker's start, which is paid; the rest was the queue, which is not."""
USUAL_S = 12.0
"""A picture on a worker that is warm or nearly so."""
MOST_PIXELS = 4 * MEGAPIXEL
"""Of all pictures of one job: a result over some 20 MB of JSON is lost (worker-comfyui, issues 129 and 167)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCapabilities(Capabilities):
    """Whatever our graph can, as far as its pictures can be handed back."""

    def can_make(self, workflow: Workflow, job: Job) -> bool:
        width, height = size_of(job)
        has_room = job.count * width * height <= MOST_PIXELS
        return has_room and Capabilities.can_make(self, workflow, job)


CAPABILITIES = WorkerCapabilities(
    runs_graphs=True,
    loras=LoraSupport.OWN,
    takes_negative=True,
    takes_image=True,
    can_cancel=True,
    price=Price(per_picture=MicroUsd(PER_SECOND * IDLE_S), per_second=PER_SECOND),
    seconds=USUAL_S,
)


class RunPodServerless(InferenceApi):
    """Seconds of a worker of yours: its start, the run, and the idle time after it."""

    name = "runpod_serverless"
    title = "your RunPod endpoint"
    capabilities = CAPABILITIES

    def __init__(
        self, *, url: str, endpoint: str, key: str, session: aiohttp.ClientSession, limits: Limits | None = None
    ) -> None:
        self._limits = limits or Limits()
        client = JobClient(url=url, endpoint=endpoint, key=key, session=session, limits=self._limits)
        self._jobs = Jobs(client, self._limits, title=self.title)
        is_local = URL(url).host in LOOPBACK
        self._pictures = Pictures(session, self._limits, is_known=lambda _: True, is_local=is_local)

    async def probe(self) -> None:
        await self._jobs.probe()

    async def generate(self, attempt: Attempt) -> Made:
        ref = await self._ref(attempt)
        attempt.on_progress(Painting(done=0, total=attempt.job.count))
        ended = await self._jobs.follow(ref, worst=self._worst)
        cost = cost_of(ended)
        if is_model_missing(ended, attempt.workflow):
            raise ApiOff(f"{self.title} lacks a model: {ended.state.error}", cost=cost)
        failed = jobs.failure(ended, self.title, cost=cost)
        if failed is not None:
            raise failed
        pictures = await self._collected(ended, attempt.job, cost)
        attempt.on_progress(Painting(done=len(pictures), total=len(pictures)))
        return Made(pictures=pictures, cost=cost)

    async def cancel(self, job: Job) -> None:
        await self._jobs.cancel(job.bridge_ref)

    async def _ref(self, attempt: Attempt) -> str:
        """The job of this attempt: a new one, or the one that an earlier life of ours has ordered."""
        job = attempt.job
        if attempt.is_new:
            ref = await self._jobs.order(self._order(attempt), worst=self._worst)
            await attempt.note_ref(ref)
            return ref
        if not wire.is_ref(job.bridge_ref):
            raise InferenceUncertain(f"{self.title}: it may have been ordered before", cost=self._worst)
        return job.bridge_ref

    def _order(self, attempt: Attempt) -> bytes:
        job, name = attempt.job, f"{attempt.job.source or attempt.job.id}.png"
        graph = fill(attempt.workflow, job.values, image="" if attempt.source is None else name)
        given: dict[str, object] = {"workflow": graph}
        if attempt.source is not None:
            given["images"] = [{"name": name, "image": base64.b64encode(attempt.source).decode()}]
        return wire.order(given, self._limits)

    async def _collected(self, ended: Ended, job: Job, cost: MicroUsd) -> tuple[bytes, ...]:
        """All pictures, in order."""
        try:
            output = wire.comfy_output(ended.state.output)
            pictures = [
                each if isinstance(each, bytes) else await self._pictures.fetch(each) for each in output.pictures
            ]
        except wire.NoPictures as error:
            raise InferenceFailed(f"{self.title}: {error}", cost=cost) from None
        if len(pictures) < job.count:
            said = "; ".join(output.errors)
            raise InferenceFailed(f"{self.title}: {len(pictures)} of {job.count} pictures came. {said}", cost=cost)
        if output.errors:
            log.warning("%s: the pictures are there, and it says: %s", self.title, "; ".join(output.errors))
        return tuple(pictures)

    @property
    def _worst(self) -> MicroUsd:
        """A cold worker that runs until its time is over."""
        return _price(START_S + self._limits.run.total_seconds())


def cost_of(ended: Ended) -> MicroUsd:
    """
    What a job costs at most: a worker may have been warm, and its idle time may be shared with the next job.

    Whole seconds are charged (docs.runpod.io/serverless/pricing); a job that never ran had no worker.
    """
    if not ended.ran_s:
        return MicroUsd(0)
    return _price(min(ended.state.delay_s, START_S) + ended.ran_s)


def _price(seconds: float) -> MicroUsd:
    return MicroUsd((math.ceil(round(seconds, 3)) + IDLE_S) * PER_SECOND)


def is_model_missing(ended: Ended, workflow: Workflow) -> bool:
    """
    Whether the graph was refused because a model of the workflow is not there.

    A LoRA that is missing is left out of this: without it the endpoint can still make the other pictures.
    """
    error = ended.state.error
    names = {PurePosixPath(model.path).name for model in workflow.models}
    return ended.state.word == wire.FAILED and "not in list" in error and any(name in error for name in names)


def runpod_serverless(url: str | None, endpoint: str, key: str, session: aiohttp.ClientSession) -> InferenceApi:
    """Open your own endpoint by its id."""
    return RunPodServerless(url=url or ADDRESS, endpoint=endpoint or UNNAMED, key=key, session=session)
