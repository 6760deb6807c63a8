"""A control plane without its outside: a real store on a clock moved by hand, the real workflows, real policies."""

import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.database.inline_db import BeforeStatement, at_once
from orchestrator.adapters.database.store import open_store_inline
from orchestrator.adapters.system import RandomIds
from orchestrator.adapters.workflow_files import WorkflowFiles
from orchestrator.api import JobRequest, JobView
from orchestrator.app import WORKFLOWS
from orchestrator.control.bridges import Bridges
from orchestrator.control.experience import Experience
from orchestrator.control.intake import Intake
from orchestrator.control.loras import Loras
from orchestrator.control.moves import end_instance
from orchestrator.control.newsroom import Newsroom
from orchestrator.control.service import Service
from orchestrator.control.sessions import Sessions
from orchestrator.control.shared import Limits, Shared
from orchestrator.control.views import Views
from orchestrator.domain.ids import CloudName, ImageKey, InstallationId, JobId, UserId
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.job import Job, JobState, Preference, Served, Value
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.quota import Quota
from orchestrator.domain.policy.renting import FirstUser, RentingPolicy
from orchestrator.domain.policy.spend import Caps
from orchestrator.domain.session import Session
from orchestrator.ports.inference import InferenceApi
from orchestrator.sim.lora_files import SimLoraFiles
from tests.contract.samples import ADA, VAST, HandClock, an_offer

IDLE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    clock: HandClock
    shared: Shared
    sessions: Sessions
    service: Service

    async def ask(
        self,
        *,
        user: UserId = ADA,
        key: str = "k1",
        prompt: str = "a cat",
        prefers: Preference = Preference.DEFAULT,
        **values: Value,
    ) -> JobId:
        """Submit a job and let the sessions loop look at it."""
        request = JobRequest(
            user=user,
            surface="web",
            origin="",
            idempotency_key=key,
            workflow=None,
            values={"prompt": prompt, **values},
            prefers=prefers,
        )
        ticket = await self.service.submit(request)
        await self.look()
        return ticket.job

    async def look(self, later: timedelta = timedelta()) -> None:
        """Let time pass, then let the sessions loop see everything that is due."""
        self.clock.time += later
        for _ in range(10):
            if await self.sessions.step() != timedelta():
                return
        raise AssertionError("the sessions loop does not come to rest")

    async def job(self, job: JobId) -> Job:
        async with self.shared.store.reading() as books:
            found = await books.jobs.get(job)
        assert found is not None
        return found

    async def session(self, user: UserId = ADA) -> Session | None:
        async with self.shared.store.reading() as books:
            return await books.sessions.active_of(user)

    async def instances(self, *states: InstanceState) -> tuple[Instance, ...]:
        async with self.shared.store.reading() as books:
            return await books.instances.in_states(*(states or tuple(InstanceState)))

    async def move(self, instance: Instance, *states: InstanceState, proved: bool = True) -> Instance:
        """Walk a machine along its table, as the provisioner would; a ready one has painted if *proved*."""
        for state in states:
            after = instance.moved_to(state, self.clock.now())
            if state is InstanceState.LAUNCHING:
                after = replace(after, cloud=VAST, offer=an_offer(), ordered_at=self.clock.now())
            if state is InstanceState.READY:
                after = replace(after, ready_at=self.clock.now(), proved_at=self.clock.now() if proved else None)
            async with self.shared.store.writing() as books:
                instance = await books.instances.change(instance, after, reason="test")
                if instance.session is not None:
                    await books.sessions.touch(instance.session, self.clock.now())
        await self.look()
        return instance

    async def make_ready(self, *, proved: bool = True) -> Instance:
        [planned] = await self.instances(InstanceState.PLANNED)
        warming = (InstanceState.LAUNCHING, InstanceState.BOOTING, InstanceState.PREPARING, InstanceState.READY)
        return await self.move(planned, *warming, proved=proved)

    async def order(self) -> Instance:
        """Order the planned machine; it boots now."""
        [planned] = await self.instances(InstanceState.PLANNED)
        return await self.move(planned, InstanceState.LAUNCHING, InstanceState.BOOTING)

    async def hedge(self) -> tuple[Instance, Instance]:
        """Let a machine be late until a second one is planned and on its way, too: the first and the second."""
        first = await self.order()
        await self.look(timedelta(minutes=15))
        return first, await self.order()

    async def lose(self, instance: Instance, reason: EndReason = EndReason.HOST_LOST, *, proved: bool = True) -> None:
        """Give a machine up, and have the cloud agree at once if *proved*; the sessions loop has not looked yet."""
        async with self.shared.store.writing() as books:
            lost = await end_instance(books, instance, reason, self.clock.now())
            if proved:
                gone = replace(lost.moved_to(InstanceState.TERMINATED, self.clock.now()), ended_at=self.clock.now())
                await books.instances.change(lost, gone, reason="gone")

    async def paint(self, job: JobId, on: Instance, span: timedelta) -> None:
        """Paint it on a machine, for nothing, as the dispatcher and the runner would."""
        for state, changes in (
            (JobState.RUNNING, {"instance": on.id, "started_at": self.clock.now()}),
            (JobState.SUCCEEDED, {"served": Served(by="", seconds=0, cost=MicroUsd(0))}),
        ):
            before = await self.job(job)
            after = replace(before.moved_to(state, self.clock.now()), **changes)
            async with self.shared.store.writing() as books:
                await books.jobs.change(before, after, reason="test")
                await books.sessions.touch(before.session, self.clock.now())
            self.clock.time += span if state is JobState.RUNNING else timedelta()
        await self.look()

    async def begin_painting(self) -> None:
        """Whatever is queued is painted on the machine that is ready."""
        [machine] = await self.instances(InstanceState.READY)
        async with self.shared.store.writing() as books:
            for job in await books.jobs.page(user=None, before=None, limit=50):
                running = replace(job.moved_to(JobState.RUNNING, self.clock.now()), instance=machine.id)
                await books.jobs.change(job, running, reason="test")

    async def picture(self, user: UserId = ADA) -> None:
        """The newest job of *user* has a picture, whatever painted it."""
        async with self.shared.store.writing() as books:
            (job,) = await books.jobs.page(user=user, before=None, limit=1)
            await books.jobs.change(job, replace(job, images=(ImageKey("picture"),)), reason="test")

    def reserve(self, machine: Instance, amount: MicroUsd) -> Instance:
        return replace(machine, reserved=amount)

    async def view(self, job: JobId) -> JobView:
        view = await self.service.job(job)
        assert view is not None
        return view

    async def finish(self, job: JobId) -> None:
        """Paint it, as the dispatcher and the runner would."""
        for state in (JobState.RUNNING, JobState.SUCCEEDED):
            before = await self.job(job)
            async with self.shared.store.writing() as books:
                await books.jobs.change(before, before.moved_to(state, self.clock.now()), reason="test")
                await books.sessions.touch(before.session, self.clock.now())
        await self.look()


