"""A machine that we ordered, from plan to confirmed end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrator.domain.errors import IllegalTransitionError
from orchestrator.domain.ids import CloudName, CloudRef, InstanceId, LaunchKey, SessionId, UserId, WorkflowName
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour
from orchestrator.domain.offer import Offer


class InstanceState(StrEnum):
    PLANNED = "PLANNED"  # wanted; nothing is ordered, nothing costs money
    LAUNCHING = "LAUNCHING"  # the order is written down and may have been sent: money may be running
    BOOTING = "BOOTING"  # the cloud has accepted the order and named the machine
    PREPARING = "PREPARING"  # it runs and SSH answers or is about to
    READY = "READY"  # ComfyUI answers and its models are there; its first picture is the proof
    DRAINING = "DRAINING"  # finishes what it paints, takes nothing new
    TERMINATING = "TERMINATING"  # to be ended, until the cloud twice shows it gone
    TERMINATED = "TERMINATED"  # gone, proved; the bill is closed


NEXT: Mapping[InstanceState, frozenset[InstanceState]] = {
    InstanceState.PLANNED: frozenset({InstanceState.LAUNCHING, InstanceState.TERMINATED}),
    # back to PLANNED only when the cloud said that nothing was ordered
    InstanceState.LAUNCHING: frozenset({InstanceState.PLANNED, InstanceState.BOOTING, InstanceState.TERMINATING}),
    InstanceState.BOOTING: frozenset({InstanceState.PREPARING, InstanceState.TERMINATING}),
    InstanceState.PREPARING: frozenset({InstanceState.READY, InstanceState.TERMINATING}),
    InstanceState.READY: frozenset({InstanceState.DRAINING, InstanceState.TERMINATING}),
    InstanceState.DRAINING: frozenset({InstanceState.TERMINATING}),
    InstanceState.TERMINATING: frozenset({InstanceState.TERMINATED}),
    InstanceState.TERMINATED: frozenset(),
}

WARMING = frozenset(
    {InstanceState.PLANNED, InstanceState.LAUNCHING, InstanceState.BOOTING, InstanceState.PREPARING},
)
"""On the way to READY."""

ORDERED = frozenset(InstanceState) - {InstanceState.PLANNED, InstanceState.TERMINATED}
"""May exist at a cloud and cost money."""


class EndReason(StrEnum):
    """Why a machine was ended. States are places; this is the reason."""

    IDLE = "idle"  # nobody asked for anything until the idle timeout
    RELEASED = "released"  # its person gave it back
    NOT_NEEDED = "not_needed"  # every job that wanted it ended first
    NOT_ASKED = "not_asked"  # it was started early, and nobody asked for anything
    OVERTAKEN = "overtaken"  # another machine painted first
    SHUTDOWN = "shutdown"  # the bot was stopped by hand
    ADMIN = "admin"  # an admin ended it
    OVER_BUDGET = "over_budget"
    NO_OFFER = "no_offer"  # nothing acceptable was on offer
    OFFER_GONE = "offer_gone"  # others were faster
    ACCOUNT = "account"  # the cloud refuses our key or our money
    CLOUD_UNAVAILABLE = "cloud_unavailable"  # the cloud does not answer, or not in a way we understand
    LAUNCH_LOST = "launch_lost"  # the order never became a machine
    BOOT_FAILED = "boot_failed"  # the cloud says that it will never run
    BOOT_TOO_SLOW = "boot_too_slow"
    SSH_UNREACHABLE = "ssh_unreachable"
    WRONG_MACHINE = (
        "wrong_machine"  # another GPU than the one that was ordered, or a driver too old for what it was ordered for
    )
    DISK_FULL = "disk_full"
    BAD_DOWNLOAD = "bad_download"  # other bytes than the model's, or none that we are let to
    DOWNLOAD_TOO_SLOW = "download_too_slow"
    PREPARE_FAILED = "prepare_failed"
    COMFYUI_FAILED = "comfyui_failed"
    COMFYUI_STUCK = "comfyui_stuck"  # it takes prompts and paints nothing, also after it was started again
    OUT_OF_VRAM = "out_of_vram"  # its GPU ran out of memory, also after ComfyUI was started again
    UNEXPECTED = "unexpected"  # an error that no code of ours expected, several times in a row
    VANISHED = "vanished"  # the cloud does not know it any more
    HOST_LOST = "host_lost"  # the cloud still lists it, but it does not answer
    ORPHAN = "orphan"  # it carries our label and belongs to nobody
    LEFT_BEHIND = "left_behind"  # the data folder is a copy, and this may be in use where it was copied from


BLAMELESS = frozenset(
    {
        EndReason.IDLE,
        EndReason.RELEASED,
        EndReason.NOT_NEEDED,
        EndReason.NOT_ASKED,
        EndReason.OVERTAKEN,
        EndReason.SHUTDOWN,
        EndReason.ADMIN,
        EndReason.OVER_BUDGET,
        EndReason.ORPHAN,
        EndReason.LEFT_BEHIND,
    },
)
"""Ends that say nothing against the machine or its cloud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a machine's SSH server is."""

    host: str
    port: int
    user: str = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """
    One machine of ours.

    Attributes:
        session: Whose it is; None for an orphan that we only end.
        workflow: What it is prepared for.
        variant: Of that workflow, chosen when it was ordered; empty for the workflow's own files.
        offer: What was ordered; None while PLANNED.
        ref: The cloud's name for it; None until the order was accepted or found again.
        reserved: The worst case that was set aside when it was ordered.
        booked: What the ledger holds for it so far.
        running_at: When the cloud first said that it was up.
        proved_at: When it had made its first picture, a smoke picture or somebody's; until then its start may yet fail.
        given_up_at: When we decided to end it; its bill may run on until *ended_at*.
        ended_at: When the cloud accepted its end or first did not know it any more: the bill stops here.
        absences: Complete listings in a row that did not show it.
        missed_at: When the bill stopped at the latest, if those listings are right; None while it is listed.
        host_key: The SSH host key pinned at first contact.
        comfyui_port: Where ComfyUI listens on the machine's loopback; 0 until it does.
    """

    id: InstanceId
    session: SessionId | None
    user: UserId
    workflow: WorkflowName
    state: InstanceState
    created_at: datetime
    state_since: datetime
    version: int = 0
    cloud: CloudName | None = None
    launch_key: LaunchKey | None = None
    offer: Offer | None = None
    ref: CloudRef | None = None
    ordered_at: datetime | None = None
    running_at: datetime | None = None
    ready_at: datetime | None = None
    proved_at: datetime | None = None
    given_up_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    reserved: MicroUsd = MicroUsd(0)
    booked: MicroUsd = MicroUsd(0)
    bytes_down: int = 0
    absences: int = 0
    missed_at: datetime | None = None
    address: Address | None = None
    host_key: str | None = None
    comfyui_port: int = 0
    variant: str = ""

    def moved_to(self, state: InstanceState, now: datetime) -> "Instance":
        """Move along the table, the only way to move.

        Raises:
            IllegalTransitionError: The table has no such move.
        """
        if state not in NEXT[self.state]:
            raise IllegalTransitionError(f"instance {self.id}: {self.state} -> {state}")
        return replace(self, state=state, state_since=now)

    def ending(self, reason: EndReason, now: datetime) -> "Instance":
        """Give it up: straight to its end when nothing was ordered, else towards a proved one."""
        end = InstanceState.TERMINATED if self.state is InstanceState.PLANNED else InstanceState.TERMINATING
        moved = self.moved_to(end, now)
        ended_at = now if end is InstanceState.TERMINATED else self.ended_at
        return replace(moved, end_reason=reason, given_up_at=now, ended_at=ended_at)

    def seen(self) -> "Instance":
        """There is proof that it is there: what listings lacked is forgotten."""
        return replace(self, absences=0, missed_at=None)

    @property
    def price(self) -> MicroUsdPerHour:
        return self.offer.tariff.per_hour if self.offer else MicroUsdPerHour(0)

    @property
    def is_over(self) -> bool:
        """Nothing more can be done with it; it may still have to be proved gone."""
        return self.state in {InstanceState.TERMINATING, InstanceState.TERMINATED}

    @property
    def bill_closed_at(self) -> datetime | None:
        """Until when its bill is closed; None while it runs, or when there never was one."""
        is_closed = self.state is InstanceState.TERMINATED and self.ref is not None
        return (
            min((at for at in (self.ended_at, self.missed_at) if at is not None), default=None) if is_closed else None
        )

    @property
    def is_left_alone(self) -> bool:
        """It may be in use by the bot that this data folder was copied from: watched, never ended."""
        return self.state is InstanceState.TERMINATING and self.end_reason is EndReason.LEFT_BEHIND

    def cost(self, now: datetime) -> MicroUsd:
        """What it has cost by *now*, by its cloud's own tariff; *now* may be a moment long past."""
        if self.offer is None or self.ordered_at is None:
            return MicroUsd(0)
        until = min(self.ended_at or now, self.missed_at or now, now)
        return self.offer.tariff.cost(
            ordered=self.ordered_at, running=self.running_at, until=until, bytes_down=self.bytes_down
        )

    def age(self, now: datetime) -> timedelta:
        return now - self.created_at
