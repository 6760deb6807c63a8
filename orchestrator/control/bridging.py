"""One attempt of one job at a managed API, and what follows from how it ended. Called by the runner."""

import asyncio
import logging
from dataclasses import dataclass, replace

from orchestrator.control.bridges import Bridges
from orchestrator.control.painting import Painter
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import (
    ApiOff,
    GraphRejected,
    InferenceError,
    InferenceUnavailable,
    PictureFiltered,
)
from orchestrator.domain.job import Failure, Job, JobState, Served
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.inference import Attempt, InferenceApi

log = logging.getLogger(__name__)

TRIES = 3
"""At an API that does not answer, where there is no other way."""

NOTHING = MicroUsd(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Painted:
    pictures: tuple[bytes, ...]
    served: Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """
    It goes back into the queue.

    Attributes:
        avoids: This API is not asked for it again.
        cost: What the API has charged all the same, or may have.
    """

    reason: str
    avoids: bool
    cost: MicroUsd = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Hopeless:
    """It fails, and its person is told why. Attributes: cost: As of :class:`Elsewhere`."""

    failure: Failure
    cost: MicroUsd = NOTHING


Outcome = Painted | Elsewhere | Hopeless


class Bridging:
    """Keeps nothing."""

    def __init__(self, shared: Shared, *, bridges: Bridges, blobs: Blobs, painter: Painter) -> None:
        self._shared = shared
        self._bridges = bridges
        self._blobs = blobs
        self._painter = painter

    async def make(self, job: Job, workflow: Workflow, *, is_new: bool) -> Outcome:
        """
        Have the API of *job* make it, or go on with what an earlier life of ours has ordered there.

        Args:
            is_new: Nobody can have ordered it before.
        """
        api = self._bridges.api(job.bridge)
        if api is None:
            return Elsewhere(reason="its bridge is switched off", avoids=True, cost=NOTHING)
        try:
            return await self._ordered(api, job, workflow, is_new=is_new)
        except GraphRejected as error:
            return Hopeless(failure=Failure(key="graph_rejected", values={"sentence": error.sentence}))
        except PictureFiltered as error:
            return self._filtered(api, job, error)
        except InferenceError as error:
            log.warning("job %s at %s: %s", job.id, api.name, error)
            return await self._failed(api, job, error)

    async def _ordered(self, api: InferenceApi, job: Job, workflow: Workflow, *, is_new: bool) -> Outcome:
        source = await self._blobs.get(job.source) if job.source else None
        if job.source is not None and source is None:
            raise GraphRejected("The picture to start from is no longer kept; start from another one.")
        attempt = Attempt(
            workflow=workflow,
            job=job,
            source=source,
            is_new=is_new,
            note_ref=lambda ref: self._note_ref(job, ref),
            on_progress=lambda painting: self._painter.show(job, painting),
        )
        made = await api.generate(attempt)
        self._bridges.succeeded(api.name)
        now = self._shared.clock.now()
        seconds = (now - (job.started_at or now)).total_seconds()
        return Painted(pictures=made.pictures, served=Served(by=api.title, seconds=seconds, cost=made.cost))

    async def _note_ref(self, job: Job, ref: str) -> None:
        """Write down what the API calls the attempt, so that a later life of ours finds it again."""
        async with self._shared.store.writing() as books:
            current = await books.jobs.get(job.id)
            if current is not None and current.state is JobState.RUNNING and current.prompt == job.prompt:
                await books.jobs.change(current, replace(current, bridge_ref=ref), reason="ordered")

    def _filtered(self, api: InferenceApi, job: Job, error: PictureFiltered) -> Outcome:
        """Told to its person, and made elsewhere only where its place allows that."""
        self._bridges.succeeded(api.name)
        if job.may_remake and self._shared.clouds:
            return Elsewhere(reason=f"kept back by {api.title}", avoids=True, cost=error.cost)
        return Hopeless(failure=Failure(key="filtered", values={"api": api.title}), cost=error.cost)

    async def _failed(self, api: InferenceApi, job: Job, error: InferenceError) -> Outcome:
        if isinstance(error, ApiOff):
            await self._bridges.switch_off(api.name, error)
        elif isinstance(error, InferenceUnavailable):
            self._bridges.failed(api.name, retry_after=error.retry_after)
        else:
            self._bridges.failed(api.name)
        others = [name for name in self._bridges.ever_for(job) if name != api.name]
        if others or self._shared.clouds:
            return Elsewhere(reason=f"{api.title} did not make it", avoids=True, cost=error.cost)
        if isinstance(error, InferenceUnavailable) and job.attempts < TRIES:
            await asyncio.sleep(job.attempts)
            return Elsewhere(reason=f"{api.title} did not answer", avoids=False)
        return Hopeless(failure=Failure(key="bridge_failed", values={"api": api.title}), cost=error.cost)
