"""
All that the bot may see of the orchestrator.

The bot turns what people type into these calls, and these updates into cards. It has no tables of its own:
whatever must last goes through here.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from orchestrator.domain.errors import DiskFull, RequestError, is_expected
from orchestrator.domain.ids import ImageKey, InstanceId, JobId, SessionId, UserId, WorkflowName
from orchestrator.domain.instance import EndReason, InstanceState
from orchestrator.domain.job import Failure, Preference, Served, Value
from orchestrator.domain.loras import AddedLora, Fetching, LoraFile, NewLora
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour, dollars, micro_usd
from orchestrator.domain.notices import Notice
from orchestrator.domain.people import CLAIMED_FOR, FOR_ADMINS, NoticeKind, Preset, Profile, QuietHours
from orchestrator.domain.policy.routing import Routing
from orchestrator.domain.session import SessionState
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.domain.workflows import NO_LORA, Parameter, ParameterKind, closest

__all__ = [
    "CLAIMED_FOR",
    "FOR_ADMINS",
    "NO_LORA",
    "AddedLora",
    "BridgeState",
    "BridgeView",
    "CancelOutcome",
    "Cancelled",
    "CapView",
    "ColdStart",
    "CostReport",
    "CostRow",
    "DayCostView",
    "Decision",
    "DiskFull",
    "EndReason",
    "Eta",
    "Failed",
    "Failure",
    "Fetching",
    "Forgotten",
    "ImageKey",
    "InstanceId",
    "InstanceState",
    "InstanceView",
    "JobId",
    "JobRequest",
    "JobTicket",
    "JobUpdate",
    "JobView",
    "KeepOutcome",
    "Late",
    "LoraFile",
    "LoraStore",
    "MachineView",
    "MicroUsd",
    "MicroUsdPerHour",
    "NewLora",
    "Notice",
    "NoticeKind",
    "Orchestrator",
    "Overview",
    "Parameter",
    "ParameterKind",
    "PeopleStore",
    "PolicyView",
    "Preference",
    "Preset",
    "Profile",
    "Queued",
    "QuietHours",
    "ReleaseOutcome",
    "RequestError",
    "Routing",
    "Running",
    "Served",
    "SessionId",
    "SessionState",
    "SessionView",
    "ShadowLedger",
    "ShadowRow",
    "Stage",
    "StageState",
    "Status",
    "Step",
    "Succeeded",
    "Trouble",
    "UserId",
    "Value",
    "Warming",
    "WorkflowCard",
    "WorkflowName",
    "closest",
    "dollars",
    "is_expected",
    "micro_usd",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """
    What a person asks for.

    Attributes:
        idempotency_key: The same key gives the same ticket, however often it is submitted.
        origin: Opaque to the orchestrator: where the bot keeps the card. It lasts as long as the job.
        values: Only what the person said; the rest are the workflow's defaults and a drawn seed.
        source: The picture to start from, for workflows that take one.
        prefers: Where it is to be made.
        may_remake: What an API keeps back as indecent may be made on a machine.
    """

    user: UserId
    surface: str
    origin: str
    idempotency_key: str
    workflow: WorkflowName | None
    values: Mapping[str, Value]
    source: ImageKey | None = None
    prefers: Preference = Preference.DEFAULT
    may_remake: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTicket:
    job: JobId
    is_new: bool
    """False when the idempotency key was known already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """A guess, said as a range; both ends count from *at*."""

    low: timedelta
    high: timedelta
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """
    Attributes:
        position: Place in the person's own queue: 1 is next.
        waiting_for: Why nothing happens yet: ``""`` for the jobs before it, ``machine``, or ``capacity``
            when no cloud has an acceptable offer and it is asked again.
    """

    position: int
    eta: Eta | None
    waiting_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The machine before this one failed, or the search for one: at which step and why."""

    reason: EndReason
    step: Step | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """
    The machine that is warming up or painting, as a person may see it.

    Attributes:
        variant: Which lighter model files it has, such as ``fp8``; empty for the full ones.
    """

    gpu: str
    location: str
    price: MicroUsdPerHour
    cloud: str
    variant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """
    A step that takes longer than it nearly always does.

    Attributes:
        is_measured: Nine in ten of the machines before were faster; else it is only slower than was guessed.
        given_up_at: When the machine is given up if the step is not done; None where that depends on its progress.
    """

    step: Step
    is_measured: bool
    given_up_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """
    Attributes:
        machine: None until one is ordered.
        attempt: 1 for the first machine; one more for each that was really ordered for this job and given up.
        cost: What this cold start has cost so far, a second machine that is tried beside it included.
        has_second: Another machine warms up beside this one; whichever is ready first is taken.
        late: The running step that a person may begin to wonder about.
    """

    stages: tuple[Stage, ...]
    eta: Eta | None
    machine: MachineView | None
    attempt: int
    trouble: Trouble | None
    cost: MicroUsd
    has_second: bool = False
    late: Late | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """
    Attributes:
        done: Sampler steps done, over all pictures; *of* is 0 until the first one is reported.
        restarted: Why ComfyUI was started again for it on the same machine; None if it was not.
        fetching: The LoRA that its machine fetches first; None when it has all it needs.
    """

    done: int
    of: int
    eta: Eta | None
    served_by: str
    restarted: EndReason | None = None
    fetching: Fetching | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warming:
    """
    The person's own machine, which gets warm for the next picture.

    Attributes:
        machine: None until one is ordered.
        stages: Of its way to readiness, in a fixed order.
        eta: Until it is ready; None while none is ordered, and once it is.
    """

    machine: MachineView | None
    stages: tuple[Stage, ...]
    eta: Eta | None
    is_ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """
    Attributes:
        images: Empty when they are no longer kept.
        warming: Of the last picture that a managed API made while its person's machine was cold.
    """

    images: tuple[ImageKey, ...]
    served: Served
    warming: Warming | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Attributes: cost: What it had cost until then."""

    cost: MicroUsd


