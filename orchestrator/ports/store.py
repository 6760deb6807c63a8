"""
What must last: sessions, jobs, machines, money and every move between their states.

A transaction is one ``async with``; inside it there is no network, no SSH and no sleep. One writer at a time.
Every ``change`` is a compare-and-set on ``version`` and appends the move to ``event`` in the same transaction.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.domain.ids import CloudName, CloudRef, ImageKey, InstanceId, JobId, LaunchKey, SessionId, UserId
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.domain.job import Job, Value
from orchestrator.domain.loras import AddedLora
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.notices import Notice
from orchestrator.domain.people import Preset, Profile
from orchestrator.domain.policy.keeping import Kept
from orchestrator.domain.policy.memory import Outcome
from orchestrator.domain.policy.spend import Spent
from orchestrator.domain.policy.wire import Link, StartTimes
from orchestrator.domain.session import Session
from orchestrator.domain.snapshot import SessionSnapshot
from orchestrator.domain.stages import Stage

Details = Mapping[str, Value]
"""Why a move was made: the inputs of the decision, for the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One move of one job, session or instance."""

    at: datetime
    kind: str
    """``job``, ``session`` or ``instance``."""
    subject: str
    before: str
    """The state left; empty for the first."""
    after: str
    reason: str
    details: Details


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Money that was spent."""

    at: datetime
    user: UserId
    cloud: str
    """A cloud, or a managed API."""
    instance: InstanceId | None
    job: JobId | None
    amount: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCost:
    day: str
    """ISO 8601, UTC."""
    cloud: str
    user: UserId
    amount: MicroUsd


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asked for a job, when and where: all that is counted of it."""

    job: JobId
    at: datetime
    user: UserId
    surface: str


class Jobs(Protocol):
    async def add(self, job: Job, *, reason: str, details: Details | None = None) -> None:
        """*details* are what was decided about it, and by what numbers."""
        ...

    async def decision(self, job: JobId) -> Details:
        """What *details* were when it was added; empty when that is no longer kept."""
        ...

    async def since(self, at: datetime, *, after: Job | None, limit: int) -> tuple[Job, ...]:
        """Submitted then or later, oldest first; only those behind *after*."""
        ...

    async def get(self, job: JobId) -> Job | None: ...

    async def by_key(self, idempotency_key: str) -> Job | None: ...

    async def change(self, before: Job, after: Job, *, reason: str, details: Details | None = None) -> Job:
        """
        Write *after* over *before* and return it with its new version.

        Raises:
            StaleWrite: Somebody changed the row since *before* was read.
        """
        ...

    async def unfinished(self, session: SessionId) -> tuple[Job, ...]:
        """QUEUED and RUNNING, oldest first."""
        ...

    async def running(self) -> tuple[Job, ...]: ...

    async def dispatchable(self, limit: int) -> tuple[tuple[Job, Instance], ...]:
        """The oldest QUEUED job of each session whose READY instance runs nothing, with that instance."""
        ...

    async def bridgeable(self, limit: int) -> tuple[Job, ...]:
        """QUEUED jobs, oldest first, of sessions that have no READY instance."""
        ...

    async def behind(self, limit: int) -> tuple[Job, ...]:
        """QUEUED jobs, oldest first, of sessions that have one: behind what it paints."""
        ...

    async def page(self, *, user: UserId | None, before: JobId | None, limit: int) -> tuple[Job, ...]:
        """Newest first; all users when *user* is None; only those older than *before*."""
        ...

    async def asked(self, *, after: Asked | None, limit: int) -> tuple[Asked, ...]:
        """Who asked when, oldest first, from behind *after* on; without what people wished to be forgotten."""
        ...

    async def unacknowledged(self) -> tuple[Job, ...]:
        """Ended, and their person has not been told; oldest end first."""
        ...

    async def count_unfinished(self, user: UserId | None) -> int: ...

    async def count_images(self, session: Session, *, of_last: int) -> int:
        """Pictures of this session's jobs, as far as they are among its person's so many newest."""
        ...


class Sessions(Protocol):
    async def add(self, session: Session, *, reason: str) -> None: ...

    async def get(self, session: SessionId) -> Session | None: ...

    async def change(self, before: Session, after: Session, *, reason: str, details: Details | None = None) -> Session:
        """As :meth:`Jobs.change`."""
        ...

    async def active_of(self, user: UserId) -> Session | None:
        """The one session of *user* that takes requests: OPEN, WARMING or WARM."""
        ...

    async def not_closed(self) -> tuple[Session, ...]: ...

    async def busy(self) -> tuple[SessionId, ...]:
        """Those with an unfinished job."""
        ...

    async def bridged(self) -> tuple[Job, ...]:
        """Jobs whose picture an API made, and beside which a session that is not CLOSED waits for its machine."""
        ...

    async def due(self, now: datetime, limit: int) -> tuple[Session, ...]:
        """Not CLOSED and ``due_at`` has come, longest overdue first."""
        ...

    async def next_due_at(self) -> datetime | None: ...

    async def touch(self, session: SessionId, due_at: datetime) -> None:
        """
        Have the sessions loop look at it by *due_at*; never later than it would have. Changes no version.

        So a session is changed in the transaction that read it: otherwise a touch in between is overwritten.
        """
        ...

    async def snapshot(self, session: SessionId) -> SessionSnapshot | None: ...


class Instances(Protocol):
    async def add(self, instance: Instance, *, reason: str) -> None: ...

    async def get(self, instance: InstanceId) -> Instance | None: ...

    async def change(
        self, before: Instance, after: Instance, *, reason: str, details: Details | None = None
    ) -> Instance:
        """As :meth:`Jobs.change`."""
        ...

    async def in_states(self, *states: InstanceState) -> tuple[Instance, ...]:
        """Oldest first."""
        ...

    async def of_cloud(self, cloud: CloudName) -> tuple[Instance, ...]:
        """Not PLANNED and not TERMINATED, oldest first."""
        ...

    async def by_launch_key(self, key: LaunchKey) -> Instance | None: ...

    async def by_ref(self, cloud: CloudName, ref: CloudRef) -> tuple[Instance, ...]:
        """Every row that the cloud's name of a machine ever had, TERMINATED ones too, oldest first."""
        ...

    async def given_up(self, session: SessionId, since: datetime) -> tuple[Instance, ...]:
        """Machines of *session* that were really ordered and were given up since then, in that order."""
        ...

    async def outcomes(self, since: datetime, limit: int) -> tuple[Outcome, ...]:
        """
        What became of the machines given up since then, the last *limit* of them at most, newest first.

        One whose end speaks against it failed; one that made a picture and ended for another reason worked; the others
        say nothing and are left out.
        """
        ...

    async def links(self, since: datetime, limit: int) -> tuple[Link, ...]:
        """How fast machines were measured to download since then, the newest *limit* at most, newest first."""
        ...

    async def settled(self, limit: int) -> tuple[InstanceId, ...]:
        """Machines that were ordered and made a picture, or were given up before that; newest first."""
        ...

    async def stages(self, instance: InstanceId) -> tuple[Stage, ...]:
        """In the order in which the steps begin."""
        ...

    async def record_stage(self, instance: InstanceId, stage: Stage) -> None:
        """Insert or overwrite the row of that step."""
        ...

    async def cold_starts(self, cloud: CloudName, limit: int) -> tuple[float, ...]:
        """Seconds from the order until they were ready, of the last *limit* machines of *cloud* that got ready."""
        ...

    async def stage_seconds(self, cloud: CloudName, limit: int) -> Mapping[str, tuple[float, ...]]:
        """How long each step took on the last *limit* machines of *cloud* that got ready, for estimates."""
        ...

    async def start_times(self, cloud: CloudName, limit: int) -> tuple[StartTimes, ...]:
        """What the last *limit* machines of *cloud* that got ready took for that; in no order."""
        ...


