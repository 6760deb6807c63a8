"""Rows of machines and of the steps of their cold starts, and their values; see ``rows``."""

import json
from dataclasses import asdict
from functools import lru_cache

from orchestrator.adapters.database.database import Row
from orchestrator.adapters.database.rows import (
    SqlRow,
    from_micros,
    known,
    time_or_none,
    to_json,
    to_micros,
    to_micros_or_null,
)
from orchestrator.domain.ids import (
    CloudName,
    CloudRef,
    HostId,
    InstanceId,
    LaunchKey,
    MachineId,
    SessionId,
    UserId,
    WorkflowName,
)
from orchestrator.domain.instance import Address, EndReason, Instance, InstanceState
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.offer import Offer, Tariff
from orchestrator.domain.policy.memory import Outcome
from orchestrator.domain.policy.wire import MOST_LINKS, Link
from orchestrator.domain.stages import Stage, StageState, Step

INSTANCE_COLUMNS = (
    "id",
    "session_id",
    "user_id",
    "workflow",
    "state",
    "created_at",
    "state_since",
    "version",
    "cloud",
    "launch_key",
    "offer",
    "machine",
    "host",
    "ref",
    "ordered_at",
    "running_at",
    "ready_at",
    "proved_at",
    "given_up_at",
    "ended_at",
    "end_reason",
    "reserved",
    "booked",
    "bytes_down",
    "absences",
    "missed_at",
    "address",
    "host_key",
    "comfyui_port",
    "variant",
)


def instance_row(instance: Instance) -> SqlRow:
    offer, address = instance.offer, instance.address
    return {
        "id": instance.id,
        "session_id": instance.session,
        "user_id": instance.user,
        "workflow": instance.workflow,
        "state": instance.state,
        "created_at": to_micros(instance.created_at),
        "state_since": to_micros(instance.state_since),
        "version": instance.version,
        "cloud": instance.cloud,
        "launch_key": instance.launch_key,
        "offer": _offer_json(offer) if offer else None,
        "machine": offer.machine if offer else None,
        "host": offer.host if offer else None,
        "ref": instance.ref,
        "ordered_at": to_micros_or_null(instance.ordered_at),
        "running_at": to_micros_or_null(instance.running_at),
        "ready_at": to_micros_or_null(instance.ready_at),
        "proved_at": to_micros_or_null(instance.proved_at),
        "given_up_at": to_micros_or_null(instance.given_up_at),
        "ended_at": to_micros_or_null(instance.ended_at),
        "end_reason": instance.end_reason,
        "reserved": instance.reserved,
        "booked": instance.booked,
        "bytes_down": instance.bytes_down,
        "absences": instance.absences,
        "missed_at": to_micros_or_null(instance.missed_at),
        "address": to_json(asdict(address)) if address else None,
        "host_key": instance.host_key,
        "comfyui_port": instance.comfyui_port,
        "variant": instance.variant,
    }


def instance_from(row: Row) -> Instance:
    return Instance(
        id=InstanceId(row["id"]),
        session=None if row["session_id"] is None else SessionId(row["session_id"]),
        user=UserId(row["user_id"]),
        workflow=WorkflowName(row["workflow"]),
        state=InstanceState(row["state"]),
        created_at=from_micros(row["created_at"]),
        state_since=from_micros(row["state_since"]),
        version=row["version"],
        cloud=None if row["cloud"] is None else CloudName(row["cloud"]),
        launch_key=None if row["launch_key"] is None else LaunchKey(row["launch_key"]),
        offer=None if row["offer"] is None else _offer(row["offer"]),
        ref=None if row["ref"] is None else CloudRef(row["ref"]),
        ordered_at=time_or_none(row["ordered_at"]),
        running_at=time_or_none(row["running_at"]),
        ready_at=time_or_none(row["ready_at"]),
        proved_at=time_or_none(row["proved_at"]),
        given_up_at=time_or_none(row["given_up_at"]),
        ended_at=time_or_none(row["ended_at"]),
        end_reason=None if row["end_reason"] is None else EndReason(row["end_reason"]),
        reserved=MicroUsd(row["reserved"]),
        booked=MicroUsd(row["booked"]),
        bytes_down=row["bytes_down"],
        absences=row["absences"],
        missed_at=time_or_none(row["missed_at"]),
        address=None if row["address"] is None else Address(**known(Address, json.loads(row["address"]))),
        host_key=row["host_key"],
        comfyui_port=row["comfyui_port"],
        variant=row["variant"],
    )


@lru_cache(maxsize=512)
def read_instance(row: Row) -> Instance:
    """The same for a row of SQLite's own, which is compared by all that is in it; most are read again unchanged."""
    return instance_from(row)


@lru_cache(maxsize=256)
def _offer_json(offer: Offer) -> str:
    """As :func:`_offer`: a row is also written far more often than that."""
    return to_json(asdict(offer))


@lru_cache(maxsize=256)
def _offer(text: str) -> Offer:
    """A machine's row is read far more often than its offer changes."""
    raw = known(Offer, json.loads(text))
    return Offer(**{**raw, "tariff": Tariff(**known(Tariff, raw["tariff"]))})


def outcome_from(row: Row, *, worked: bool) -> Outcome:
    return Outcome(
        cloud=CloudName(row["cloud"]),
        machine=MachineId(row["machine"]),
        host=HostId(row["host"]),
        at=from_micros(row["at"]),
        worked=worked,
    )


def link_from(row: Row) -> Link:
    return Link(
        cloud=CloudName(row["cloud"]),
        machine=MachineId(row["machine"]),
        host=HostId(row["host"]),
        at=from_micros(row["ended_at"]),
        bps=row["rate_bps"],
        advertised_mbps=_advertised(row["offer"]),
    )


@lru_cache(maxsize=2 * MOST_LINKS)
def _advertised(text: str) -> float:
    """Of an offer, without making one: it is asked of very many at once."""
    return float(json.loads(text).get("inet_down_mbps", 0.0))


def stage_row(instance: InstanceId, stage: Stage) -> SqlRow:
    return {
        "instance_id": instance,
        "step": stage.step,
        "state": stage.state,
        "started_at": to_micros_or_null(stage.started_at),
        "ended_at": to_micros_or_null(stage.ended_at),
        "bytes_done": stage.bytes_done,
        "bytes_total": stage.bytes_total,
        "rate_bps": stage.rate_bps,
    }


def stage_from(row: Row) -> Stage:
    return Stage(
        step=Step(row["step"]),
        state=StageState(row["state"]),
        started_at=time_or_none(row["started_at"]),
        ended_at=time_or_none(row["ended_at"]),
        bytes_done=row["bytes_done"],
        bytes_total=row["bytes_total"],
        rate_bps=row["rate_bps"],
    )


@lru_cache(maxsize=512)
def read_stage(row: Row) -> Stage:
    """As :func:`read_instance`."""
    return stage_from(row)
