"""
Who gets a machine and who gives it back: applies renting and keep-alive to every session that is due.

A session is due when its ``due_at`` has come; whoever changes anything about it sets that to now.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.control import news
from orchestrator.control.bridges import Bridges, routing_in_force
from orchestrator.control.hedges import Hedge
from orchestrator.control.moves import tell_failed
from orchestrator.control.shared import Shared
from orchestrator.domain.ids import SessionId, WorkflowName
from orchestrator.domain.instance import BLAMELESS, EndReason, Instance, InstanceState
from orchestrator.domain.job import Failure, Job, JobState
from orchestrator.domain.policy import keepalive, retry
from orchestrator.domain.policy.early import SOON
from orchestrator.domain.policy.routing import OnBridge
from orchestrator.domain.session import ACTIVE, Session, SessionState
from orchestrator.domain.snapshot import SessionSnapshot
from orchestrator.ports.store import Books

log = logging.getLogger(__name__)

BATCH = 50


class Sessions:
    """The loop's step; see the module."""

    def __init__(self, shared: Shared, bridges: Bridges) -> None:
        self._shared = shared
        self._bridges = bridges

    async def step(self) -> timedelta | None:
        """Look at every session that is due; say when the next one is."""
        shared = self._shared
        async with shared.store.reading() as books:
            due = await books.sessions.due(shared.clock.now(), BATCH)
            next_due = None if due else await books.sessions.next_due_at()
        for session in due:
            await self._look_at(session.id)
        if due:
            shared.wakeups.notices.wake()
            return timedelta()
        return None if next_due is None else max(next_due - shared.clock.now(), timedelta())

    async def _look_at(self, session: SessionId) -> None:
        async with self._shared.store.writing() as books:
            snapshot = await books.sessions.snapshot(session)
            if snapshot is None:
                return
            snapshot = await self._with_waiting(books, self._shared.experience.seen(snapshot))
            has_moved = await _Look(self._shared, books, snapshot, self._shared.clock.now()).settle()
        if has_moved:
            self._ring()

    async def _with_waiting(self, books: Books, snapshot: SessionSnapshot) -> SessionSnapshot:
        """The same with the jobs that no API will make."""
        if not snapshot.queued or not self._shared.bridges:
            return replace(snapshot, waiting=snapshot.queued)
        routing = await routing_in_force(books, self._shared)
        routes = [(job, self._bridges.route_of(job, snapshot, routing)) for job in snapshot.queued]
        return replace(snapshot, waiting=tuple(job for job, way in routes if not isinstance(way, OnBridge)))

    def _ring(self) -> None:
        wakeups = self._shared.wakeups
        for wakeup in (wakeups.provisioner, wakeups.dispatcher, wakeups.reconciler, wakeups.ends, wakeups.newsroom):
            wakeup.wake()


