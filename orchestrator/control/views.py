"""Jobs, sessions and machines as the bot shows them: built from the rows, with the board's live figures on top."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from orchestrator.api import (
    Cancelled,
    ColdStart,
    Eta,
    Failed,
    InstanceView,
    JobView,
    Late,
    MachineView,
    Queued,
    Running,
    SessionView,
    Status,
    Succeeded,
    Trouble,
    Warming,
)
from orchestrator.control.lookups import Lookups
from orchestrator.control.naming import variant_title, your_machine
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import IllegalTransitionError
from orchestrator.domain.estimates import REAL_CLOUD, SANDBOX, Guess, Seconds, Slow, cold_start_left, slow_step
from orchestrator.domain.ids import InstanceId, SessionId
from orchestrator.domain.instance import BLAMELESS, EndReason, Instance, InstanceState
from orchestrator.domain.job import Failure, Job, JobState
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy import keepalive
from orchestrator.domain.session import ACTIVE, Session
from orchestrator.domain.snapshot import SessionSnapshot
from orchestrator.domain.stages import OPTIONAL, Stage, StageState, Step

NOT_LOST = BLAMELESS - {EndReason.OVERTAKEN}
"""Ends of machines whose cost no card has to show: their work was done, or nobody waited for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """
    How far a machine is on its way to READY: the same for everybody who waits for it.

    Attributes:
        left: Seconds until it is ready.
    """

    machine: Instance
    stages: tuple[Stage, ...]
    left: Guess
    late: Late | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """
    What the views of one session's jobs are built from, read in one transaction.

    Attributes:
        given_up: At least the machines that were ordered and given up since the oldest unfinished job was submitted.
        stages: Of the machine that warms up, and of those that were given up last before it.
    """

    snapshot: SessionSnapshot
    given_up: tuple[Instance, ...]
    stages: Mapping[InstanceId, tuple[Stage, ...]]
    warmup: Warmup | None
    now: datetime


