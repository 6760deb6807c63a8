"""
The orchestrator in memory, held to its port: jobs move only when a test moves them.

It checks a request as the real one does where the bot depends on it (the key, draining), and no further.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from orchestrator.api import (
    AddedLora,
    Cancelled,
    CancelOutcome,
    CapView,
    CloudView,
    ColdStart,
    CostReport,
    CostRow,
    DayCostView,
    Decision,
    Failed,
    Failure,
    Forgotten,
    ImageKey,
    InstanceId,
    InstanceState,
    InstanceView,
    JobId,
    JobRequest,
    JobTicket,
    JobUpdate,
    JobView,
    KeepOutcome,
    LoraFile,
    LoraStore,
    MachineView,
    MicroUsd,
    MicroUsdPerHour,
    NewLora,
    Notice,
    Orchestrator,
    Overview,
    Parameter,
    ParameterKind,
    PeopleStore,
    PolicyView,
    Preset,
    Profile,
    Queued,
    ReleaseOutcome,
    RequestError,
    Routing,
    Served,
    SessionId,
    SessionState,
    SessionView,
    ShadowLedger,
    Status,
    Succeeded,
    UserId,
    WorkflowCard,
    WorkflowName,
)

BEGIN = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
MACHINE = MachineView(gpu="RTX 4090", location="Sweden", price=MicroUsdPerHour(340_000), cloud="sandbox")
ENDED = (Succeeded, Failed, Cancelled)


def _number(name: str, low: float, high: float, **changes: Any) -> Parameter:
    plain = Parameter(name=name, kind=ParameterKind.INTEGER, title=name.title(), minimum=low, maximum=high, flag=name)
    return replace(plain, **changes)


_COMMON = (
    Parameter(name="prompt", kind=ParameterKind.TEXT, title="What to paint", maximum=4000),
    Parameter(name="negative", kind=ParameterKind.TEXT, title="What to leave out", default="", flag="no"),
    Parameter(
        name="aspect",
        kind=ParameterKind.CHOICE,
        title="Shape",
        default="1:1",
        choices=("1:1", "16:9", "9:16"),
        flag="ar",
    ),
    _number("width", 64, 2048, step=16),
    _number("height", 64, 2048, step=16),
    _number("seed", 0, 2**53 - 1),
    _number("steps", 1, 50, default=4),
)
PAINT = WorkflowCard(
    name=WorkflowName("paint"),
    title="Paint",
    description="Text to picture.",
    parameters=(
        *_COMMON,
        _number("count", 1, 10, default=1, flag="n"),
        Parameter(name="lora", kind=ParameterKind.LORA, title="LoRA", default="none", flag="lora"),
        Parameter(
            name="strength",
            kind=ParameterKind.NUMBER,
            title="Strength",
            default=1.0,
            minimum=-2,
            maximum=2,
            flag="strength",
        ),
    ),
    loras=("b0throps", "inkwash"),
    takes_image=False,
)
REPAINT = WorkflowCard(
    name=WorkflowName("repaint"),
    title="Repaint",
    description="Picture to picture.",
    parameters=(*_COMMON, Parameter(name="image", kind=ParameterKind.IMAGE, title="The picture")),
    loras=(),
    takes_image=True,
)


@dataclass(kw_only=True)
class FakePeople(PeopleStore):
    """Keeps everything, however much that is."""

    kept: dict[UserId, dict[str, Preset]] = field(default_factory=dict)
    forgotten: list[UserId] = field(default_factory=list)
    blocked: dict[str, set[str]] = field(default_factory=dict)
    chosen: dict[tuple[str, str], str] = field(default_factory=dict)
    claims: set[str] = field(default_factory=set)
    accounts: dict[UserId, UserId] = field(default_factory=dict)
    names: dict[UserId, str] = field(default_factory=dict)
    codes: dict[str, UserId] = field(default_factory=dict)
    profiles: dict[UserId, Profile] = field(default_factory=dict)

    async def presets(self, user: UserId) -> tuple[Preset, ...]:
        return tuple(preset for _, preset in sorted(self.kept.get(user, {}).items()))

    async def save_preset(self, user: UserId, preset: Preset) -> None:
        self.kept.setdefault(user, {})[preset.name] = preset

    async def remove_preset(self, user: UserId, name: str) -> bool:
        return self.kept.get(user, {}).pop(name, None) is not None

    async def blocked_words(self, place: str) -> tuple[str, ...]:
        return tuple(sorted(self.blocked.get(place, ())))

    async def block_word(self, place: str, word: str) -> None:
        self.blocked.setdefault(place, set()).add(word)

    async def allow_word(self, place: str, word: str) -> bool:
        known = word in self.blocked.get(place, ())
        self.blocked.get(place, set()).discard(word)
        return known

    async def person_of(self, account: UserId) -> UserId:
        return self.accounts.get(account, account)

    async def meet(self, account: UserId, name: str) -> UserId:
        self.names |= {account: name} if name else {}
        return await self.person_of(account)

    async def name_of(self, account: UserId) -> str:
        return self.names.get(account, "")

    async def called(self, name: str) -> tuple[UserId, ...]:
        found = sorted(account for account, known in self.names.items() if known.casefold() == name.casefold())
        return tuple(dict.fromkeys([await self.person_of(account) for account in found]))

    async def accounts_of(self, user: UserId) -> tuple[UserId, ...]:
        return user, *sorted(account for account, owner in self.accounts.items() if owner == user)

    async def offer_link(self, user: UserId) -> str:
        self.codes[f"CODE{len(self.codes)}"] = user
        return f"CODE{len(self.codes) - 1}"

    async def withdraw_link(self, code: str) -> None:
        self.codes.pop(code, None)

    async def link(self, account: UserId, code: str) -> UserId:
        if code not in self.codes:
            raise RequestError("bad_link_code")
        self.accounts[account] = self.codes.pop(code)
        return self.accounts[account]

    async def unlink(self, account: UserId) -> None:
        if self.accounts.pop(account, None) is None:
            raise RequestError("not_linked")

    async def profile(self, user: UserId) -> Profile:
        return self.profiles.get(user, Profile())

    async def save_profile(self, user: UserId, profile: Profile) -> None:
        self.profiles[user] = profile

    async def claim(self, name: str) -> bool:
        is_free = name not in self.claims
        self.claims.add(name)
        return is_free

    async def place_setting(self, place: str, name: str) -> str:
        return self.chosen.get((place, name), "")

    async def set_place_setting(self, place: str, name: str, value: str) -> None:
        self.chosen[place, name] = value

    async def forget(self, user: UserId) -> Forgotten:
        self.forgotten.append(user)
        return Forgotten(jobs=3, pictures=len(self.kept.pop(user, {})))


@dataclass(kw_only=True)
class FakeLoras(LoraStore):
    """Believes every link. Attributes: refuse: What ``add`` raises from now on."""

    kept: dict[tuple[UserId, str], AddedLora] = field(default_factory=dict)
    refuse: RequestError | None = None

    async def of(self, user: UserId) -> tuple[AddedLora, ...]:
        shared = {name: lora for (owner, name), lora in sorted(self.kept.items()) if not owner}
        own = {name: lora for (owner, name), lora in sorted(self.kept.items()) if owner == user}
        return (*own.values(), *(lora for name, lora in shared.items() if name not in own))

    async def add(self, user: UserId, new: NewLora, *, shared: bool = False) -> AddedLora:
        if self.refuse is not None:
            raise self.refuse
        file = LoraFile(url=new.url, size_bytes=328_000_000, sha256="ab" * 32)
        lora = AddedLora(name=new.name, file=file, strength=new.strength, triggers=new.triggers, is_shared=shared)
        self.kept[UserId("") if shared else user, new.name] = lora
        return lora

    async def remove(self, user: UserId, name: str, *, shared: bool = False) -> bool:
        return self.kept.pop((UserId("") if shared else user, name), None) is not None


@dataclass(kw_only=True)
class FakeOrchestrator(Orchestrator):
    """
    Attributes:
        now: The time; a test moves it on.
        requests: Everything that was accepted, in order.
        acknowledged: Jobs whose end was told, in order.
        refuse: What ``submit`` raises from now on.
        room: How many requests are accepted in all.
        bridges: APIs that paint while there is no machine.
        clouds: Where machines are rented.
        expected: Who was about to ask, in order.
        decisions: How requests were decided; a test writes them.
    """

    now: datetime = BEGIN
    requests: list[JobRequest] = field(default_factory=list)
    views: dict[JobId, JobView] = field(default_factory=dict)
    acknowledged: list[JobId] = field(default_factory=list)
    sessions: dict[UserId, SessionView] = field(default_factory=dict)
    images: dict[ImageKey, bytes] = field(default_factory=dict)
    open_notices: dict[int, Notice] = field(default_factory=dict)
    instances: list[InstanceId] = field(default_factory=list)
    refuse: RequestError | None = None
    room: int = 1000
    draining: bool = False
    bridges: tuple[str, ...] = ()
    clouds: tuple[str, ...] = ("sandbox",)
    routing: Routing = Routing.HYBRID
    expected: list[UserId] = field(default_factory=list)
    decisions: dict[JobId, Decision] = field(default_factory=dict)
    shadow: ShadowLedger | None = None
    limits: dict[str, MicroUsd | None] = field(default_factory=lambda: {"day": MicroUsd(5_000_000), "month": None})
    _people: FakePeople = field(default_factory=FakePeople)
    _loras: FakeLoras = field(default_factory=FakeLoras)
    _keys: dict[str, JobId] = field(default_factory=dict)
    _listeners: list[asyncio.Queue[JobView]] = field(default_factory=list)
    _revisions: "count[int]" = field(default_factory=lambda: count(1))

    # What a test does.

    def move(self, job: JobId, status: Status, *, cost: int = 0) -> JobView:
        """Bring *job* to *status* and tell whoever listens."""
        over = isinstance(status, ENDED)
        view = replace(
            self.views[job],
            status=status,
            stages=status.stages if isinstance(status, ColdStart) else self.views[job].stages,
            cost=MicroUsd(cost),
            ended_at=self.now if over else None,
            revision=next(self._revisions),
        )
        self.views[job] = view
        for listener in self._listeners:
            listener.put_nowait(view)
        return view

    def succeed(self, job: JobId, *pictures: bytes) -> JobView:
        keys = tuple(ImageKey(f"{job}-{place}") for place in range(len(pictures)))
        self.images |= dict(zip(keys, pictures, strict=True))
        served = Served(by="your RTX 4090", seconds=14.2, cost=MicroUsd(1_300))
        return self.move(job, Succeeded(images=keys, served=served), cost=1_300)

    def no_longer_keep(self, job: JobId) -> None:
        """Let go of the pictures of *job*, as happens after a while."""
        status = self.views[job].status
        assert isinstance(status, Succeeded)
        for key in status.images:
            del self.images[key]
        self.views[job] = replace(self.views[job], status=replace(status, images=()))

    def fail(self, job: JobId, key: str, **values: str | float) -> JobView:
        return self.move(job, Failed(failure=Failure(key=key, values=values)))

    def warm(self, user: UserId) -> None:
        """Give *user* a warm machine with ten minutes left."""
        self.sessions[user] = SessionView(
            id=SessionId(f"session-{user}"),
            user=user,
            state=SessionState.WARM,
            machine=MACHINE,
            instance=InstanceId("machine1"),
            warm_until=self.now + timedelta(minutes=10),
            ready_since=self.now - timedelta(minutes=5),
            images=3,
            cost=MicroUsd(119_000),
            unfinished=0,
        )
        self.instances.append(InstanceId("machine1"))

    def restart(self) -> None:
        """Forget who listens, as a restart does; jobs and what is acknowledged last."""
        self._listeners.clear()

    # The port.

    @property
    def people(self) -> FakePeople:
        return self._people

    @property
    def loras(self) -> FakeLoras:
        return self._loras

    async def submit(self, request: JobRequest) -> JobTicket:
        if request.idempotency_key in self._keys:
            return JobTicket(job=self._keys[request.idempotency_key], is_new=False)
        if self.refuse is not None:
            raise self.refuse
        if self.draining:
            raise RequestError("draining")
        if len(self.requests) >= self.room:
            raise RequestError("too_many_jobs", unfinished=self.room, limit=self.room)
        job = JobId(f"job{len(self.requests) + 1}")
        self._keys[request.idempotency_key] = job
        self.requests.append(request)
        self.views[job] = self._new(job, request)
        self.move(job, Queued(position=1, eta=None))
        return JobTicket(job=job, is_new=True)

    def _new(self, job: JobId, request: JobRequest) -> JobView:
        seed = int(request.values.get("seed", 1000 + len(self.requests)))
        defaults = {p.name: p.default for p in PAINT.parameters if p.default is not None}
        return JobView(
            id=job,
            user=request.user,
            surface=request.surface,
            origin=request.origin,
            workflow=request.workflow or PAINT.name,
            values=defaults | dict(request.values) | {"seed": seed},
            source=request.source,
            seed=seed,
            submitted_at=self.now,
            ended_at=None,
            status=Queued(position=1, eta=None),
            stages=(),
            cost=MicroUsd(0),
            acknowledged=False,
            revision=0,
        )

    async def cancel(self, job: JobId, *, by: UserId, is_admin: bool = False) -> CancelOutcome:
        view = self.views.get(job)
        if view is None:
            return CancelOutcome.UNKNOWN
        if view.user != by and not is_admin:
            return CancelOutcome.NOT_YOURS
        if view.ended_at is not None:
            return CancelOutcome.ALREADY_OVER
        self.move(job, Cancelled(cost=MicroUsd(4_000)), cost=4_000)
        return CancelOutcome.CANCELLED

    async def job(self, job: JobId) -> JobView | None:
        return self.views.get(job)

    async def jobs(
        self, *, user: UserId | None = None, before: JobId | None = None, limit: int = 50
    ) -> tuple[JobView, ...]:
        newest = [view for view in reversed(self.views.values()) if user in {None, view.user}]
        if before is not None:
            places = [place for place, view in enumerate(newest) if view.id == before]
            newest = newest[places[0] + 1 :] if places else []
        return tuple(newest[:limit])

    async def why(self, job: JobId) -> Decision | None:
        return self.decisions.get(job)

    async def rebind(self, job: JobId, origin: str) -> None:
        if job in self.views:
            self.views[job] = replace(self.views[job], origin=origin)

    async def updates(self) -> AsyncIterator[JobUpdate]:
        listener: asyncio.Queue[JobView] = asyncio.Queue()
        for view in self.views.values():
            if view.ended_at is None or view.id not in self.acknowledged:
                listener.put_nowait(view)
        self._listeners.append(listener)
        while True:
            yield await listener.get()

    async def acknowledge(self, job: JobId) -> None:
        self.acknowledged.append(job)
        self.views[job] = replace(self.views[job], acknowledged=True)

    async def notices(self) -> AsyncIterator[Notice]:
        for notice in tuple(self.open_notices.values()):
            yield notice
        await asyncio.Event().wait()

    async def acknowledge_notice(self, notice: int) -> None:
        self.open_notices.pop(notice, None)

    async def image(self, key: ImageKey) -> bytes | None:
        return self.images.get(key)

    async def session(self, user: UserId) -> SessionView | None:
        return self.sessions.get(user)

    async def expect(self, user: UserId) -> None:
        self.expected.append(user)

    async def keep(self, user: UserId, span: timedelta) -> KeepOutcome:
        session = self.sessions.get(user)
        if session is None:
            return KeepOutcome(warm_until=None, cost=MicroUsd(0))
        self.sessions[user] = replace(session, warm_until=self.now + span)
        return KeepOutcome(warm_until=self.now + span, cost=MicroUsd(113_334))

    async def release(self, user: UserId) -> ReleaseOutcome:
        session = self.sessions.pop(user, None)
        return ReleaseOutcome(released=session is not None, saved=MicroUsd(56_000 if session else 0))

    def workflows(self) -> tuple[WorkflowCard, ...]:
        return PAINT, REPAINT

    def seconds_per_image(self) -> float:
        return 4.0

    async def overview(self) -> Overview:
        live = [self._instance(instance) for instance in self.instances]
        return Overview(
            now=self.now,
            sessions=tuple(self.sessions.values()),
            instances=tuple(live),
            queue=sum(view.ended_at is None for view in self.views.values()),
            clouds=(
                CloudView(name="sandbox", problem="", unknown_machines=0, checked_at=self.now - timedelta(seconds=3)),
            ),
            unknown_machines=0,
            checked_at=self.now - timedelta(seconds=3),
            today=MicroUsd(119_000),
            month=MicroUsd(1_250_000),
            draining=self.draining,
        )

    def _instance(self, instance: InstanceId) -> InstanceView:
        return InstanceView(
            id=instance,
            cloud="sandbox",
            state=InstanceState.READY,
            gpu=MACHINE.gpu,
            price=MACHINE.price,
            session=None,
            user=UserId("web:ada"),
            cost=MicroUsd(119_000),
            created_at=self.now,
            end_reason=None,
        )

    async def costs(self, days: int) -> CostReport:
        amount = MicroUsd(1_250_000)
        return CostReport(
            days=days,
            until="2026-03-01",
            total=amount,
            by_day=(DayCostView(key="2026-03-01", amount=amount),),
            by_cloud=(DayCostView(key="sandbox", amount=amount),),
            by_user=(DayCostView(key="web:ada", amount=amount),),
            rows=(CostRow(day="2026-03-01", cloud="sandbox", user=UserId("web:ada"), amount=amount),),
            images=250,
        )

    async def policy(self) -> PolicyView:
        return PolicyView(
            name="first-user",
            idle_timeout=timedelta(minutes=10),
            clouds=self.clouds,
            bridges=self.bridges,
            routing=self.routing,
            max_price=MicroUsdPerHour(800_000),
            max_machines=5,
            hedges_per_hour=4,
            person_day=MicroUsd(2_000_000),
            day=None,
            month=None,
            shadow=self.shadow,
        )

    async def set_routing(self, name: str) -> None:
        if name not in set(Routing):
            raise RequestError("unknown_routing", name=name, closest="", known=", ".join(Routing))
        self.routing = Routing(name)

    async def caps(self) -> tuple[CapView, ...]:
        return tuple(CapView(name=name, limit=limit, spent=MicroUsd(119_000)) for name, limit in self.limits.items())

    async def set_cap(self, name: str, limit: MicroUsd | None) -> None:
        if name not in self.limits:
            raise RequestError("unknown_cap", name=name, closest="", known=", ".join(self.limits))
        self.limits[name] = limit

    async def end_instance(self, instance: InstanceId) -> bool:
        if instance not in self.instances:
            return False
        self.instances.remove(instance)
        return True

    async def drain(self, *, on: bool) -> None:
        self.draining = on