class _Look:
    """One session, one moment, one transaction."""

    def __init__(self, shared: Shared, books: Books, snapshot: SessionSnapshot, now: datetime) -> None:
        self._shared = shared
        self._books = books
        self._snapshot = snapshot
        self._now = now
        self._due: list[datetime] = []
        self._has_moved = False

    async def settle(self) -> bool:
        """
        Bring the session's row to where its jobs and machines are, and order or give back a machine.

        Returns whether anything moved that others act on: a job, a machine, or the session itself.
        """
        await self._fail_hopeless_jobs()
        await self._end_overtaken()
        session = await self._follow_machines(self._snapshot.session)
        session = await self._note_idleness(session)
        if session.state in ACTIVE:
            session = await self._give_back(session)
        if session.state in ACTIVE:
            session = await self._rent(session)
        await self._finish_draining()
        session = await self._close(session)
        due_at = min(self._due, default=None)
        if due_at != session.due_at:
            await self._books.sessions.change(session, replace(session, due_at=due_at), reason="looked")
        return self._has_moved or session.state is not self._snapshot.session.state

    async def _fail_hopeless_jobs(self) -> None:
        for job in self._snapshot.queued:
            failure = self._hopeless(job) or await self._out_of_tries(job)
            if failure is not None:
                ended = replace(job.moved_to(JobState.FAILED, self._now), failure=failure)
                ended = await self._books.jobs.change(job, ended, reason=failure.key)
                await tell_failed(self._books, ended, self._now)
                self._forget(job)
                self._has_moved = True
            else:
                self._due.append(job.deadline)

    def _forget(self, job: Job) -> None:
        jobs, waiting = (tuple(j for j in of if j.id != job.id) for of in (self._snapshot.jobs, self._snapshot.waiting))
        self._snapshot = replace(self._snapshot, jobs=jobs, waiting=waiting)

    def _hopeless(self, job: Job) -> Failure | None:
        """Why no machine will make this job, or None while one may."""
        shared, session, last = self._shared, self._snapshot.session, self._snapshot.last_end
        if not shared.clouds and not shared.bridges:
            return Failure(key="no_cloud", values={})
        is_on_its_way = self._snapshot.ready or self._snapshot.warming
        reason = last.end_reason if last is not None and session.tries and not is_on_its_way else None
        if self._now >= job.deadline:
            if reason is None:
                return Failure(
                    key="deadline", values={"minutes": round(shared.limits.job_deadline.total_seconds() / 60)}
                )
            return Failure(key="gave_up", values={"reason": str(reason), "tries": session.tries})
        if reason is EndReason.OVER_BUDGET:
            return Failure(key="over_budget", values={})
        if reason is EndReason.ACCOUNT and session.tries >= retry.ACCOUNT_TRIES:
            return Failure(key="account", values={"cloud": ", ".join(shared.clouds)})
        return None

    async def _out_of_tries(self, job: Job) -> Failure | None:
        """Why no further machine is tried for this job, though there is time; a machine on its way may still do."""
        tries = self._shared.limits.tries
        if tries is None or self._snapshot.ready or self._snapshot.warming:
            return None
        given_up = await self._books.instances.given_up(self._snapshot.session.id, job.submitted_at)
        failed = [instance.end_reason for instance in given_up if instance.end_reason not in BLAMELESS]
        if len(failed) < tries:
            return None
        return Failure(key="gave_up", values={"reason": str(failed[-1]), "tries": len(failed)})

    async def _end_overtaken(self) -> None:
        """
        Of two machines that which has painted is kept, else that which paints, else the first; the other is ended.

        While somebody waits for the first picture of either, both are kept: that picture is the proof.
        """
        if len(self._snapshot.ready) + len(self._snapshot.warming) < 2 or not self._snapshot.ready:
            return
        waits = any(not job.bridge for job in self._snapshot.jobs)
        if waits and not any(each.proved_at for each in self._snapshot.ready):
            return
        painting = {job.instance for job in self._snapshot.running}
        kept = min(
            self._snapshot.ready,
            key=lambda each: (each.proved_at is None, each.id not in painting, each.ready_at or self._now, each.id),
        )
        for instance in (*self._snapshot.ready, *self._snapshot.warming):
            if instance.id != kept.id:
                await self._let_go(instance, EndReason.OVERTAKEN)

    async def _let_go(self, instance: Instance, reason: EndReason) -> None:
        """End it; one that may be painting finishes that first."""
        if instance.state is InstanceState.READY:
            moved = replace(instance.moved_to(InstanceState.DRAINING, self._now), end_reason=reason)
        else:
            moved = instance.ending(reason, self._now)
        await self._change(instance, moved)
        left = tuple(each for each in self._snapshot.instances if each.id != instance.id)
        self._snapshot = replace(
            self._snapshot, instances=(*left, moved) if moved.state is InstanceState.DRAINING else left
        )

    async def _follow_machines(self, session: Session) -> Session:
        """WARM with a ready machine, WARMING with one on its way, OPEN with neither; tries end with a first picture."""
        if session.state not in ACTIVE:
            return session
        if self._snapshot.ready:
            target = SessionState.WARM
        elif self._snapshot.warming:
            target = SessionState.WARMING
        else:
            target = SessionState.OPEN
        tries = 0 if any(each.proved_at for each in self._snapshot.ready) else session.tries
        if (target, tries) == (session.state, session.tries):
            return session
        after = replace(session, tries=tries)
        if session.state is SessionState.OPEN and target is SessionState.WARM:
            after = after.moved_to(SessionState.WARMING)
        if target is not session.state:
            after = after.moved_to(target)
        return await self._books.sessions.change(session, after, reason="follows its machine")

    async def _note_idleness(self, session: Session) -> Session:
        idle_since = None if self._snapshot.jobs else (session.idle_since or self._now)
        if idle_since == session.idle_since:
            return session
        return await self._books.sessions.change(session, replace(session, idle_since=idle_since), reason="idleness")

    async def _give_back(self, session: Session) -> Session:
        """Give the machine back when it is idle, released, or no longer waited for."""
        instance = next(iter(self._snapshot.ready or self._snapshot.warming), None)
        if instance is None or self._snapshot.jobs:
            return session
        reason, at = self._leave_at(session, instance)
        if self._now < at:
            self._due.append(at)
            await self._warn(session, instance, reason, at)
            return session
        for each in (*self._snapshot.ready, *self._snapshot.warming):
            await self._let_go(each, reason)
        return await self._books.sessions.change(session, session.moved_to(SessionState.COOLING), reason=str(reason))

    async def _warn(self, session: Session, instance: Instance, reason: EndReason, at: datetime) -> None:
        """A little before an idle machine goes, its person may still want it."""
        if instance.state is not InstanceState.READY or reason is not EndReason.IDLE:
            return
        warn_at = at - min(news.BEFORE_THE_END, self._shared.policy.idle_timeout / 4)
        if self._now < warn_at:
            self._due.append(warn_at)
        else:
            await news.giving_back(self._books, session, instance, at, self._now)

    def _leave_at(self, session: Session, instance: Instance) -> tuple[EndReason, datetime]:
        if session.released_at is not None:
            return EndReason.RELEASED, session.released_at
        expected_at = self._snapshot.evidence.expected_at
        if expected_at is not None:
            return EndReason.NOT_ASKED, max(expected_at + SOON, session.keep_until or expected_at)
        if instance.state is InstanceState.READY:
            snapshot = replace(self._snapshot, session=session)
            return EndReason.IDLE, keepalive.warm_until(snapshot, self._shared.policy)
        at = (session.idle_since or self._now) + self._shared.limits.cancel_grace
        if session.bridged_job is not None:  # who has a picture from an API waits for the machine all the same
            at = max(at, keepalive.warm_until(replace(self._snapshot, session=session), self._shared.policy))
        return EndReason.NOT_NEEDED, at

    async def _rent(self, session: Session) -> Session:
        """Plan a machine where the policy wants one and nothing speaks against it."""
        shared, snapshot = self._shared, replace(self._snapshot, session=session)
        if not shared.clouds or not shared.gate.is_open or not shared.policy.wants_machine(snapshot, self._now):
            return session
        if snapshot.ready:
            return session
        if snapshot.warming:
            if snapshot.queued:
                await self._hedge()
            return session
        at = self._next_try_at(session)
        if self._now < at:
            self._due.append(at)
            return session
        workflow = self._workflow()
        if workflow is None:
            return session
        await self._plan(workflow, f"{shared.policy.name} wants a machine")
        warming = replace(session.moved_to(SessionState.WARMING), tries=session.tries + 1)
        return await self._books.sessions.change(session, warming, reason="a machine is planned")

    def _workflow(self) -> WorkflowName | None:
        """What a machine is prepared for: what is waited for, or what the one before it was."""
        jobs, last = (*self._snapshot.queued, *self._snapshot.running), self._snapshot.last_end
        return jobs[0].workflow if jobs else (last.workflow if last is not None else None)

    async def _plan(self, workflow: WorkflowName, reason: str) -> None:
        instance = Instance(
            id=self._shared.ids.instance(),
            session=self._snapshot.session.id,
            user=self._snapshot.session.user,
            workflow=workflow,
            state=InstanceState.PLANNED,
            created_at=self._now,
            state_since=self._now,
        )
        await self._books.instances.add(instance, reason=reason)
        self._has_moved = True

    async def _hedge(self) -> None:
        """Plan a second machine beside one that takes long, once for each that does."""
        due = await Hedge(self._shared, self._books).due(self._snapshot, self._now)
        if due is None:
            return
        if self._now < due:
            self._due.append(due)
            return
        await Hedge(self._shared, self._books).note(self._snapshot.warming[0], self._now)
        await self._plan(self._snapshot.warming[0].workflow, "the first takes long")

    def _next_try_at(self, session: Session) -> datetime:
        last = self._snapshot.last_end
        if last is None or not session.tries:
            return self._now
        # no dice here: looking again must give the same time
        return retry.next_machine_at(last.end_reason, session.tries, last.ended_at or last.state_since, 1.0)

    async def _finish_draining(self) -> None:
        """A drained machine with nothing running is ended."""
        running = {job.instance for job in self._snapshot.running}
        for before in self._snapshot.instances:
            instance = await self._books.instances.get(before.id)
            if instance is not None and instance.state is InstanceState.DRAINING and instance.id not in running:
                await self._change(instance, instance.ending(instance.end_reason or EndReason.IDLE, self._now))

    async def _close(self, session: Session) -> Session:
        if session.state is SessionState.COOLING:
            live = [i for i in self._snapshot.instances if (await self._reload(i)).state is InstanceState.DRAINING]
            if not live and not self._snapshot.jobs:
                return await self._books.sessions.change(
                    session, session.moved_to(SessionState.CLOSED), reason="cooled"
                )
        if session.state is SessionState.OPEN and not self._snapshot.jobs:
            until = keepalive.warm_until(replace(self._snapshot, session=session), self._shared.policy)
            if self._now >= until or session.released_at is not None:
                return await self._books.sessions.change(session, session.moved_to(SessionState.CLOSED), reason="quiet")
            self._due.append(until)
        return session

    async def _reload(self, instance: Instance) -> Instance:
        return await self._books.instances.get(instance.id) or instance

    async def _change(self, before: Instance, after: Instance) -> None:
        self._has_moved = True
        await self._books.instances.change(before, after, reason=str(after.end_reason or ""))
