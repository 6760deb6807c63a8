"""Takes a request in: checked against the manifest, the quota and the budget, and queued in one transaction."""

import logging
from dataclasses import replace
from datetime import datetime

from orchestrator.api import JobRequest, JobTicket
from orchestrator.control.bridges import routing_in_force
from orchestrator.control.budgets import caps_in_force
from orchestrator.control.decisions import details_of
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import DiskFull, RequestError
from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.job import Job, JobState, Value
from orchestrator.domain.loras import AddedLora
from orchestrator.domain.money import MicroUsd, dollars
from orchestrator.domain.policy.quota import check_quota
from orchestrator.domain.policy.spend import broken_cap, limit_of
from orchestrator.domain.session import Session, SessionState
from orchestrator.domain.workflows import ParameterKind, Workflow, check_values, closest
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.store import Books, Details

log = logging.getLogger(__name__)

SEED_BITS = 48
"""Seeds stay exact in JSON and easy to retype."""

FAR_OVER = 1.2
"""Of a cap: beyond it not even an API is asked."""

DRAINING = "draining"
"""The fact that says that no new job is accepted."""


class Intake:
    """What ``submit`` does."""

    def __init__(self, shared: Shared, blobs: Blobs) -> None:
        self._shared = shared
        self._blobs = blobs

    async def submit(self, request: JobRequest) -> JobTicket:
        """
        Queue a job, or find the one that the same key queued before.

        Raises:
            RequestError: It cannot be done as asked; no job exists.
        """
        workflow = self._workflow(request.workflow)
        lora = await self._lora(request, workflow)
        asked = request.values if lora is None else {"strength": lora.strength, **request.values}
        added = () if lora is None else (lora.name,)
        values = check_values(workflow, asked, seed=self._shared.dice.getrandbits(SEED_BITS), added=added)
        await self._check_source(request, workflow)
        try:
            await self._blobs.check_room()
            return await self._queue(request, workflow, values, lora)
        except DiskFull as error:
            known = await self._known(request)
            if known is not None:
                return known
            log.warning("nothing new is taken on: %s", error)
            raise RequestError("disk_full") from error

    async def _lora(self, request: JobRequest, workflow: Workflow) -> AddedLora | None:
        """The LoRA of the person, or of everybody, that is asked for; None where it is the workflow's, or none."""
        parameter = next((p for p in workflow.parameters if p.kind is ParameterKind.LORA), None)
        name = str(request.values.get(parameter.name, "")) if parameter else ""
        if not name or name in workflow.loras:
            return None
        async with self._shared.store.reading() as books:
            return await books.loras.find(await books.people.person_of(request.user), name)

    async def _known(self, request: JobRequest) -> JobTicket | None:
        async with self._shared.store.reading() as books:
            job = await books.jobs.by_key(request.idempotency_key)
        return None if job is None else JobTicket(job=job.id, is_new=False)

    async def _queue(
        self, request: JobRequest, workflow: Workflow, values: dict[str, Value], lora: AddedLora | None
    ) -> JobTicket:
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            known = await books.jobs.by_key(request.idempotency_key)
            if known is not None:
                return JobTicket(job=known.id, is_new=False)
            request = replace(request, user=await books.people.person_of(request.user))  # joined since it was asked
            await self._check_allowed(books, request, now)
            session = await self._session(books, request, now)
            job = self._job(request, workflow, values, session, now)
            job = replace(job, own_lora=lora.for_job() if lora else None)
            await self._shared.experience.learn(books, seconds_per_image=self._shared.board.seconds_per_image)
            await books.jobs.add(job, reason="asked for", details=await self._decide(books, job))
        wakeups = self._shared.wakeups
        wakeups.dispatcher.wake()
        wakeups.sessions.wake()
        wakeups.newsroom.wake()
        if not any(self._shared.board.cloud(cloud).listed_at for cloud in self._shared.clouds):
            wakeups.reconciler.wake()
        return JobTicket(job=job.id, is_new=True)

    async def _decide(self, books: Books, job: Job) -> Details:
        """Take the request into account, and say by what numbers it is decided."""
        experience, routing = self._shared.experience, await routing_in_force(books, self._shared)
        advice = experience.ask(job)
        recent = experience.adviser.recent(job.user)
        return details_of(advice, experience.apis(job), self._shared.policy, recent, routing)

    def _workflow(self, name: WorkflowName | None) -> Workflow:
        workflows = self._shared.catalog.all()
        if name is None:
            return workflows[0]
        found = self._shared.catalog.find(name)
        if found is None:
            known = [workflow.name for workflow in workflows]
            raise RequestError("unknown_workflow", name=name, closest=closest(name, [*known]), known=", ".join(known))
        return found

    async def _check_source(self, request: JobRequest, workflow: Workflow) -> None:
        if not workflow.takes_image:
            if request.source is not None:
                raise RequestError("takes_no_picture", workflow=workflow.name)
            return
        if request.source is None or await self._blobs.get(request.source) is None:
            raise RequestError("bad_source", workflow=workflow.name)

    async def _check_allowed(self, books: Books, request: JobRequest, now: datetime) -> None:
        if await books.fact(DRAINING) == "on":
            raise RequestError("draining")
        if self._shared.gate.has_rival and not self._shared.bridges:
            raise RequestError("has_rival")
        check_quota(self._shared.quota, unfinished=await books.jobs.count_unfinished(request.user))
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        spent = await books.ledger.spent(request.user, day=day, month=day.replace(day=1))
        caps = await caps_in_force(books, self._shared)
        cap = broken_cap(caps, spent, MicroUsd(1))
        active = await books.sessions.active_of(request.user)
        if cap is not None and self._shared.bridges:  # nothing is rented any more, an API may still do
            cap = broken_cap(caps, spent, MicroUsd(1), share=FAR_OVER)
        if cap is not None and (active is None or active.state is not SessionState.WARM):
            raise RequestError("over_budget", cap=str(cap), limit_usd=dollars(limit_of(caps, cap)))

    async def _session(self, books: Books, request: JobRequest, now: datetime) -> Session:
        session = await books.sessions.active_of(request.user)
        if session is None:
            session = Session(
                id=self._shared.ids.session(),
                user=request.user,
                state=SessionState.OPEN,
                opened_at=now,
                last_request_at=now,
                due_at=now,
            )
            await books.sessions.add(session, reason="a request")
            return session
        busy = replace(session, last_request_at=now, released_at=None, idle_since=None, due_at=now)
        return await books.sessions.change(session, busy, reason="another request")

    def _job(
        self, request: JobRequest, workflow: Workflow, values: dict[str, Value], session: Session, now: datetime
    ) -> Job:
        return Job(
            id=self._shared.ids.job(),
            user=request.user,
            session=session.id,
            surface=request.surface,
            origin=request.origin,
            idempotency_key=request.idempotency_key,
            workflow=workflow.name,
            values=values,
            state=JobState.QUEUED,
            submitted_at=now,
            deadline=now + self._shared.limits.job_deadline,
            source=request.source,
            prefers=request.prefers,
            may_remake=request.may_remake,
        )