class Views:
    """Builds what the bot sees."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._revisions = count(shared.epoch * 1_000_000)

    async def scene(self, look: Lookups, session: SessionId) -> Scene | None:
        snapshot = await look.books.sessions.snapshot(session)
        if snapshot is None:
            return None
        snapshot = self._shared.experience.seen(snapshot)
        now = self._shared.clock.now()
        since = min((job.submitted_at for job in snapshot.jobs), default=now)
        given_up = await look.given_up(session, since)
        machine = current_machine(snapshot)
        if machine is None or machine.state is InstanceState.READY:
            return Scene(snapshot=snapshot, given_up=given_up, stages={}, warmup=None, now=now)
        told = (machine, *given_up[-1:], *([snapshot.last_end] if snapshot.last_end else []))
        stages = {name: await look.stages(name) for name in dict.fromkeys(each.id for each in told)}
        history = await look.stage_seconds(machine.cloud) if machine.cloud else {}
        warmup = self._warmup(machine, stages[machine.id], history, now)
        return Scene(snapshot=snapshot, given_up=given_up, stages=stages, warmup=warmup, now=now)

    def _warmup(
        self, machine: Instance, known: Iterable[Stage], history: Mapping[str, Sequence[float]], now: datetime
    ) -> Warmup:
        stages, prior = self._live_stages(machine, known), prior_of(machine, self._shared)
        return Warmup(
            machine=machine,
            stages=stages,
            left=cold_start_left(stages, history, prior, now),
            late=self._late(machine, slow_step(stages, history, prior, now)),
        )

    async def job(self, look: Lookups, job: Job, scene: Scene | None) -> JobView:
        """*scene* is needed for unfinished jobs, and for one whose person waits for a machine all the same."""
        status = self._status(job, scene)
        waited_for = await self._waited_for(look, job)
        if isinstance(status, ColdStart):
            stages = status.stages
        elif isinstance(status, Succeeded) and status.warming is not None:
            stages = status.warming.stages
        else:
            stages = await look.stages(waited_for.id) if waited_for else ()
        return JobView(
            id=job.id,
            user=job.user,
            surface=job.surface,
            origin=job.origin,
            workflow=job.workflow,
            values=job.values,
            source=job.source,
            seed=job.seed,
            submitted_at=job.submitted_at,
            ended_at=job.ended_at,
            status=status,
            stages=stages,
            cost=_cost(status, waited=_cold_start_cost(waited_for), lost=await self.lost(look, job)),
            acknowledged=job.acknowledged_at is not None,
            revision=next(self._revisions),
        )

    async def waited(self, look: Lookups, job: Job) -> MicroUsd:
        """What it cost until a machine was ready for *job*: those that were lost, and the cold start of its own."""
        return MicroUsd(_cold_start_cost(await self._waited_for(look, job)) + await self.lost(look, job))

    async def lost(self, look: Lookups, job: Job) -> MicroUsd:
        """What the machines cost that were ordered, and lost between the submission of *job* and its end."""
        given_up = await look.given_up(job.session, job.submitted_at)
        until = job.ended_at or self._shared.clock.now()
        lost = [machine for machine in lived_through(given_up, job) if machine.end_reason not in NOT_LOST]
        return MicroUsd(sum(_share(machine, job, until) for machine in lost))

    async def _waited_for(self, look: Lookups, job: Job) -> Instance | None:
        """The machine of this job, if its cold start was this job's."""
        if job.instance is None:
            return None
        instance = await look.machine(job.instance)
        if instance is None or instance.ready_at is None:
            return None
        return None if _is_warm_already(instance, job) else instance

    def _status(self, job: Job, scene: Scene | None) -> Status:
        if not job.is_over:
            if scene is None:
                return Queued(position=1, eta=None)
            return self._running(job, scene) if job.state is JobState.RUNNING else self._waiting(job, scene)
        match job.state:
            case JobState.SUCCEEDED if job.served is not None:
                return Succeeded(images=job.images, served=job.served, warming=self._getting_warm(job, scene))
            case JobState.FAILED:
                return Failed(failure=job.failure or Failure(key="deadline", values={"minutes": 0}))
            case JobState.CANCELLED:
                return Cancelled(cost=job.served.cost if job.served else MicroUsd(0))
            case _:
                raise IllegalTransitionError(f"job {job.id} is {job.state} without what that needs")

    def _getting_warm(self, job: Job, scene: Scene | None) -> Warming | None:
        """The machine of its session, below the last picture that an API made."""
        if scene is None or not is_watched(scene.snapshot.session, job):
            return None
        machine, warmup = current_machine(scene.snapshot), scene.warmup
        if machine is None and not self._is_to_come(scene):
            return None
        return Warming(
            machine=machine_view(self._shared, machine) if machine else None,
            stages=warmup.stages if warmup else (),
            eta=_eta(warmup.left.low, warmup.left.high, scene.now) if warmup else None,
            is_ready=machine is not None and machine.state is InstanceState.READY,
        )

    def _is_to_come(self, scene: Scene) -> bool:
        """Whether a machine is about to be rented for it; many a request is served by an API and none is."""
        shared = self._shared
        return bool(shared.clouds) and shared.gate.is_open and shared.policy.wants_machine(scene.snapshot, scene.now)

    def _running(self, job: Job, scene: Scene) -> Running:
        painting = self._shared.board.painting(job.id)
        done, of = (painting.done, painting.total) if painting else (0, 0)
        share_left = 1 - done / of if of else 1.0
        api = self._shared.bridges.get(job.bridge)
        each = api.capabilities.seconds if api else self._shared.board.seconds_per_image
        seconds = each * job.count * share_left
        machine = next((i for i in scene.snapshot.instances if i.id == job.instance), None)
        own = your_machine(self._shared, machine) if machine and machine.offer else ""
        by = api.title if api else job.bridge or own
        eta = _eta(seconds * 0.7, seconds * 1.5, scene.now)
        fetching = self._shared.board.fetching(job.id)
        return Running(
            done=done,
            of=of,
            eta=None if fetching else eta,
            served_by=by,
            restarted=self._shared.board.restart(job.id),
            fetching=fetching,
        )

    def _waiting(self, job: Job, scene: Scene) -> Status:
        ahead = [other for other in scene.snapshot.jobs if other.submitted_at < job.submitted_at]
        images = sum(other.count for other in ahead)
        painting = images * self._shared.board.seconds_per_image
        warmup = scene.warmup
        if warmup is None:
            machine = current_machine(scene.snapshot)
            waiting_for = "" if machine else _waiting_for(scene, is_to_come=self._is_to_come(scene))
            eta = _eta(painting * 0.7, painting * 1.5 + 1, scene.now) if machine else None
            return Queued(position=len(ahead) + 1, eta=eta, waiting_for=waiting_for)
        own, left = self._shared.board.seconds_per_image * job.count, warmup.left
        return ColdStart(
            stages=warmup.stages,
            eta=_eta(left.low + painting * 0.7 + own * 0.5, left.high + painting * 1.5 + own * 1.5, scene.now),
            machine=machine_view(self._shared, warmup.machine),
            attempt=len(lived_through(scene.given_up, job)) + 1,
            trouble=_trouble(scene, job, warmup.machine),
            cost=MicroUsd(sum(each.cost(scene.now) for each in scene.snapshot.warming)),
            has_second=len(scene.snapshot.warming) > 1,
            late=warmup.late,
        )

    def _late(self, machine: Instance, slow: Slow | None) -> Late | None:
        if slow is None:
            return None
        limits = {Step.BOOT: self._shared.limits.boot_at(machine.cloud), Step.SSH: self._shared.limits.ssh}
        step, began, limit = slow.stage.step, slow.stage.started_at, limits.get(slow.stage.step)
        given_up_at = began + limit if began is not None and limit is not None else None
        return Late(step=step, is_measured=slow.is_measured, given_up_at=given_up_at)

    def _live_stages(self, machine: Instance, recorded: Iterable[Stage]) -> tuple[Stage, ...]:
        """Every step, those to come as WAITING; in a fixed order so that nothing jumps about."""
        known = {stage.step: stage for stage in recorded}
        known.update(self._shared.board.stages(machine.id))
        return tuple(
            known.get(step, Stage(step=step, state=StageState.WAITING))
            for step in Step
            if step in known or step not in OPTIONAL
        )

    def session(self, snapshot: SessionSnapshot, *, images: int, cost: MicroUsd) -> SessionView:
        session = snapshot.session
        machine = current_machine(snapshot)
        ready = machine is not None and machine.state is InstanceState.READY
        until = session.released_at or keepalive.warm_until(snapshot, self._shared.policy)
        return SessionView(
            id=session.id,
            user=session.user,
            state=session.state,
            machine=machine_view(self._shared, machine) if machine else None,
            instance=machine.id if machine else None,
            warm_until=until if ready else None,
            ready_since=machine.ready_at if machine else None,
            images=images,
            cost=cost,
            unfinished=len(snapshot.jobs),
        )

    def instance(self, instance: Instance) -> InstanceView:
        return InstanceView(
            id=instance.id,
            cloud=instance.cloud or "",
            state=instance.state,
            gpu=instance.offer.gpu if instance.offer else "",
            price=instance.price,
            session=instance.session,
            user=instance.user,
            cost=instance.cost(self._shared.clock.now()),
            created_at=instance.created_at,
            end_reason=instance.end_reason,
        )


