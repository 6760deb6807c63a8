"""The orchestrator as the bot sees it: ``orchestrator.api.Orchestrator`` over the store, the loops and the views."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property

from orchestrator.api import (
    CancelOutcome,
    CapView,
    CloudView,
    CostReport,
    CostRow,
    DayCostView,
    Decision,
    InstanceView,
    JobRequest,
    JobTicket,
    JobView,
    KeepOutcome,
    Orchestrator,
    Overview,
    PolicyView,
    ReleaseOutcome,
    SessionView,
    WorkflowCard,
)
from orchestrator.control.bridges import ROUTING, Bridges, routing_in_force
from orchestrator.control.budgets import caps_in_force, change_cap
from orchestrator.control.decisions import decision_of
from orchestrator.control.expecting import Expecting
from orchestrator.control.health import runway
from orchestrator.control.intake import DRAINING, Intake
from orchestrator.control.lookups import Lookups
from orchestrator.control.loras import Loras
from orchestrator.control.moves import end_instance
from orchestrator.control.newsroom import Newsroom
from orchestrator.control.people import People
from orchestrator.control.shadows import shadow_ledger
from orchestrator.control.shared import Shared
from orchestrator.control.views import Views, current_machine
from orchestrator.domain.errors import RequestError, StoreError
from orchestrator.domain.ids import ImageKey, InstanceId, JobId, UserId
from orchestrator.domain.instance import ORDERED, EndReason, Instance, InstanceState
from orchestrator.domain.job import Job, JobState, Served
from orchestrator.domain.money import MicroUsd, price_of
from orchestrator.domain.notices import Notice
from orchestrator.domain.policy import keepalive
from orchestrator.domain.policy.routing import Routing
from orchestrator.domain.policy.spend import Cap
from orchestrator.domain.snapshot import SessionSnapshot
from orchestrator.domain.workflows import Workflow, closest
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.store import Booking, Books, DayCost

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(milliseconds=200)


class Service(Orchestrator):
    """What ``open_orchestrator`` gives."""

    def __init__(
        self,
        shared: Shared,
        *,
        intake: Intake,
        loras: Loras,
        blobs: Blobs,
        views: Views,
        newsroom: Newsroom,
        bridges: Bridges,
    ) -> None:
        self._shared = shared
        self._intake = intake
        self._blobs = blobs
        self._views = views
        self._newsroom = newsroom
        self._loras = loras
        self._bridges = bridges
        self._expecting = Expecting(shared)
        self._people = People(shared.store, blobs, shared.clock)

    @property
    def people(self) -> People:
        return self._people

    @property
    def loras(self) -> Loras:
        return self._loras

    # Jobs.

    async def submit(self, request: JobRequest) -> JobTicket:
        return await self._intake.submit(request)

    async def cancel(self, job: JobId, *, by: UserId, is_admin: bool = False) -> CancelOutcome:
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            current = await books.jobs.get(job)
            if current is None:
                return CancelOutcome.UNKNOWN
            if current.user != by and not is_admin:
                return CancelOutcome.NOT_YOURS
            if current.is_over:
                return CancelOutcome.ALREADY_OVER
            spent = await self._spent_on(books, current)
            bridged = await self._spend_at_bridge(books, current, now)
            spent = replace(spent, cost=MicroUsd(spent.cost + bridged))
            cancelled = replace(current.moved_to(JobState.CANCELLED, now), served=spent)
            await books.jobs.change(current, cancelled, reason="asked for")
            await books.sessions.touch(current.session, now)
        self._ring()
        return CancelOutcome.CANCELLED

    async def _spend_at_bridge(self, books: Books, job: Job, now: datetime) -> MicroUsd:
        """What was ordered at an API may be charged, cancelled or not: it counts as spent."""
        api = self._shared.bridges.get(job.bridge) if job.state is JobState.RUNNING else None
        cost = api.capabilities.estimate(job) if api else MicroUsd(0)
        if cost:
            booking = Booking(at=now, user=job.user, cloud=job.bridge, instance=None, job=job.id, amount=cost)
            await books.ledger.book(booking)
        return cost

    async def _spent_on(self, books: Books, job: Job) -> Served:
        """What a job has cost until now: machines that were lost, the cold start, the time it was painted."""
        now, look = self._shared.clock.now(), Lookups(books)
        snapshot = await books.sessions.snapshot(job.session)
        machine = current_machine(snapshot) if snapshot else None
        if machine is not None and machine.state is not InstanceState.READY:
            cost = MicroUsd(machine.cost(now) + await self._views.lost(look, job))
        elif machine is not None and job.started_at is not None:
            cost = MicroUsd(price_of(machine.price, now - job.started_at) + await self._views.waited(look, job))
        else:
            cost = await self._views.waited(look, job)
        return Served(by="", seconds=(now - job.submitted_at).total_seconds(), cost=cost)

    async def job(self, job: JobId) -> JobView | None:
        async with self._shared.store.reading() as books:
            found = await books.jobs.get(job)
            return None if found is None or found.forgotten_at else await self._view(Lookups(books), found)

    async def jobs(
        self, *, user: UserId | None = None, before: JobId | None = None, limit: int = 50
    ) -> tuple[JobView, ...]:
        async with self._shared.store.reading() as books:
            page = await books.jobs.page(user=user, before=before, limit=limit)
            look = Lookups(books)
            return tuple([await self._view(look, job) for job in page])

    async def _view(self, look: Lookups, job: Job) -> JobView:
        if job.is_over and not job.bridge:
            return await self._views.job(look, job, None)
        return await self._views.job(look, job, await self._views.scene(look, job.session))

    async def why(self, job: JobId) -> Decision | None:
        async with self._shared.store.reading() as books:
            found = await books.jobs.get(job)
            if found is None or found.forgotten_at:
                return None
            details = await books.jobs.decision(job)
            snapshot = await self._snapshot_of(books, found.user)
        until = keepalive.warm_until(snapshot, self._shared.policy) if snapshot and snapshot.ready else None
        return decision_of(found, details, warm_until=until)

    async def rebind(self, job: JobId, origin: str) -> None:
        async with self._shared.store.writing() as books:
            current = await books.jobs.get(job)
            if current is not None and not current.forgotten_at:
                await books.jobs.change(current, replace(current, origin=origin), reason="rebound")

    def updates(self) -> AsyncIterator[JobView]:
        return self._newsroom.updates()

    async def acknowledge(self, job: JobId) -> None:
        async with self._shared.store.writing() as books:
            current = await books.jobs.get(job)
            if current is not None and current.is_over and current.acknowledged_at is None:
                told = replace(current, acknowledged_at=self._shared.clock.now())
                await books.jobs.change(current, told, reason="acknowledged")

    def notices(self) -> AsyncIterator[Notice]:
        return self._newsroom.notices()

    async def acknowledge_notice(self, notice: int) -> None:
        async with self._shared.store.writing() as books:
            await books.notices.acknowledge(notice, self._shared.clock.now())

    async def image(self, key: ImageKey) -> bytes | None:
        return await self._blobs.get(key)

    # The person's own machine.

    async def session(self, user: UserId) -> SessionView | None:
        async with self._shared.store.reading() as books:
            snapshot = await self._snapshot_of(books, user)
            return None if snapshot is None else await self._session_view(books, snapshot)

    async def _snapshot_of(self, books: Books, user: UserId) -> SessionSnapshot | None:
        active = await books.sessions.active_of(user)
        if active is None:
            own = [session for session in await books.sessions.not_closed() if session.user == user]
            active = own[-1] if own else None
        snapshot = None if active is None else await books.sessions.snapshot(active.id)
        return None if snapshot is None else self._shared.experience.seen(snapshot)

    async def _session_view(self, books: Books, snapshot: SessionSnapshot) -> SessionView:
        now = self._shared.clock.now()
        images = await books.jobs.count_images(snapshot.session, of_last=200)
        bridged = await books.ledger.bridged(snapshot.session, of_last=200)
        cost = MicroUsd(sum(instance.cost(now) for instance in snapshot.instances) + bridged)
        return self._views.session(snapshot, images=images, cost=cost)

    async def expect(self, user: UserId) -> None:
        await self._expecting.expect(user)

    async def keep(self, user: UserId, span: timedelta) -> KeepOutcome:
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            snapshot = await self._snapshot_of(books, user)
            machine = current_machine(snapshot) if snapshot else None
            if snapshot is None or machine is None:
                return KeepOutcome(warm_until=None, cost=MicroUsd(0))
            before = keepalive.warm_until(snapshot, self._shared.policy)
            session = replace(snapshot.session, keep_until=now + span, released_at=None, due_at=now)
            session = await books.sessions.change(snapshot.session, session, reason="keep", details={"s": span.seconds})
        until = keepalive.warm_until(replace(snapshot, session=session), self._shared.policy)
        self._ring()
        return KeepOutcome(warm_until=until, cost=price_of(machine.price, until - before))

    async def release(self, user: UserId) -> ReleaseOutcome:
        now = self._shared.clock.now()
        async with self._shared.store.writing() as books:
            snapshot = await self._snapshot_of(books, user)
            machine = current_machine(snapshot) if snapshot else None
            if snapshot is None or machine is None:
                return ReleaseOutcome(released=False, saved=MicroUsd(0))
            until = keepalive.warm_until(snapshot, self._shared.policy)
            session = replace(snapshot.session, released_at=now, keep_until=None, due_at=now)
            await books.sessions.change(snapshot.session, session, reason="release", details={})
        self._ring()
        return ReleaseOutcome(released=True, saved=price_of(machine.price, until - now))

    # Workflows.

    def workflows(self) -> tuple[WorkflowCard, ...]:
        return self._workflow_cards

    @cached_property
    def _workflow_cards(self) -> tuple[WorkflowCard, ...]:
        return tuple(_card(workflow) for workflow in self._shared.catalog.all())

    def seconds_per_image(self) -> float:
        return self._shared.board.seconds_per_image

    # The operator.

    async def overview(self) -> Overview:
        shared, now = self._shared, self._shared.clock.now()
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        async with self._shared.store.reading() as books:
            snapshots = [await books.sessions.snapshot(session.id) for session in await books.sessions.not_closed()]
            seen = [shared.experience.seen(snapshot) for snapshot in snapshots if snapshot is not None]
            sessions = tuple([await self._session_view(books, snapshot) for snapshot in seen])
            live = await books.instances.in_states(*sorted(ORDERED | {InstanceState.PLANNED}))
            clouds = self._clouds(live, now)
            return Overview(
                now=now,
                sessions=sessions,
                instances=tuple(self._views.instance(instance) for instance in live),
                queue=await books.jobs.count_unfinished(None),
                clouds=clouds,
                unknown_machines=_sum_known([cloud.unknown_machines for cloud in clouds]),
                checked_at=min((cloud.checked_at for cloud in clouds if cloud.checked_at), default=None),
                today=await books.ledger.total(day, now),
                month=await books.ledger.total(day.replace(day=1), now),
                draining=await books.fact(DRAINING) == "on",
                bridges=self._bridges.views(),
            )

    def _clouds(self, live: tuple[Instance, ...], now: datetime) -> tuple[CloudView, ...]:
        views = []
        for name in self._shared.clouds:
            health = self._shared.board.cloud(name)
            views.append(
                CloudView(
                    name=name,
                    problem=health.problem,
                    unknown_machines=health.unknown_machines,
                    checked_at=health.listed_at,
                    last_error=health.last_error,
                    failed_at=health.failed_at,
                    has_good_key=health.has_good_key,
                    limited_until=health.limited_until,
                    balance=health.balance,
                    runway=runway(health, name, live, now),
                )
            )
        return tuple(views)

    async def costs(self, days: int) -> CostReport:
        async with self._shared.store.reading() as books:
            return await cost_report(books, self._shared.clock.now(), days)

    async def policy(self) -> PolicyView:
        shared = self._shared
        async with shared.store.reading() as books:
            caps = await caps_in_force(books, shared)
            routing = await routing_in_force(books, shared)
            shadow = await shadow_ledger(books, shared.experience, shared.clock.now())
        return PolicyView(
            name=shared.policy.name,
            idle_timeout=shared.policy.idle_timeout,
            clouds=shared.clouds,
            bridges=tuple(api.title for api in shared.bridges.values()),
            routing=routing,
            max_price=shared.limits.max_price,
            max_machines=shared.limits.max_machines,
            hedges_per_hour=shared.limits.hedging.per_hour,
            person_day=caps.person_day,
            day=caps.day,
            month=caps.month,
            shadow=shadow,
        )

    async def set_routing(self, name: str) -> None:
        if name not in set(Routing):
            known = ", ".join(Routing)
            raise RequestError("unknown_routing", name=name, closest=closest(name, [*Routing]), known=known)
        async with self._shared.store.writing() as books:
            await books.set_fact(ROUTING, name)
        self._shared.wakeups.dispatcher.wake()
        self._ring()

    async def caps(self) -> tuple[CapView, ...]:
        now = self._shared.clock.now()
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        async with self._shared.store.reading() as books:
            caps = await caps_in_force(books, self._shared)
            spent = await books.ledger.spent(UserId(""), day=day, month=day.replace(day=1))
        return (
            CapView(name=Cap.PERSON_DAY, limit=caps.person_day, spent=None),
            CapView(name=Cap.DAY, limit=caps.day, spent=spent.day),
            CapView(name=Cap.MONTH, limit=caps.month, spent=spent.month),
        )

    async def set_cap(self, name: str, limit: MicroUsd | None) -> None:
        if name not in set(Cap):
            raise RequestError("unknown_cap", name=name, closest=closest(name, [*Cap]), known=", ".join(Cap))
        async with self._shared.store.writing() as books:
            await change_cap(books, Cap(name), limit)
        self._ring()

    async def end_instance(self, instance: InstanceId) -> bool:
        async with self._shared.store.writing() as books:
            current = await books.instances.get(instance)
            if current is None or current.is_over:
                return False
            await end_instance(books, current, EndReason.ADMIN, self._shared.clock.now())
        self._ring()
        return True

    async def drain(self, *, on: bool) -> None:
        async with self._shared.store.writing() as books:
            await books.set_fact(DRAINING, "on" if on else "off")

    # Being stopped by hand.

    async def end_all(self, limit: timedelta) -> tuple[InstanceView, ...]:
        """
        Order nothing more, end every machine and wait until each is proved gone.

        Unfinished jobs stay queued for the next start. Returns the machines that are left after *limit*: also all those
        that could not be given up because the disk was full.
        """
        self._shared.gate.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit.total_seconds()):
                while await self._live():
                    await self._try_to_end_live()
                    self._ring()
                    await asyncio.sleep(LOOK_AGAIN.total_seconds())
        return tuple(self._views.instance(row) for row in await self._live() if row.state is not InstanceState.PLANNED)

    async def _live(self) -> list[Instance]:
        async with self._shared.store.reading() as books:
            rows = await books.instances.in_states(*sorted(ORDERED | {InstanceState.PLANNED}))
        return [row for row in rows if not row.is_left_alone]

    async def _try_to_end_live(self) -> None:
        """What cannot be written down now is tried again: the bot stops, and nobody else would."""
        now = self._shared.clock.now()
        try:
            async with self._shared.store.writing() as books:
                for row in await books.instances.in_states(*sorted(ORDERED | {InstanceState.PLANNED})):
                    if not row.is_left_alone and not row.is_over and row.state is not InstanceState.LAUNCHING:
                        await end_instance(books, row, EndReason.SHUTDOWN, now)
        except StoreError as error:
            log.warning("the machines cannot be given up yet: %s", error)

    def _ring(self) -> None:
        """Somebody has done something by hand: what is shown to them next is to be as things are now."""
        wakeups = self._shared.wakeups
        for cloud in self._shared.clouds:
            self._shared.board.doubt(cloud)
        for wakeup in (
            wakeups.ends,
            wakeups.sessions,
            wakeups.provisioner,
            wakeups.dispatcher,
            wakeups.runner,
            wakeups.reconciler,
            wakeups.newsroom,
        ):
            wakeup.wake()


async def cost_report(books: Books, now: datetime, days: int) -> CostReport:
    """What was spent in the last *days* days, today included."""
    since = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    rows = await books.ledger.by_day(since)
    return CostReport(
        days=days,
        until=f"{now:%Y-%m-%d}",
        total=MicroUsd(sum(row.amount for row in rows)),
        by_day=_grouped(rows, "day"),
        by_cloud=_grouped(rows, "cloud"),
        by_user=_grouped(rows, "user"),
        rows=tuple(CostRow(day=row.day, cloud=row.cloud, user=row.user, amount=row.amount) for row in rows),
        images=await books.ledger.pictures(since),
    )


def _grouped(rows: tuple[DayCost, ...], field: str) -> tuple[DayCostView, ...]:
    sums: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        sums[str(getattr(row, field))] += row.amount
    return tuple(DayCostView(key=key, amount=MicroUsd(amount)) for key, amount in sorted(sums.items()))


def _sum_known(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _card(workflow: Workflow) -> WorkflowCard:
    return WorkflowCard(
        name=workflow.name,
        title=workflow.title,
        description=workflow.description,
        parameters=workflow.parameters,
        loras=tuple(sorted(workflow.loras)),
        takes_image=workflow.takes_image,
    )
