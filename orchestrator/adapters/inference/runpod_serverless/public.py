"""
RunPod's public endpoint for Flux schnell: plain pictures, the cheapest of all.

Input, output and price as in docs.runpod.io/public-endpoints/models/flux-schnell, read 2026-08: a picture stays at its
address for seven days. The job API is that of any endpoint.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters.inference.exchange import LOOPBACK
from orchestrator.adapters.inference.runpod_serverless import jobs, wire
from orchestrator.adapters.inference.runpod_serverless.client import JobClient
from orchestrator.adapters.inference.runpod_serverless.jobs import Ended, Jobs
from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.inference.runpod_serverless.pictures import Pictures
from orchestrator.adapters.inference.runpod_serverless.worker import ADDRESS
from orchestrator.domain.errors import InferenceError, InferenceFailed, InferenceUncertain
from orchestrator.domain.inference import Capabilities, Price, Sizes, size_of
from orchestrator.domain.job import Job
from orchestrator.domain.money import MICRO, MicroUsd
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Attempt, InferenceApi, Made

ENDPOINT = "black-forest-labs-flux-1-schnell"
HOST = "image.runpod.ai"
PER_MEGAPIXEL = MicroUsd(2_400)
MOST_USD = 1.0
"""No picture costs so much: a bill that says so is not believed."""
SEEDS = 2**31
"""Seeds are 32-bit numbers there, and -1 draws one."""

CAPABILITIES = Capabilities(
    families=frozenset({"flux-schnell"}),
    sizes=Sizes(least=256, most=1536, step=64),
    steps=(1, 8),
    takes_negative=True,
    can_cancel=True,
    price=Price(per_megapixel=PER_MEGAPIXEL),
    seconds=3.0,
)


class RunPodPublic(InferenceApi):
    """One order a picture; what the API calls them is noted together."""

    name = "runpod_public"
    title = "RunPod"
    capabilities = CAPABILITIES

    def __init__(self, *, url: str, key: str, session: aiohttp.ClientSession, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        client = JobClient(url=url, endpoint=ENDPOINT, key=key, session=session, limits=self._limits)
        self._jobs = Jobs(client, self._limits, title=self.title)
        is_local = URL(url).host in LOOPBACK
        self._pictures = Pictures(session, self._limits, is_known=lambda host: host == HOST, is_local=is_local)

    async def probe(self) -> None:
        await self._jobs.probe()

    async def generate(self, attempt: Attempt) -> Made:
        refs = await self._refs(attempt)
        total = attempt.job.count
        pictures: list[bytes] = []
        spent = MicroUsd(0)
        for ref in refs:
            attempt.on_progress(Painting(done=len(pictures), total=total))
            try:
                ended = await self._jobs.follow(ref, worst=self._price(attempt.job))
                spent = MicroUsd(spent + self._cost_of(ended, attempt.job))
                pictures.append(await self._picture(ended))
            except InferenceError as error:
                rest = refs[len(pictures) + 1 :]
                await self._forget(rest)
                error.cost = MicroUsd(error.cost + spent + self._price(attempt.job) * len(rest))
                raise
        attempt.on_progress(Painting(done=total, total=total))
        return Made(pictures=tuple(pictures), cost=spent)

    async def cancel(self, job: Job) -> None:
        for ref in _split(job.bridge_ref):
            await self._jobs.cancel(ref)

    async def _refs(self, attempt: Attempt) -> Sequence[str]:
        """The jobs of this attempt: new ones, or those that an earlier life of ours has ordered."""
        job = attempt.job
        if attempt.is_new:
            refs = await self._ordered(job)
            await attempt.note_ref(",".join(refs))
            return refs
        refs = _split(job.bridge_ref)
        if len(refs) != job.count:
            raise InferenceUncertain(f"{self.title}: it may have been ordered before", cost=self._all(job))
        return refs

    async def _ordered(self, job: Job) -> Sequence[str]:
        """One order for each picture; after a refusal those before it are withdrawn, and may be charged."""
        refs: list[str] = []
        for number in range(job.count):
            try:
                refs.append(
                    await self._jobs.order(wire.order(order_of(job, number), self._limits), worst=self._price(job))
                )
            except InferenceError as error:
                await self._forget(refs)
                error.cost = MicroUsd(error.cost + self._price(job) * len(refs))
                if refs and not isinstance(error, InferenceUncertain):
                    raise InferenceFailed(str(error), cost=error.cost) from error
                raise
        return refs

    async def _forget(self, refs: Sequence[str]) -> None:
        """Withdraw what nobody will fetch; what cannot be withdrawn ends by its policy."""
        for ref in refs:
            try:
                await self._jobs.cancel(ref)
            except InferenceError:
                return

    async def _picture(self, ended: Ended) -> bytes:
        failed = jobs.failure(ended, self.title, cost=MicroUsd(0))
        if failed is not None:
            raise failed
        try:
            return await self._pictures.fetch(_address_of(ended.state.output))
        except wire.NoPictures as error:
            raise InferenceFailed(f"{self.title}: {error}") from None

    def _cost_of(self, ended: Ended, job: Job) -> MicroUsd:
        """What it says that it costs; by the list where it does not say."""
        if ended.state.word != wire.COMPLETED:
            return MicroUsd(0)
        told = told_cost(ended.state.output)
        return self._price(job) if told is None else told

    def _price(self, job: Job) -> MicroUsd:
        """Of one picture."""
        width, height = size_of(job)
        return self.capabilities.price.of(pictures=1, pixels=width * height)

    def _all(self, job: Job) -> MicroUsd:
        return MicroUsd(self._price(job) * job.count)


def order_of(job: Job, number: int) -> Mapping[str, Any]:
    """The input of one picture; its *number* makes its seed."""
    width, height = size_of(job)
    given = {
        "prompt": str(job.values["prompt"]),
        "width": width,
        "height": height,
        "num_inference_steps": int(job.values.get("steps", 4)),
        "seed": (job.seed + number) % SEEDS,
        "image_format": "png",
    }
    negative = str(job.values.get("negative", "")).strip()
    return {**given, "negative_prompt": negative} if negative else given


def told_cost(output: Any) -> MicroUsd | None:
    """The cost in an output, in dollars there; None where there is none to believe."""
    cost = output.get("cost") if isinstance(output, dict) else None
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost <= MOST_USD:
        return None
    return MicroUsd(math.ceil(round(cost * MICRO, 3)))


def _address_of(output: Any) -> str:
    address = output.get("image_url") if isinstance(output, dict) else None
    if not isinstance(address, str):
        raise wire.NoPictures("it completed without the address of a picture")
    return address


def _split(ref: str) -> Sequence[str]:
    return [each for each in ref.split(",") if wire.is_ref(each)]


def runpod_public(url: str | None, key: str, session: aiohttp.ClientSession) -> InferenceApi:
    """Open RunPod's own endpoint; the account's key is all it takes."""
    return RunPodPublic(url=url or ADDRESS, key=key, session=session)