def prior_of(machine: Instance, shared: Shared) -> Mapping[Step, Seconds]:
    """What its steps take while nothing was measured."""
    return SANDBOX if machine.cloud in {None, "sandbox"} and "sandbox" in shared.clouds else REAL_CLOUD


def is_watched(session: Session, job: Job) -> bool:
    """Whether the card of *job*, though it is over, goes on showing how the machine of its session gets warm."""
    return session.bridged_job == job.id and session.state in ACTIVE


def current_machine(snapshot: SessionSnapshot) -> Instance | None:
    """The machine that this session waits for or works on."""
    return next(iter(snapshot.ready or snapshot.warming), None)


def machine_view(shared: Shared, instance: Instance) -> MachineView | None:
    if instance.offer is None:
        return None
    offer = instance.offer
    return MachineView(
        gpu=offer.gpu,
        location=offer.location,
        price=offer.tariff.per_hour,
        cloud=offer.cloud,
        variant=variant_title(shared, instance),
    )


def _eta(low: float, high: float, now: datetime) -> Eta:
    return Eta(low=timedelta(seconds=max(low, 0)), high=timedelta(seconds=max(high, 1)), at=now)


def _waiting_for(scene: Scene, *, is_to_come: bool) -> str:
    last = scene.snapshot.last_end
    tried = scene.snapshot.session.tries > 0 and last is not None
    return str(last.end_reason) if tried and last and last.end_reason else "machine" * is_to_come


def _trouble(scene: Scene, job: Job, machine: Instance) -> Trouble | None:
    """
    What happened before *machine*, if *job* has lived through it.

    That a search found nothing is news until the next one has found something; then only lost machines count.
    """
    last = next(reversed(lived_through(scene.given_up, job)), None)
    if machine.ordered_at is None:
        last = scene.snapshot.last_end
    if last is None or last.end_reason is None or last.given_up_at is None:
        return None
    if last.end_reason in BLAMELESS or last.given_up_at < job.submitted_at:
        return None
    stages = scene.stages.get(last.id, ())
    step = next((stage.step for stage in reversed(stages) if stage.state is not StageState.DONE), None)
    return Trouble(reason=last.end_reason, step=step)


def lived_through(given_up: Iterable[Instance], job: Job) -> tuple[Instance, ...]:
    """Those that were given up while *job* was under way, but not the one that it is or was painted on."""
    return tuple(
        machine
        for machine in given_up
        if machine.id != job.instance
        and machine.given_up_at is not None
        and job.submitted_at <= machine.given_up_at
        and (job.ended_at is None or machine.given_up_at <= job.ended_at)
    )


def _share(machine: Instance, job: Job, until: datetime) -> int:
    """
    What of a lost *machine* is *job*'s: all of it by *until*, or since the submission if it was warm by then.

    As with cold starts, each job that waited for the machine shows it in full: a card says what this request set
    off, and only the ledger adds up.
    """
    before = machine.cost(job.submitted_at) if _is_warm_already(machine, job) else 0
    return machine.cost(until) - before


def _is_warm_already(machine: Instance, job: Job) -> bool:
    return machine.ready_at is not None and machine.ready_at <= job.submitted_at


def _cost(status: Status, *, waited: MicroUsd, lost: MicroUsd) -> MicroUsd:
    match status:
        case Cancelled(cost=cost):  # all of it: added up when it was cancelled
            return cost
        case ColdStart(cost=cost):
            return MicroUsd(cost + lost)
        case Succeeded(served=served):
            return MicroUsd(served.cost + waited + lost)
        case _:
            return MicroUsd(waited + lost)


def _cold_start_cost(instance: Instance | None) -> MicroUsd:
    """What *instance* had cost when it became ready."""
    return MicroUsd(0) if instance is None or instance.ready_at is None else instance.cost(instance.ready_at)