class Ledger(Protocol):
    async def book(self, booking: Booking) -> None: ...

    async def spent(self, user: UserId, *, day: datetime, month: datetime) -> Spent:
        """
        Booked since *day* and *month* began, plus what is still reserved for live machines beyond their bookings.

        Args:
            day: Its first moment, in UTC.
            month: Its first moment, in UTC.
        """
        ...

    async def total(self, since: datetime, until: datetime) -> MicroUsd:
        """Booked from *since* on and before *until*."""
        ...

    async def by_day(self, since: datetime) -> tuple[DayCost, ...]:
        """What was booked on each UTC day, from the whole day that holds *since* on; oldest day first."""
        ...

    async def bridged(self, session: Session, *, of_last: int) -> MicroUsd:
        """What APIs have charged for jobs of *session*, among the newest *of_last* of its person."""
        ...

    async def pictures(self, since: datetime) -> int:
        """Pictures made since then."""
        ...


class Notices(Protocol):
    async def add(self, notice: Notice, *, unless_since: datetime) -> bool:
        """Store it (its ``id`` is given by the store) unless one of its topic is younger than *unless_since*."""
        ...

    async def unacknowledged(self) -> tuple[Notice, ...]: ...

    async def acknowledge(self, notice: int, at: datetime) -> None: ...


