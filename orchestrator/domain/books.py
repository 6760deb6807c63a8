"""
Our books versus a cloud's listing: what follows from the difference, in both directions. Pure.

The reconciler calls it with a complete listing only; an absence is believed after two of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.ids import CloudRef, InstallationId, epoch_of, installation_of
from orchestrator.domain.instance import EndReason, Instance, InstanceState

ABSENCES_BELIEVED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One machine in a listing: as much of a rental as matters here."""

    ref: CloudRef
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Listed as expected; earlier absences are forgotten."""

    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An order whose answer was lost turned up under its label."""

    instance: Instance
    ref: CloudRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Not listed, for the first time: nothing follows yet."""

    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished:
    """Not listed again: it is gone, and we did not end it."""

    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Not listed again after we ended it: that is the proof."""

    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class StillThere:
    """We ended it and the cloud accepted that, and it is listed all the same."""

    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """It carries our label, and no row of ours wants it."""

    ref: CloudRef
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """Ordered by the bot that this data folder was copied from, after that: it may be in use there."""

    ref: CloudRef
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Ordered under our own name by a bot that was started after us."""

    ref: CloudRef
    label: str


Unknown = Orphan | LeftBehind | Rival
"""No living row of ours knows it."""

Finding = Seen | Found | Missed | Vanished | Gone | StillThere | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """
    What our own labels say.

    Attributes:
        epoch: Of this life; see :func:`orchestrator.domain.ids.launch_key`.
        former: The installations that this data folder was copied from.
    """

    installation: InstallationId
    epoch: int
    former: tuple[InstallationId, ...] = ()


def compare(
    rows: Iterable[Instance],
    listing: Iterable[Listed],
    *,
    names: Names,
    asked_at: datetime,
    late_machine: timedelta,
) -> tuple[Finding, ...]:
    """
    Hold the rows of one cloud that are not TERMINATED against its complete listing.

    Args:
        asked_at: When the listing was asked for: rows that moved after that are not judged by it.
        late_machine: How long an order that was given up as lost is still looked for.
    """
    listed = tuple(listing)
    by_ref = {machine.ref: machine for machine in listed}
    by_label = {machine.label: machine for machine in listed if machine.label}
    findings: list[Finding] = []
    known: set[CloudRef] = set()
    for row in sorted(rows, key=lambda r: (r.created_at, r.id)):
        machine = by_ref.get(row.ref) if row.ref else by_label.get(row.launch_key or "")
        if machine is not None:
            known.add(machine.ref)
        if row.state_since <= asked_at:
            finding = _judge(row, machine, asked_at=asked_at, late_machine=late_machine)
            findings += [] if finding is None else [finding]
    for machine in sorted(listed, key=lambda m: m.ref):
        unknown = None if machine.ref in known else judge_unknown(machine, names)
        findings += [] if unknown is None else [unknown]
    return tuple(findings)


def judge_unknown(machine: Listed, names: Names) -> Unknown | None:
    """Say whose a machine is that no living row knows; None when it is none of our business."""
    installation, epoch = installation_of(machine.label), epoch_of(machine.label)
    if installation in names.former:
        return LeftBehind(ref=machine.ref, label=machine.label)
    if installation != names.installation or epoch is None:
        return None
    kind = Rival if epoch > names.epoch else Orphan
    return kind(ref=machine.ref, label=machine.label)


def _judge(row: Instance, machine: Listed | None, *, asked_at: datetime, late_machine: timedelta) -> Finding | None:
    if row.state is InstanceState.LAUNCHING:
        return None  # the provisioner looks for it itself
    if machine is not None:
        return _judge_listed(row, machine, asked_at)
    if row.absences + 1 < ABSENCES_BELIEVED:
        return Missed(instance=row)
    if row.state is not InstanceState.TERMINATING:
        return Vanished(instance=row)
    may_be_late = row.ref is None and row.end_reason in {EndReason.LAUNCH_LOST, EndReason.LEFT_BEHIND}
    return None if may_be_late and asked_at - row.state_since < late_machine else Gone(instance=row)


def _judge_listed(row: Instance, machine: Listed, asked_at: datetime) -> Finding:
    if row.ref is None:
        return Found(instance=row, ref=machine.ref)
    if row.state is InstanceState.TERMINATING and row.ended_at is not None and row.ended_at <= asked_at:
        return StillThere(instance=row)
    return Seen(instance=row)