Status = Queued | ColdStart | Running | Succeeded | Failed | Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """
    A job as the bot shows it.

    Attributes:
        revision: Grows with each view of this job that was made; the one with the higher number is the newer.
        stages: Of the machine that made it or is to make it, as far as this job waited for them.
        cost: What this job has cost so far: the cold start that it waited for and every machine that was ordered and
            lost since it was submitted included, each in full, though another job may have waited for it too.
    """

    id: JobId
    user: UserId
    surface: str
    origin: str
    workflow: WorkflowName
    values: Mapping[str, Value]
    source: ImageKey | None
    seed: int
    submitted_at: datetime
    ended_at: datetime | None
    status: Status
    stages: tuple[Stage, ...]
    cost: MicroUsd
    acknowledged: bool
    revision: int = field(compare=False)


JobUpdate = JobView
"""An update is the job as it stands now; a lost one is made up for by the next."""


class CancelOutcome(StrEnum):
    CANCELLED = "cancelled"
    ALREADY_OVER = "already_over"
    UNKNOWN = "unknown"
    NOT_YOURS = "not_yours"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """
    A person's session, for the session bar.

    Attributes:
        warm_until: When the machine is given back if nothing more is asked; None without a ready machine.
        ready_since: When it became ready.
        images: Pictures made in this session.
    """

    id: SessionId
    user: UserId
    state: SessionState
    machine: MachineView | None
    instance: InstanceId | None
    warm_until: datetime | None
    ready_since: datetime | None
    images: int
    cost: MicroUsd
    unfinished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOutcome:
    """
    Attributes:
        warm_until: Until when the machine stays; None when there is none to keep.
        cost: What the added time costs at most.
    """

    warm_until: datetime | None
    cost: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOutcome:
    """
    Attributes:
        released: False when there was no machine to give back.
        saved: What keeping it until its timeout would have cost.
    """

    released: bool
    saved: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowCard:
    """What the options of ``/imagine`` are built from."""

    name: WorkflowName
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    loras: tuple[str, ...]
    takes_image: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    id: InstanceId
    cloud: str
    state: InstanceState
    gpu: str
    price: MicroUsdPerHour
    session: SessionId | None
    user: UserId
    cost: MicroUsd
    created_at: datetime
    end_reason: EndReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudView:
    """
    How one cloud is doing.

    Attributes:
        problem: What its last call said, empty when it went well.
        last_error: What the last call said that did not; *failed_at* then.
        has_good_key: Whether it takes our key and our account; None before it has said.
        limited_until: Until when it does not want to be asked.
        balance: Prepaid money left when it last told; None where it does not.
        runway: How long that lasts for the machines that live there.
        unknown_machines: Machines that carry our label and are in no book of ours; None until listed once.
        checked_at: The last complete listing.
    """

    name: str
    problem: str
    unknown_machines: int | None
    checked_at: datetime | None
    last_error: str = ""
    failed_at: datetime | None = None
    has_good_key: bool | None = None
    limited_until: datetime | None = None
    balance: MicroUsd | None = None
    runway: timedelta | None = None


