"""PLANNED -> LAUNCHING -> BOOTING -> PREPARING -> READY: one worker a machine, resumable in every state."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from orchestrator.control.links import Links
from orchestrator.control.loop import Workers
from orchestrator.control.moves import charge, end_instance
from orchestrator.control.ordering import Ordering
from orchestrator.control.orphans import began_at
from orchestrator.control.preparer import Preparer
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import CloudError, HostUnreachable, PreparationFailed, RateLimited
from orchestrator.domain.ids import CloudName, InstanceId
from orchestrator.domain.instance import WARMING, EndReason, Instance, InstanceState
from orchestrator.domain.job import Job, JobState
from orchestrator.domain.offer import is_dearer
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.cloud import CloudProvider, Rental, RentalState
from orchestrator.ports.host import Host

log = logging.getLogger(__name__)

POLL = timedelta(milliseconds=500)
"""Between two questions about a machine that boots; adapters space their calls as their cloud demands."""

PREPARE_TRIES = 3
"""How often a broken connection is mended during one preparation: every step goes on where it was."""

BLAME: Mapping[str, EndReason] = {
    "wrong_gpu": EndReason.WRONG_MACHINE,
    "old_driver": EndReason.WRONG_MACHINE,
    "disk_full": EndReason.DISK_FULL,
    "bad_checksum": EndReason.BAD_DOWNLOAD,
    "no_progress": EndReason.DOWNLOAD_TOO_SLOW,
    "expired": EndReason.BAD_DOWNLOAD,
    "too_slow": EndReason.DOWNLOAD_TOO_SLOW,
}


class Provisioner:
    """The loop's step, and the workers that it keeps."""

    def __init__(
        self,
        shared: Shared,
        *,
        clouds: Mapping[CloudName, CloudProvider],
        ordering: Ordering,
        links: Links,
        preparer: Preparer,
        group: asyncio.TaskGroup,
    ) -> None:
        self._shared = shared
        self._clouds = clouds
        self._ordering = ordering
        self._links = links
        self._preparer = preparer
        self._workers = Workers(
            "provisioner", group, wakeup=shared.wakeups.provisioner, keys="instance", give_up=self._despair
        )

    async def step(self) -> timedelta | None:
        """See that each machine on its way has a worker, and that no other has."""
        async with self._shared.store.reading() as books:
            warming = await books.instances.in_states(*sorted(WARMING))
        wanted = {instance.id for instance in warming}
        for key in self._workers.keys() - wanted:
            self._workers.cancel(key)
        for instance in warming:
            self._workers.ensure(instance.id, lambda i=instance.id: self._bring_up(i))  # type: ignore[misc]
        return timedelta(seconds=30) if warming else None

    async def _bring_up(self, instance_id: InstanceId) -> None:
        """Take one machine from wherever it stands to READY or to its end."""
        async with self._shared.store.reading() as books:
            instance = await books.instances.get(instance_id)
            for stage in await books.instances.stages(instance_id):
                self._shared.board.put_stage(instance_id, stage)
        while instance is not None and instance.state in WARMING:
            before, instance = instance, await self._next(instance)
            if instance != before:
                self._ring(instance)

    async def _next(self, instance: Instance) -> Instance:
        workflow = self._shared.catalog.find(instance.workflow)
        if workflow is None:
            return await self._give_up(instance, EndReason.NOT_NEEDED)
        match instance.state:
            case InstanceState.PLANNED:
                return await self._order(instance, workflow)
            case InstanceState.LAUNCHING:
                return await self._find(instance)
            case InstanceState.BOOTING:
                return await self._boot(instance)
            case _:
                return await self._prepare(instance, workflow.as_variant(instance.variant))

    async def _order(self, instance: Instance, workflow: Workflow) -> Instance:
        await self._begin(instance, Step.PROVISION, instance.created_at)
        ordered = await self._ordering.order(instance, workflow)
        done = ordered.state in {InstanceState.LAUNCHING, InstanceState.BOOTING}
        await self._end(ordered, Step.PROVISION, StageState.DONE if done else StageState.FAILED)
        return ordered

    async def _find(self, instance: Instance) -> Instance:
        """Look for the label of an order whose answer was lost, by a crash of ours or on the wire."""
        shared = self._shared
        asked_at = shared.clock.now()
        try:
            rentals = await self._cloud(instance).rentals()
        except CloudError as error:
            log.info("looking for instance %s: %s", instance.id, error)
            await self._pause(error)
            return await self._reload(instance)
        instance = await self._reload(instance)
        if instance.state is not InstanceState.LAUNCHING:
            return instance
        now = shared.clock.now()
        for rental in rentals:
            if rental.label == instance.launch_key:
                began = began_at(rental.started_at, instance.ordered_at, now)
                moved = instance.seen().moved_to(InstanceState.BOOTING, now)
                booting = replace(moved, ref=rental.ref, ordered_at=began)
                return await self._change(instance, booting, "found by its label")
        settled = asked_at - instance.state_since > shared.limits.launch_settle
        if instance.absences >= 1 and settled:
            return await self._give_up(instance, EndReason.LAUNCH_LOST)
        missed = await self._change(instance, replace(instance, absences=instance.absences + 1), "not listed")
        await asyncio.sleep(2)
        return missed

    async def _boot(self, instance: Instance) -> Instance:
        """Ask until the cloud says that it runs and where SSH is."""
        await self._begin(instance, Step.BOOT, instance.state_since)
        deadline = instance.state_since + self._shared.limits.boot_at(instance.cloud)
        rental = await self._ask(instance)
        if rental is not None and rental.state is RentalState.RUNNING and rental.address is not None:
            return await self._running(instance, rental)
        if rental is not None and rental.state in {RentalState.FAILED, RentalState.LOST}:
            log.info("instance %s will not boot: %s", instance.id, rental.detail)
            return await self._fail(instance, Step.BOOT, EndReason.BOOT_FAILED)
        if self._shared.clock.now() >= deadline:
            return await self._fail(instance, Step.BOOT, EndReason.BOOT_TOO_SLOW)
        await asyncio.sleep(POLL.total_seconds())
        return await self._reload(instance)

    async def _ask(self, instance: Instance) -> Rental | None:
        assert instance.ref is not None, "a booting instance has a ref"  # noqa: S101 - the table guarantees it
        try:
            rental = await self._cloud(instance).rental(instance.ref)
        except CloudError as error:
            log.info("asking about instance %s: %s", instance.id, error)
            await self._pause(error)
            return None
        if rental is None:
            self._shared.doubt(instance.cloud)
        return rental

    async def _running(self, instance: Instance, rental: Rental) -> Instance:
        if instance.offer is not None and rental.gpu and rental.gpu != instance.offer.gpu:
            log.warning("instance %s: ordered %s, got %s", instance.id, instance.offer.gpu, rental.gpu)
            return await self._fail(instance, Step.BOOT, EndReason.WRONG_MACHINE)
        if instance.offer is not None and is_dearer(instance.offer, rental.price):
            log.warning("instance %s: offered for %d, costs %d", instance.id, instance.price, rental.price)
            async with self._shared.store.writing() as books:
                instance = await charge(books, instance, rental.price)
            return await self._fail(instance, Step.BOOT, EndReason.WRONG_MACHINE)
        await self._end(instance, Step.BOOT, StageState.DONE)
        now = self._shared.clock.now()
        moved = instance.seen().moved_to(InstanceState.PREPARING, now)
        preparing = replace(moved, running_at=now, address=rental.address)
        return await self._change(instance, preparing, "it runs")

    async def _prepare(self, instance: Instance, workflow: Workflow) -> Instance:
        """From SSH to a smoke picture; a broken connection is mended a few times, what is done stays done."""
        for attempt in range(1, PREPARE_TRIES + 1):
            try:
                instance = await self._log_in(instance)
                return await self._make_ready(instance, workflow)
            except PreparationFailed as error:
                log.info("instance %s: step %s failed (%s): %s", instance.id, error.step, error.code, error)
                return await self._give_up(await self._reload(instance), _blame(error), step=error.step)
            except HostUnreachable as error:
                log.info("instance %s: %s", instance.id, error)
                instance = await self._reload(instance)
                if instance.state is not InstanceState.PREPARING:
                    return instance
                if attempt == PREPARE_TRIES or instance.host_key is None:
                    break
                await self._links.drop(instance.id)
                self._shared.doubt(instance.cloud)
                await asyncio.sleep(attempt)
        reason = await self._why_out_of_reach(instance)
        return await self._give_up(await self._reload(instance), reason)

    async def _why_out_of_reach(self, instance: Instance) -> EndReason:
        """Whether SSH never let us in, the machine is gone, or the cloud still has it; what is done is the same."""
        if instance.host_key is None or instance.ref is None:
            return EndReason.SSH_UNREACHABLE
        try:
            rental = await self._cloud(instance).rental(instance.ref)
        except CloudError as error:
            log.info("asking about instance %s: %s", instance.id, error)
            return EndReason.HOST_LOST
        return EndReason.VANISHED if rental is None else EndReason.HOST_LOST

    async def _log_in(self, instance: Instance) -> Instance:
        """Try to log in until the deadline; pin the host key at first contact."""
        began = instance.running_at or instance.state_since
        deadline = began + self._shared.limits.ssh
        if instance.host_key is None:
            await self._begin(instance, Step.SSH, began)
        host = await self._connect(instance, deadline)
        if instance.host_key is not None:
            return instance
        await self._end(instance, Step.SSH, StageState.DONE)
        instance = await self._reload(instance)
        pinned = await self._change(instance, replace(instance, host_key=host.host_key), "host key pinned")
        self._shared.wakeups.heartbeat.wake()
        return pinned

    async def _connect(self, instance: Instance, deadline: datetime) -> Host:
        while True:
            try:
                return await self._links.host(instance)
            except HostUnreachable:
                if instance.host_key is not None:
                    raise
                if self._shared.clock.now() >= deadline:
                    await self._end(instance, Step.SSH, StageState.FAILED)
                    raise
                await asyncio.sleep(POLL.total_seconds())

    async def _make_ready(self, instance: Instance, workflow: Workflow) -> Instance:
        async def report(stage: Stage) -> None:
            await self._report(instance, stage)

        offer = instance.offer
        prepared = await self._preparer.prepare(
            await self._links.host(instance),
            workflow,
            ordered_gpu=offer.gpu if offer else "",
            ordered_vram_mib=offer.vram_mib if offer else 0,
            volume=offer.volume if offer else "",
            report=report,
            waiting=partial(self._waiting, instance),
            resume=tuple(self._shared.board.stages(instance.id).values()),
        )
        now = self._shared.clock.now()
        instance = await self._reload(instance)
        ready = replace(
            instance.moved_to(InstanceState.READY, now),
            ready_at=now,
            proved_at=now if prepared.is_proved else None,
            comfyui_port=prepared.comfyui_port,
            bytes_down=instance.bytes_down + prepared.bytes_down,
        )
        log.info("instance %s is ready %.1f s after its plan", instance.id, ready.age(now).total_seconds())
        return await self._change(instance, ready, "ready")

    async def _waiting(self, instance: Instance) -> Job | None:
        """The job that *instance* is to paint first, while there is one."""
        if instance.session is None:
            return None
        async with self._shared.store.reading() as books:
            jobs = await books.jobs.unfinished(instance.session)
        return next((job for job in jobs if job.state is JobState.QUEUED and job.workflow == instance.workflow), None)

    # Stages: timed in the store when they begin and end, on the board in between.

    async def _begin(self, instance: Instance, step: Step, at: datetime) -> None:
        if step not in self._shared.board.stages(instance.id):
            await self._report(instance, Stage(step=step, state=StageState.RUNNING, started_at=at))

    async def _end(self, instance: Instance, step: Step, state: StageState) -> None:
        now = self._shared.clock.now()
        begun = self._shared.board.stages(instance.id).get(step)
        started = begun.started_at if begun and begun.started_at else now
        await self._report(instance, Stage(step=step, state=state, started_at=started, ended_at=now))

    async def _report(self, instance: Instance, stage: Stage) -> None:
        known = self._shared.board.stages(instance.id).get(stage.step)
        self._shared.board.put_stage(instance.id, stage)
        if known is None or known.state is not stage.state:
            async with self._shared.store.writing() as books:
                await books.instances.record_stage(instance.id, stage)
        self._shared.wakeups.newsroom.wake()

    # The books.

    def _cloud(self, instance: Instance) -> CloudProvider:
        assert instance.cloud is not None, "an ordered instance has a cloud"  # noqa: S101 - the table guarantees it
        return self._clouds[instance.cloud]

    async def _load(self, instance: InstanceId) -> Instance | None:
        async with self._shared.store.reading() as books:
            return await books.instances.get(instance)

    async def _reload(self, instance: Instance) -> Instance:
        return await self._load(instance.id) or instance

    async def _change(self, before: Instance, after: Instance, reason: str) -> Instance:
        async with self._shared.store.writing() as books:
            changed = await books.instances.change(before, after, reason=reason)
            if changed.session is not None and changed.state is not before.state:
                await books.sessions.touch(changed.session, self._shared.clock.now())
        return changed

    async def _fail(self, instance: Instance, step: Step, reason: EndReason) -> Instance:
        await self._end(instance, step, StageState.FAILED)
        return await self._give_up(await self._reload(instance), reason, step=step)

    async def _give_up(self, instance: Instance, reason: EndReason, *, step: str = "") -> Instance:
        if instance.state not in WARMING:
            return instance
        await self._links.drop(instance.id)
        async with self._shared.store.writing() as books:
            return await end_instance(books, instance, reason, self._shared.clock.now(), details={"step": step})

    async def _despair(self, name: str) -> None:
        """Whatever it is about this machine, another one may not have it."""
        instance = await self._load(InstanceId(name))
        if instance is not None:
            self._ring(await self._give_up(instance, EndReason.UNEXPECTED))

    async def _pause(self, error: CloudError) -> None:
        wait = error.retry_after if isinstance(error, RateLimited) else 2 * POLL
        await asyncio.sleep(wait.total_seconds())

    def _ring(self, instance: Instance) -> None:
        self._shared.wakeups.sessions.wake()
        self._shared.wakeups.dispatcher.wake()
        if instance.is_over:
            self._shared.wakeups.reconciler.wake()
        self._shared.wakeups.newsroom.wake()
        self._shared.wakeups.heartbeat.wake()


def _blame(error: PreparationFailed) -> EndReason:
    if error.code in BLAME:
        return BLAME[error.code]
    return EndReason.COMFYUI_FAILED if error.step in {Step.COMFYUI, Step.SMOKE} else EndReason.PREPARE_FAILED
