"""One attempt of one job: graph -> ComfyUI or bridge -> bytes -> blobs -> one transaction."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from orchestrator.control import news
from orchestrator.control.bridges import Bridges
from orchestrator.control.bridging import Bridging, Elsewhere, Hopeless, Painted
from orchestrator.control.links import Links
from orchestrator.control.loop import Workers
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.moves import end_instance, fail, requeue
from orchestrator.control.naming import your_machine
from orchestrator.control.painting import MachineFailed, MachineGone, Painter
from orchestrator.control.restarts import Restarts
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import (
    AttemptInterrupted,
    GraphRejected,
    OrchestratorError,
    StaleWrite,
    StoreError,
)
from orchestrator.domain.ids import ImageKey, InstanceId, JobId
from orchestrator.domain.instance import EndReason, Instance
from orchestrator.domain.job import Failure, Job, JobState, Served
from orchestrator.domain.money import MicroUsd, price_of
from orchestrator.domain.policy import retry
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.store import Booking, Books

log = logging.getLogger(__name__)

INTERRUPT_LIMIT = timedelta(seconds=10)


class Runner:
    """Keeps one worker a RUNNING job; each follows its attempt to the end."""

    def __init__(
        self,
        shared: Shared,
        *,
        links: Links,
        restarts: Restarts,
        loras: LoraFetch,
        blobs: Blobs,
        bridges: Bridges,
        group: asyncio.TaskGroup,
    ) -> None:
        self._shared = shared
        self._links = links
        self._blobs = blobs
        self._painter = Painter(shared, links=links, restarts=restarts, loras=loras, blobs=blobs)
        self._bridges = bridges
        self._bridging = Bridging(shared, bridges=bridges, blobs=blobs, painter=self._painter)
        self._attempts = Workers("runner", group, wakeup=shared.wakeups.runner, keys="job", give_up=self._despair)
        self._interrupts = Workers("interrupt", group, wakeup=shared.wakeups.runner, keys="job")
        self._seen: dict[JobId, Job] = {}

    def take(self, job: Job) -> None:
        """Begin *job*, which was just committed as RUNNING, without waiting for the next look at the store."""
        self._seen[job.id] = job
        self._attempts.ensure(job.id, lambda: self._attempt(job, is_new=True))

    async def step(self) -> timedelta | None:
        """See that each RUNNING job has a worker, and stop what is no longer wanted."""
        async with self._shared.store.reading() as books:
            running = {job.id: job for job in await books.jobs.running()}
            gone = [await books.jobs.get(JobId(key)) for key in sorted(self._attempts.keys() - running.keys())]
        for job in gone:
            if job is not None and job.is_over:
                self._abandon(job)
        for job in running.values():
            self._seen[job.id] = job
            self._attempts.ensure(job.id, lambda job=job: self._attempt(job, is_new=False))  # type: ignore[misc]
        return None

    def _abandon(self, job: Job) -> None:
        """Its person does not want it any more: stop following it, and stop it where it runs."""
        self._attempts.cancel(job.id)
        started = self._seen.pop(job.id, None)
        if job.state is JobState.CANCELLED and started is not None:
            known = replace(started, bridge_ref=job.bridge_ref)  # noted down since it was begun
            self._interrupts.ensure(job.id, lambda: self._interrupt(known))

    async def _interrupt(self, job: Job) -> None:
        try:
            async with asyncio.timeout(INTERRUPT_LIMIT.total_seconds()):
                if api := self._bridges.api(job.bridge):
                    await api.cancel(job)
                elif job.prompt and (instance := await self._instance(job.instance)):
                    comfy = await self._links.comfy(instance)
                    await comfy.interrupt(job.prompt)
        except (TimeoutError, OrchestratorError) as error:
            log.info("job %s was cancelled but may still be painted: %s", job.id, error)

    async def _attempt(self, job: Job, *, is_new: bool) -> None:
        workflow = self._shared.catalog.find(job.workflow)
        if workflow is None:
            await self._fail(job, Failure(key="unknown_workflow", values={"name": job.workflow}))
        elif job.bridge:
            await self._on_bridge(job, workflow, is_new=is_new)
        else:
            await self._on_instance(job, workflow, is_new=is_new)
        self._shared.board.forget_job(job.id)
        self._seen.pop(job.id, None)
        self._ring()

    # On the session's own machine.

    async def _on_instance(self, job: Job, workflow: Workflow, *, is_new: bool) -> None:
        try:
            pictures, instance = await self._painter.paint(job, workflow, is_new=is_new)
        except GraphRejected as error:
            await self._fail(job, Failure(key="graph_rejected", values={"sentence": error.sentence}))
        except AttemptInterrupted:
            await self._requeue(job, "its prompt was interrupted")
        except MachineGone:
            await self._requeue(job, "its machine is gone")
        except MachineFailed as failed:
            await self._lose(job, failed.instance, failed.reason, str(failed))
        else:
            await self._succeed(job, pictures, self._served_by(job, instance))

    def _served_by(self, job: Job, instance: Instance) -> Served:
        now = self._shared.clock.now()
        span = now - (job.started_at or now)
        by = your_machine(self._shared, instance)
        return Served(by=by, seconds=span.total_seconds(), cost=price_of(instance.price, span))

    async def _lose(self, job: Job, instance: Instance, reason: EndReason, error: str) -> None:
        """The machine is of no use any more: end it, and let the job go to another one."""
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            current = await books.instances.get(instance.id)
            if reason is EndReason.OUT_OF_VRAM and await self._was_out_of_vram(books, job):
                await self._fail_in(books, job, Failure(key="out_of_vram", values={}))
                return
            if current is not None and not current.is_over:
                await end_instance(books, current, reason, now, details={"error": error[:200]})
            await self._requeue_in(books, job, f"its machine failed: {reason}")
        self._shared.wakeups.reconciler.wake()

    async def _despair(self, key: str) -> None:
        """An attempt fails again and again in a way that no code of ours expected: it must not go on for ever."""
        async with self._shared.store.reading() as books:
            job = await books.jobs.get(JobId(key))
        if job is None or job.state is not JobState.RUNNING:
            return
        if job.bridge:
            api = self._bridges.api(job.bridge)
            await self._fail(job, Failure(key="bridge_failed", values={"api": api.title if api else job.bridge}))
        elif (instance := await self._instance(job.instance)) is not None:
            await self._links.drop(instance.id)
            await self._lose(job, instance, EndReason.UNEXPECTED, "not one that we know")
        self._shared.board.forget_job(job.id)
        self._ring()

    async def _was_out_of_vram(self, books: Books, job: Job) -> bool:
        """Whether a machine before this one had too little memory, too: then it is the job that wants too much."""
        given_up = await books.instances.given_up(job.session, job.submitted_at)
        return any(machine.end_reason is EndReason.OUT_OF_VRAM for machine in given_up)

    # Over a bridge.

    async def _on_bridge(self, job: Job, workflow: Workflow, *, is_new: bool) -> None:
        match await self._bridging.make(job, workflow, is_new=is_new):
            case Painted(pictures=pictures, served=served):
                await self._succeed(job, pictures, served)
            case Hopeless() | Elsewhere() as unmade:
                await self._settle_unmade(job, unmade)

    async def _settle_unmade(self, job: Job, unmade: Hopeless | Elsewhere) -> None:
        """
        Fail it, or send it to a machine or to another API; what this one may have charged is spent.

        Whoever cancelled it meanwhile has booked that.
        """
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            current = await books.jobs.get(job.id)
            if current is None or current.state is not JobState.RUNNING or current.prompt != job.prompt:
                return
            await self._book_bridge(books, job, unmade.cost)
            match unmade:
                case Hopeless(failure=failure):
                    await fail(books, current, failure, now)
                case Elsewhere(reason=reason, avoids=avoids):
                    known = (*current.avoids, job.bridge) if avoids else current.avoids
                    await requeue(books, current, now, reason=reason, avoids=known)
        self._shared.wakeups.notices.wake()

    async def _book_bridge(self, books: Books, job: Job, cost: MicroUsd) -> None:
        if cost:
            now = self._shared.clock.now()
            await books.ledger.book(
                Booking(at=now, user=job.user, cloud=job.bridge, instance=None, job=job.id, amount=cost)
            )

    # The books.

    async def _succeed(self, job: Job, pictures: tuple[bytes, ...], served: Served) -> None:
        """
        Keep the pictures and end the job, however long the disk has no room for them.

        They are there and paid for. Meanwhile the job stays RUNNING, so its machine is kept, too.
        """
        came_at = self._shared.clock.now()
        for failures in count():
            try:
                images = tuple([await self._blobs.put(picture) for picture in pictures])
                await self._end(job, images, served, came_at=came_at)
            except StaleWrite:
                raise
            except StoreError as error:
                log.warning("the pictures of job %s cannot be kept yet: %s", job.id, error)
                await asyncio.sleep(retry.pause(failures, 1.0).total_seconds())
            else:
                return

    async def _end(self, job: Job, images: tuple[ImageKey, ...], served: Served, *, came_at: datetime) -> None:
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            current = await books.jobs.get(job.id)
            if current is None or current.state is not JobState.RUNNING or current.prompt != job.prompt:
                return
            done = replace(current.moved_to(JobState.SUCCEEDED, now), images=images, served=served)
            await books.jobs.change(current, done, reason=served.by)
            await news.painted(books, done, now)
            if job.bridge:
                await self._book_bridge(books, job, served.cost)
                await self._note_bridged(books, job)
            is_first = await self._prove(books, job, came_at)
            await books.sessions.touch(job.session, now)
        self._shared.wakeups.notices.wake()
        if not job.bridge and not is_first:  # the first one waits for the weights to be read
            self._shared.board.note_pace(served.seconds, len(images))
        log.info(
            "job %s: %d pictures in %.1f s by %s, attempt %d",
            job.id,
            len(images),
            served.seconds,
            served.by,
            job.attempts,
        )

    async def _prove(self, books: Books, job: Job, at: datetime) -> bool:
        """Note that its machine can paint; False when that was known."""
        machine = await books.instances.get(job.instance) if job.instance else None
        if machine is None or machine.proved_at is not None:
            return False
        await books.instances.change(machine, replace(machine, proved_at=at), reason="made its first picture")
        return True

    async def _note_bridged(self, books: Books, job: Job) -> None:
        """Its person goes on waiting for the machine, for the next picture."""
        session = await books.sessions.get(job.session)
        if session is not None and self._shared.clouds:
            bridged = replace(session, bridged_job=job.id)
            await books.sessions.change(session, bridged, reason="bridged")

    async def _fail(self, job: Job, failure: Failure) -> None:
        async with self._shared.store.writing() as books:
            await self._fail_in(books, job, failure)

    async def _fail_in(self, books: Books, job: Job, failure: Failure) -> None:
        current = await books.jobs.get(job.id)
        if current is not None and current.state is JobState.RUNNING:
            await fail(books, current, failure, self._shared.clock.now())
        self._shared.wakeups.notices.wake()

    async def _requeue(self, job: Job, reason: str) -> None:
        async with self._shared.store.writing() as books:
            await self._requeue_in(books, job, reason)

    async def _requeue_in(self, books: Books, job: Job, reason: str) -> None:
        current = await books.jobs.get(job.id)
        if current is not None and current.state is JobState.RUNNING and current.prompt == job.prompt:
            await requeue(books, current, self._shared.clock.now(), reason=reason)

    async def _instance(self, instance: InstanceId | None) -> Instance | None:
        if instance is None:
            return None
        async with self._shared.store.reading() as books:
            return await books.instances.get(instance)

    def _ring(self) -> None:
        wakeups = self._shared.wakeups
        for wakeup in (wakeups.ends, wakeups.newsroom, wakeups.dispatcher, wakeups.sessions):
            wakeup.wake()