class BridgeState(StrEnum):
    """Whether a managed API makes pictures for us."""

    SERVES = "serves us"
    UNKNOWN = "not asked yet"  # or it could not be asked
    RESTING = "left alone"  # for a while, after failures
    OFF = "switched off"  # it no longer serves us


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeView:
    """How one managed API is doing. Attributes: why: Empty while it serves us."""

    name: str
    title: str
    state: BridgeState
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at a glance, for ``/status``."""

    now: datetime
    sessions: tuple[SessionView, ...]
    instances: tuple[InstanceView, ...]
    queue: int
    clouds: tuple[CloudView, ...]
    unknown_machines: int | None
    checked_at: datetime | None
    today: MicroUsd
    month: MicroUsd
    draining: bool
    bridges: tuple[BridgeView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCostView:
    key: str
    """A day (ISO 8601, UTC), a cloud or a user."""
    amount: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """What one user spent at one cloud on one day. Attributes: day: ISO 8601, UTC."""

    day: str
    cloud: str
    user: UserId
    amount: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """
    Attributes:
        until: The last day, ISO 8601, UTC; *days* end with it.
        rows: Everything; the other fields are sums of it.
    """

    days: int
    until: str
    total: MicroUsd
    by_day: tuple[DayCostView, ...]
    by_cloud: tuple[DayCostView, ...]
    by_user: tuple[DayCostView, ...]
    rows: tuple[CostRow, ...]
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What is gone."""

    jobs: int
    pictures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    How a request was decided when it came in, and by what numbers.

    Attributes:
        policy: In force then.
        is_batch: So many pictures that nobody looks at the first one while the last is painted.
        api: The managed API that could make it, by its title; empty for none.
        api_usd: What that takes for it.
        obstacle: What no API could: ``own_lora``, ``lora``, ``workflow``, ``words``, ``steps``, ``size`` or ``own``
            (its person wanted none); empty where one could, or none is set up.
        rents: The policy ``auto`` wanted a machine for the time after it.
        keep: For so long after the last request.
        rule: The one that ``auto`` followed: a policy by name, or ``break-even``.
        is_bounded: Break-even decided because another rule could have become too dear.
        within: Requests that came within *window*, this one included.
        of: At so many a machine is rented.
        rule_usd: What that rule would have cost on the person's requests, older ones counting less.
        bridge_usd: What an API would have, with machines for nothing but what no API can make.
        requests: How many requests that goes by.
        credit_usd: By how much a machine would have been cheaper than the API lately.
        cold: How long a start is believed to take, lost tries included.
        start_usd: What that costs.
        usd_hour: An hour of a machine.
        warm_until: When their machine is given back, as it stands now; None without a ready one.
    """

    policy: str
    routing: Routing
    prefers: Preference
    is_batch: bool
    api: str
    api_usd: float
    obstacle: str
    rents: bool
    keep: timedelta
    rule: str
    is_bounded: bool
    within: int
    of: int
    window: timedelta
    rule_usd: float
    bridge_usd: float
    requests: float
    credit_usd: float
    cold: timedelta
    start_usd: float
    usd_hour: float
    warm_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRow:
    """
    What one policy would have cost.

    Attributes:
        difference: To ``auto``; below zero where it would have been cheaper.
    """

    name: str
    cost: MicroUsd
    difference: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowLedger:
    """
    What policies would have cost on the same requests: in a model, at the prices that were believed when they came.

    Attributes:
        since: When the first of the requests came.
        booked: What was really spent since then, whichever policy was in force.
        rows: ``auto`` first.
    """

    since: datetime
    requests: int
    booked: MicroUsd
    rows: tuple[ShadowRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """
    The rule by which machines are rented, and what bounds it.

    Attributes:
        max_price: The dearest machine that may be rented.
        person_day: Caps; None sets none.
        shadow: What other policies would have cost; None while nothing was asked for.
    """

    name: str
    idle_timeout: timedelta
    clouds: tuple[str, ...]
    bridges: tuple[str, ...]
    routing: Routing
    max_price: MicroUsdPerHour
    max_machines: int
    hedges_per_hour: int
    person_day: MicroUsd | None
    day: MicroUsd | None
    month: MicroUsd | None
    shadow: ShadowLedger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapView:
    """
    One cap on money.

    Attributes:
        name: As an admin types it.
        limit: None when there is none.
        spent: Booked and set aside so far; None for a cap that each person has for themselves.
    """

    name: str
    limit: MicroUsd | None
    spent: MicroUsd | None


class PeopleStore(Protocol):
    """What people keep beside their jobs."""

    async def presets(self, user: UserId) -> tuple[Preset, ...]:
        """By name."""
        ...

    async def save_preset(self, user: UserId, preset: Preset) -> None:
        """
        Keep *preset* in place of the one of that name.

        Raises:
            RequestError: The person has as many as there may be.
        """
        ...

    async def remove_preset(self, user: UserId, name: str) -> bool:
        """False when there is none of that name."""
        ...

    async def blocked_words(self, place: str) -> tuple[str, ...]:
        """
        What may not be asked for in *place*, in alphabetical order.

        Args:
            place: The bot's own name of a guild, a group or a page.
        """
        ...

    async def block_word(self, place: str, word: str) -> None:
        """
        Block *word*; nothing happens when it is blocked already.

        Raises:
            RequestError: As many are blocked as there may be.
        """
        ...

    async def allow_word(self, place: str, word: str) -> bool:
        """False when it was not blocked."""
        ...

    async def place_setting(self, place: str, name: str) -> str:
        """What admins chose there; empty when they chose nothing."""
        ...

    async def set_place_setting(self, place: str, name: str, value: str) -> None:
        """Keep *value* in place of the one before. Names and values are the bot's own."""
        ...

    async def person_of(self, account: UserId) -> UserId:
        """Whose account it is: everything a person has is kept under that name."""
        ...

    async def meet(self, account: UserId, name: str) -> UserId:
        """As :meth:`person_of`, for an account that speaks; remembers what it is called, unless that is empty."""
        ...

    async def name_of(self, account: UserId) -> str:
        """What it was called when it last spoke; empty when nobody knows."""
        ...

    async def called(self, name: str) -> tuple[UserId, ...]:
        """People one of whose accounts is called *name*, whatever its case."""
        ...

    async def accounts_of(self, user: UserId) -> tuple[UserId, ...]:
        """All accounts of a person, the one under whose name they are kept first."""
        ...

    async def offer_link(self, user: UserId) -> str:
        """A code that joins another account to *user*: good for ten minutes, once."""
        ...

    async def withdraw_link(self, code: str) -> None:
        """Make a code worth nothing: somebody has seen it who was not to."""
        ...

    async def link(self, account: UserId, code: str) -> UserId:
        """
        Make *account*, and everything that was joined to it, a part of whoever offered *code*.

        Raises:
            RequestError: The code is wrong or too old, or something of the account is still under way.
        """
        ...

    async def unlink(self, account: UserId) -> None:
        """
        Make it a person by itself again; what it did stays with the person.

        Raises:
            RequestError: It was joined to nobody.
        """
        ...

    async def profile(self, user: UserId) -> Profile: ...

    async def save_profile(self, user: UserId, profile: Profile) -> None: ...

    async def claim(self, name: str) -> bool:
        """
        Take what may be done once: True for whoever asks first, also over restarts.

        Names are the bot's own, and remembered for :data:`CLAIMED_FOR`.
        """
        ...

    async def forget(self, user: UserId) -> Forgotten:
        """
        Remove a person's prompts, pictures, presets, LoRAs, choices and names for good, and take their accounts apart.

        What it all cost stays in the ledger.

        Raises:
            RequestError: A job of theirs is under way.
        """
        ...