class People(Protocol):
    async def presets(self, user: UserId) -> tuple[Preset, ...]:
        """By name."""
        ...

    async def put_preset(self, user: UserId, preset: Preset) -> None:
        """Insert it, or overwrite the one of that name."""
        ...

    async def remove_preset(self, user: UserId, name: str) -> bool:
        """False when there was none."""
        ...

    async def blocked_words(self, place: str) -> tuple[str, ...]:
        """In alphabetical order."""
        ...

    async def block_word(self, place: str, word: str) -> None: ...

    async def allow_word(self, place: str, word: str) -> bool:
        """False when it was not blocked."""
        ...

    async def place_setting(self, place: str, name: str) -> str:
        """Empty when it was never set."""
        ...

    async def set_place_setting(self, place: str, name: str, value: str) -> None: ...

    async def person_of(self, account: UserId) -> UserId:
        """Whose account it is; the account itself while it was joined to nobody's."""
        ...

    async def accounts_of(self, user: UserId) -> tuple[UserId, ...]:
        """Those that were joined to *user*, without *user* itself."""
        ...

    async def name_of(self, account: UserId) -> str:
        """What it was called when it last spoke; empty when nobody knows."""
        ...

    async def put_name(self, account: UserId, name: str) -> None:
        """In place of the one before."""
        ...

    async def called(self, name: str, limit: int) -> tuple[UserId, ...]:
        """Accounts of that name, whatever its case; at most *limit*."""
        ...

    async def put_link_code(self, user: UserId, code_hash: str, expires_at: datetime) -> None:
        """In place of an earlier one of theirs; forgets those that have expired long ago."""
        ...

    async def take_link_code(self, code_hash: str, now: datetime) -> UserId | None:
        """Who offered it, once; None for one that is unknown, used or too old."""
        ...

    async def join(self, joining: UserId, to: UserId, at: datetime) -> None:
        """
        Make everything of *joining* a part of *to*: accounts, jobs, sessions, machines, money, notices, presets, LoRAs.

        Of two presets or LoRAs of one name *to* keeps its own. *joining*'s profile is dropped.
        """
        ...

    async def unlink(self, account: UserId) -> bool:
        """Make it a person by itself again, without a past. False when it was joined to nobody."""
        ...

    async def profile(self, user: UserId) -> Profile: ...

    async def put_profile(self, user: UserId, profile: Profile) -> None: ...

    async def claim(self, name: str, at: datetime, *, since: datetime) -> bool:
        """False when somebody has it already; forgets those from before *since*."""
        ...

    async def pictures(self, user: UserId) -> tuple[ImageKey, ...]:
        """Those that nobody else's job made as well."""
        ...

    async def forget(self, user: UserId, at: datetime) -> int:
        """Wipe the words and pictures of *user* from every ended job, with all they kept; how many jobs that were."""
        ...


class Loras(Protocol):
    """LoRAs that people have added; :data:`EVERYBODY`'s are shared."""

    async def of(self, user: UserId) -> tuple[AddedLora, ...]:
        """By name."""
        ...

    async def find(self, user: UserId, name: str) -> AddedLora | None:
        """Their own of that name, else the shared one."""
        ...

    async def add(self, user: UserId, lora: AddedLora) -> bool:
        """False when they have one of that name."""
        ...

    async def remove(self, user: UserId, name: str) -> bool:
        """False when they have none of that name."""
        ...


class Keeping(Protocol):
    """What is kept for a while only."""

    async def pictures(self) -> tuple[Kept, ...]:
        """What each job has made and still has, oldest first."""
        ...

    async def needed(self, since: datetime) -> frozenset[ImageKey]:
        """
        Pictures that somebody waits for.

        Those that unfinished jobs start from, and those of jobs that ended after *since* without their person
        knowing yet.
        """
        ...

    async def drop_pictures(self, jobs: tuple[JobId, ...]) -> None:
        """Have these jobs without their pictures from now on."""
        ...

    async def forget_events(self, before: datetime, limit: int) -> int:
        """Remove at most *limit* of those from before then; returns how many."""
        ...

    async def forget_notices(self, before: datetime, limit: int) -> int:
        """Remove those that were told, among the oldest *limit*; returns how many."""
        ...

    async def forget_claims(self, before: datetime, limit: int) -> int:
        """As :meth:`forget_events`."""
        ...


class Books(Protocol):
    """Everything, inside one transaction."""

    @property
    def jobs(self) -> Jobs: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def instances(self) -> Instances: ...

    @property
    def ledger(self) -> Ledger: ...

    @property
    def notices(self) -> Notices: ...

    @property
    def people(self) -> People: ...

    @property
    def loras(self) -> Loras: ...

    @property
    def keeping(self) -> Keeping: ...

    async def events(self, subject: str) -> tuple[Event, ...]:
        """Every move of one job, session or instance, oldest first."""
        ...

    async def fact(self, name: str) -> str | None:
        """A fact about this installation, such as its id."""
        ...

    async def set_fact(self, name: str, value: str) -> None: ...


class Store(Protocol):
    def reading(self) -> AbstractAsyncContextManager[Books]:
        """One consistent view; writes in it are an error."""
        ...

    def writing(self) -> AbstractAsyncContextManager[Books]:
        """
        One transaction: committed, durably, when the block ends; rolled back when it raises.

        Raises:
            StoreError: The disk is full or the database stays busy; nothing was written.
        """
        ...