@asynccontextmanager
async def a_stage(
    folder: Path,
    *,
    caps: Caps | None = None,
    clouds: tuple[CloudName, ...] = (VAST,),
    limits: Limits | None = None,
    bridge: InferenceApi | None = None,
    policy: RentingPolicy | None = None,
    starts_early: bool = False,
    before_statement: BeforeStatement = at_once,
) -> AsyncIterator[Stage]:
    clock, catalog = HandClock(), WorkflowFiles(WORKFLOWS)
    bridges = {} if bridge is None else {bridge.name: bridge}
    async with open_store_inline(folder / "books.sqlite3", clock, before_statement=before_statement) as store:
        shared = Shared(
            store=store,
            clock=clock,
            ids=RandomIds(clock),
            dice=random.Random(7),
            catalog=catalog,
            policy=policy or FirstUser(idle_timeout=IDLE),
            limits=limits or Limits(),
            caps=caps or Caps(person_day=None, day=None, month=None),
            quota=Quota(queued_jobs=3),
            installation=InstallationId("abcd1234"),
            epoch=1,
            clouds=clouds,
            bridges=bridges,
            starts_early=starts_early,
            experience=Experience(bridges=bridges, catalog=catalog, most_kept=IDLE),
        )
        loras = Loras(store, shared.catalog, SimLoraFiles(bps=math.inf))
        views, blobs = Views(shared), LocalBlobs(folder / "pictures")
        service = Service(
            shared,
            intake=Intake(shared, blobs),
            loras=loras,
            blobs=blobs,
            views=views,
            newsroom=Newsroom(shared, views),
            bridges=Bridges(shared),
        )
        yield Stage(clock=clock, shared=shared, sessions=Sessions(shared, Bridges(shared)), service=service)