class LoraStore(Protocol):
    """LoRAs that people add themselves, beside those of the workflows."""

    async def of(self, user: UserId) -> tuple[AddedLora, ...]:
        """Those that *user* can name: their own, then those of everybody, each by name."""
        ...

    async def add(self, user: UserId, new: NewLora, *, shared: bool = False) -> AddedLora:
        """
        Read the file, which may take minutes, and keep what is known of it.

        Args:
            shared: Everybody can name it. Who may do that is the bot's to decide.

        Raises:
            RequestError: The name is taken, or there is no LoRA at that link that can be had.
        """
        ...

    async def remove(self, user: UserId, name: str, *, shared: bool = False) -> bool:
        """False when there is none of that name. Jobs that were asked for with it still get it."""
        ...


class Orchestrator(Protocol):
    """The orchestrator, running in the bot's own process."""

    @property
    def people(self) -> PeopleStore: ...

    @property
    def loras(self) -> LoraStore: ...

    async def submit(self, request: JobRequest) -> JobTicket:
        """
        Accept a job, durably, before this returns.

        Raises:
            RequestError: It cannot be done as asked; no job exists.
        """
        ...

    async def cancel(self, job: JobId, *, by: UserId, is_admin: bool = False) -> CancelOutcome:
        """Exactly this job: queued, running or waiting for a cold start."""
        ...

    async def job(self, job: JobId) -> JobView | None: ...

    async def jobs(
        self, *, user: UserId | None = None, before: JobId | None = None, limit: int = 50
    ) -> tuple[JobView, ...]:
        """Newest first."""
        ...

    async def why(self, job: JobId) -> Decision | None:
        """How it was decided; None when there is no such job, or that is no longer kept."""
        ...

    async def rebind(self, job: JobId, origin: str) -> None:
        """The card moved to another message."""
        ...

    def updates(self) -> AsyncIterator[JobUpdate]:
        """First every end not yet acknowledged, then live; of several updates of one job only the newest."""
        ...

    async def acknowledge(self, job: JobId) -> None:
        """The person has seen how it ended."""
        ...

    def notices(self) -> AsyncIterator[Notice]:
        """First every notice not yet acknowledged, then live."""
        ...

    async def acknowledge_notice(self, notice: int) -> None: ...

    async def image(self, key: ImageKey) -> bytes | None: ...

    async def session(self, user: UserId) -> SessionView | None:
        """The person's session that takes requests or is just cooling; None when there is none."""
        ...

    async def expect(self, user: UserId) -> None:
        """
        Somebody is about to ask for a picture: a machine may be started for them, if that is switched on.

        To be called at most once a person and minute; nothing becomes of it where no money would be saved.
        """
        ...

    async def keep(self, user: UserId, span: timedelta) -> KeepOutcome:
        """Keep the person's warm machine for *span* from now at least."""
        ...

    async def release(self, user: UserId) -> ReleaseOutcome:
        """Give the person's machine back now; jobs that are running on it are finished first."""
        ...

    def workflows(self) -> tuple[WorkflowCard, ...]: ...

    def seconds_per_image(self) -> float:
        """What one picture has taken on our machines lately, or a guess; for estimates before a job is submitted."""
        ...

    async def overview(self) -> Overview: ...

    async def costs(self, days: int) -> CostReport: ...

    async def policy(self) -> PolicyView: ...

    async def set_routing(self, name: str) -> None:
        """
        Choose for good where pictures are made for who says nothing about it; see :class:`Routing`.

        Raises:
            RequestError: There is none of that name.
        """
        ...

    async def caps(self) -> tuple[CapView, ...]: ...

    async def set_cap(self, name: str, limit: MicroUsd | None) -> None:
        """
        Change a cap for good; None switches it off.

        Raises:
            RequestError: There is none of that name.
        """
        ...

    async def end_instance(self, instance: InstanceId) -> bool:
        """An admin ends one machine; its jobs go to another. False when there is no such machine."""
        ...

    async def drain(self, *, on: bool) -> None:
        """While on, no new job is accepted; what is queued is finished."""
        ...
