"""
One job on one machine: graph -> ComfyUI -> bytes, for as long as something moves. Called by the runner.

A machine that fails at it is asked again, then its ComfyUI is started again, then it is given up.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from orchestrator.control.links import Links
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.restarts import Restarts
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import (
    ComfyStuck,
    ComfyUnavailable,
    GraphRejected,
    HostError,
    OrchestratorError,
    OutOfVram,
)
from orchestrator.domain.ids import PromptId
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.job import Job
from orchestrator.domain.policy.mending import Mend, mend, reason_of
from orchestrator.domain.workflows import Workflow, fill
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.comfy import Comfy, Painting

log = logging.getLogger(__name__)

UNTOLD = 3
"""Nobody tells how a prompt gets on that another life of ours has queued: it may take so many times as long."""


class MachineGone(Exception):
    """It paints nothing any more, and somebody else has seen to it."""


class MachineFailed(Exception):
    """It is to be given up, for *reason*."""

    def __init__(self, instance: Instance, reason: EndReason, error: str) -> None:
        super().__init__(error)
        self.instance = instance
        self.reason = reason


@dataclass(slots=True, kw_only=True)
class _Trial:
    """
    One machine at one job, so far.

    Attributes:
        is_new: Nobody can have queued its prompt.
        is_told: Nobody else can have: its progress comes to us.
        tries: Failures in a row.
        must_restart: ComfyUI is to be started again first.
    """

    is_new: bool
    is_told: bool
    tries: int = 0
    must_restart: bool = False

    def has_failed(self) -> None:
        self.is_new = False
        self.tries += 1

    def has_restarted(self) -> None:
        """A ComfyUI that was just started knows no prompt."""
        self.is_told = True
        self.tries = 0
        self.must_restart = False


class Painter:
    """Keeps nothing: what it is told goes to the board, what must last to the books."""

    def __init__(self, shared: Shared, *, links: Links, restarts: Restarts, loras: LoraFetch, blobs: Blobs) -> None:
        self._shared = shared
        self._links = links
        self._restarts = restarts
        self._loras = loras
        self._blobs = blobs

    async def paint(self, job: Job, workflow: Workflow, *, is_new: bool) -> tuple[tuple[bytes, ...], Instance]:
        """
        Paint *job* on its machine, or go on with it: the pictures, and the machine as it was by then.

        Args:
            is_new: Nobody can have queued its prompt before.

        Raises:
            MachineGone: Another one is to do it.
            MachineFailed: The same, and this one is to be ended.
            GraphRejected: It will never be painted.
            AttemptInterrupted: Somebody interrupted it.
        """
        trial = _Trial(is_new=is_new, is_told=is_new)
        while True:
            instance = await self._machine(job)
            try:
                pictures = await self._try(job, workflow, instance, trial)
            except (HostError, ComfyUnavailable, OutOfVram) as error:
                await self._mend(job, instance, error, trial)
            else:
                self._shared.board.note_heard(instance.id, self._shared.clock.now())
                return pictures, instance

    def show(self, job: Job, painting: Painting) -> None:
        """Let its person see how far it is."""
        self._shared.board.put_painting(job.id, painting)
        self._shared.wakeups.newsroom.wake()

    async def _machine(self, job: Job) -> Instance:
        async with self._shared.store.reading() as books:
            instance = await books.instances.get(job.instance) if job.instance else None
        if instance is None or instance.state not in {InstanceState.READY, InstanceState.DRAINING}:
            raise MachineGone
        return instance

    async def _mend(self, job: Job, instance: Instance, error: OrchestratorError, trial: _Trial) -> None:
        """See that the next try may do better; there is none on a machine that failed too often."""
        trial.has_failed()
        what = mend(error, trial.tries)
        log.warning("job %s on instance %s, try %d: %s: %s", job.id, instance.id, trial.tries, error, what)
        if what is Mend.RESTART and await self._restarts.begin(instance, _prompt(job), error):
            trial.must_restart = True
            self._shared.board.note_restart(job.id, reason_of(error))
            self._shared.wakeups.newsroom.wake()
            return
        await self._links.drop(instance.id)
        if what is not Mend.AGAIN:
            raise MachineFailed(instance, reason_of(error), str(error))
        self._shared.doubt(instance.cloud)
        await asyncio.sleep(trial.tries)

    async def _try(self, job: Job, workflow: Workflow, instance: Instance, trial: _Trial) -> tuple[bytes, ...]:
        if trial.must_restart:
            await self._restarts.restart(instance, workflow, _prompt(job))
            trial.has_restarted()
            instance = await self._machine(job)
        if job.own_lora is not None:
            await self._loras.bring(instance, job, job.own_lora)
        comfy = await self._links.comfy(instance)
        limit = (self._shared.limits.stall * (1 if trial.is_told else UNTOLD)).total_seconds()
        longest = max(self._shared.limits.painting.total_seconds(), limit)
        loop = asyncio.get_running_loop()
        patience = asyncio.timeout(limit)

        def on_progress(painting: Painting) -> None:
            if not patience.expired():
                patience.reschedule(loop.time() + limit)
            self.show(job, painting)

        try:
            async with asyncio.timeout(longest), patience:
                image, here = await self._upload(comfy, job), workflow.as_variant(instance.variant)
                graph = fill(here, job.values, image=image, own_lora=job.own_lora)
                paint = comfy.paint if trial.is_new else comfy.resume
                async with self._proving(job, instance):
                    return await paint(graph, _prompt(job), on_progress=on_progress)
        except TimeoutError:
            said = f"nothing has moved for {limit:.0f} s" if patience.expired() else "it does not come to its end"
            raise ComfyStuck(said) from None  # who is paid by the minute may say each minute that a step is done

    @asynccontextmanager
    async def _proving(self, job: Job, instance: Instance) -> AsyncIterator[None]:
        """
        A graph that one machine refuses which has never painted is that machine's fault; on a second one its own.

        Its first picture is the proof that it can: while somebody waits no smoke picture is made.
        """
        try:
            yield
        except GraphRejected as error:
            if instance.proved_at is None and not await self._was_refused_before(job):
                raise MachineFailed(instance, EndReason.COMFYUI_FAILED, str(error)) from error
            raise

    async def _was_refused_before(self, job: Job) -> bool:
        """Whether a machine was given up already whose first picture it would have been."""
        async with self._shared.store.reading() as books:
            given_up = await books.instances.given_up(job.session, job.submitted_at)
        return any(
            before.end_reason is EndReason.COMFYUI_FAILED and before.ready_at and not before.proved_at
            for before in given_up
        )

    async def _upload(self, comfy: Comfy, job: Job) -> str:
        if job.source is None:
            return ""
        picture = await self._blobs.get(job.source)
        if picture is None:
            raise GraphRejected("The picture to start from is no longer kept; start from another one.")
        return await comfy.upload(picture, f"{job.source}.png")


def _prompt(job: Job) -> PromptId:
    assert job.prompt is not None, "a running job has a prompt id"  # noqa: S101 - the dispatcher gave it
    return job.prompt
