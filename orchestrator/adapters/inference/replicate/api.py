"""Replicate as a bridge: FLUX schnell, with or without a LoRA that anybody may read."""

from dataclasses import replace

import aiohttp

from orchestrator.adapters.inference.replicate.answers import TITLE, ModelGone
from orchestrator.adapters.inference.replicate.batch import Batch
from orchestrator.adapters.inference.replicate.client import ADDRESS, Client
from orchestrator.adapters.inference.replicate.files import Files
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.adapters.inference.replicate.making import Maker
from orchestrator.adapters.inference.replicate.predictions import Predictions
from orchestrator.adapters.inference.replicate.wire import PLAIN, SIZES, WITH_LORA, refs_of, traces, wanted
from orchestrator.domain.errors import InferenceFailed
from orchestrator.domain.inference import Capabilities, LoraSupport, Price, Sizes, lora_of
from orchestrator.domain.job import Job
from orchestrator.domain.money import micro_usd
from orchestrator.ports.inference import Attempt, InferenceApi, Made

CAPABILITIES = Capabilities(
    families=frozenset({"flux-schnell"}),
    sizes=Sizes(least=320, most=1536, exact=frozenset(SIZES)),
    steps=(1, 4),
    loras=LoraSupport.PUBLIC,
    strengths=(-1.0, 3.0),
    is_filtered=True,
    can_cancel=True,
    # $3 per 1000 pictures: replicate.com/black-forest-labs/flux-schnell. With a LoRA $0.02: three public tables of
    # 2025 and 2026, not seen on a page of Replicate's.
    price=Price(per_picture=micro_usd(0.003)),
    lora_price=Price(per_picture=micro_usd(0.02)),
    seconds=2.0,
)
"""Steps, strengths and inputs: replicate/cog-flux, predict.py, 51e81e0 (2025-07-31)."""


class Replicate(InferenceApi):
    """
    FLUX schnell and FLUX schnell with a LoRA, two of Replicate's official models.

    Orders are called what Replicate calls them; several of one job are noted as ``first,second,``, in the order of
    their pictures, empty for one that is not known yet: :attr:`Attempt.note_ref` is called once for each.
    """

    def __init__(
        self, *, url: str | None, key: str, session: aiohttp.ClientSession, limits: Limits | None = None
    ) -> None:
        self._limits = limits or Limits()
        client = Client(url=url or ADDRESS, key=key, session=session, limits=self._limits)
        self._predictions = Predictions(client, self._limits)
        self._files = Files(client, self._limits)
        self._capabilities = CAPABILITIES

    @property
    def name(self) -> str:
        return "replicate"

    @property
    def title(self) -> str:
        return TITLE

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def probe(self) -> None:
        """See the port. A LoRA's model that is gone takes away LoRAs alone."""
        await self._predictions.serves(PLAIN)
        try:
            await self._predictions.serves(WITH_LORA)
        except ModelGone:
            self._do_without_loras()
        else:
            self._capabilities = CAPABILITIES

    async def generate(self, attempt: Attempt) -> Made:
        job = attempt.job
        if not self._capabilities.can_make(attempt.workflow, job):
            raise InferenceFailed(f"{TITLE} cannot make just this: its model, size, steps or LoRA are others.")
        has_lora = lora_of(attempt.workflow, job) is not None
        price = (has_lora and CAPABILITIES.lora_price) or CAPABILITIES.price
        maker = Maker(
            predictions=self._predictions,
            files=self._files,
            limits=self._limits,
            price=price.per_picture,
            since=job.started_at or job.submitted_at,
        )
        try:
            return await Batch(maker=maker, attempt=attempt, wanted=wanted(attempt.workflow, job)).make()
        except ModelGone as error:
            if not has_lora:
                raise
            self._do_without_loras()
            raise InferenceFailed(str(error), cost=error.cost) from error

    async def cancel(self, job: Job) -> None:
        """
        See the port.

        What is not known by its name was ordered a moment ago, or never: it is looked for in the list of orders.
        """
        refs = refs_of(job)
        for ref in filter(None, refs):
            await self._predictions.cancel(ref)
        lost = [trace for trace, ref in zip(traces(job), refs, strict=False) if not ref]
        if not lost:
            return
        async for it in self._predictions.placed(job.started_at or job.submitted_at):
            if not it.is_over and any(trace.is_made_by(it) for trace in lost):
                await self._predictions.cancel(it.id)

    def _do_without_loras(self) -> None:
        self._capabilities = replace(CAPABILITIES, loras=LoraSupport.NONE)


def replicate(url: str | None, key: str, session: aiohttp.ClientSession) -> InferenceApi:
    """Open it at *url*; None for its usual address."""
    return Replicate(url=url, key=key, session=session)
