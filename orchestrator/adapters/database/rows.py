"""
Rows of the database and values of the domain, one into the other.

``*_COLUMNS`` are the columns that a row function fills; a value that is None is NULL.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from orchestrator.adapters.database.database import Row, SqlValue
from orchestrator.domain.ids import (
    ImageKey,
    InstanceId,
    JobId,
    PromptId,
    SessionId,
    UserId,
    WorkflowName,
)
from orchestrator.domain.job import Failure, Job, JobState, OwnLora, Preference, Served
from orchestrator.domain.notices import Notice
from orchestrator.domain.session import Session, SessionState
from orchestrator.ports.store import Booking, Event

SqlRow = dict[str, SqlValue]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

SESSION_COLUMNS = (
    "id",
    "user_id",
    "state",
    "opened_at",
    "last_request_at",
    "version",
    "keep_until",
    "due_at",
    "tries",
    "released_at",
    "idle_since",
    "bridged_job",
)
JOB_COLUMNS = (
    "id",
    "user_id",
    "session_id",
    "surface",
    "origin",
    "idempotency_key",
    "workflow",
    "parameters",
    "state",
    "submitted_at",
    "deadline",
    "version",
    "source",
    "started_at",
    "ended_at",
    "attempts",
    "instance_id",
    "bridge",
    "bridge_ref",
    "avoids",
    "prefers",
    "may_remake",
    "own_lora",
    "prompt_id",
    "images",
    "image_count",
    "served",
    "failure",
    "acknowledged_at",
    "forgotten_at",
)


def to_micros(at: datetime) -> int:
    """Microseconds since 1970, exact; a naive *at* is a TypeError."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def to_micros_or_null(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def time_or_none(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def to_json(value: object) -> str:
    return _JSON.encode(value)


def known(kind: type, raw: Mapping[str, Any]) -> dict[str, Any]:
    """What *raw* says about the fields of the dataclass *kind*; what a later release has added is left out."""
    return {field.name: raw[field.name] for field in fields(kind) if field.name in raw}


def mapping_json(values: Mapping[str, Any]) -> str:
    return to_json(dict(values))


def session_row(session: Session) -> SqlRow:
    return {
        "id": session.id,
        "user_id": session.user,
        "state": session.state,
        "opened_at": to_micros(session.opened_at),
        "last_request_at": to_micros(session.last_request_at),
        "version": session.version,
        "keep_until": to_micros_or_null(session.keep_until),
        "due_at": to_micros_or_null(session.due_at),
        "tries": session.tries,
        "released_at": to_micros_or_null(session.released_at),
        "idle_since": to_micros_or_null(session.idle_since),
        "bridged_job": session.bridged_job,
    }


def session_from(row: Row) -> Session:
    return Session(
        id=SessionId(row["id"]),
        user=UserId(row["user_id"]),
        state=SessionState(row["state"]),
        opened_at=from_micros(row["opened_at"]),
        last_request_at=from_micros(row["last_request_at"]),
        version=row["version"],
        keep_until=time_or_none(row["keep_until"]),
        due_at=time_or_none(row["due_at"]),
        tries=row["tries"],
        released_at=time_or_none(row["released_at"]),
        idle_since=time_or_none(row["idle_since"]),
        bridged_job=None if row["bridged_job"] is None else JobId(row["bridged_job"]),
    )


@lru_cache(maxsize=128)
def read_session(row: Row) -> Session:
    """
    The same for a row of SQLite's own, which is compared by all that is in it; most are read again unchanged.

    Not so for jobs: words that a person had forgotten would stay in memory.
    """
    return session_from(row)


def job_row(job: Job) -> SqlRow:
    return {
        "id": job.id,
        "user_id": job.user,
        "session_id": job.session,
        "surface": job.surface,
        "origin": job.origin,
        "idempotency_key": job.idempotency_key,
        "workflow": job.workflow,
        "parameters": mapping_json(job.values),
        "state": job.state,
        "submitted_at": to_micros(job.submitted_at),
        "deadline": to_micros(job.deadline),
        "version": job.version,
        "source": job.source,
        "started_at": to_micros_or_null(job.started_at),
        "ended_at": to_micros_or_null(job.ended_at),
        "attempts": job.attempts,
        "instance_id": job.instance,
        "bridge": job.bridge,
        "bridge_ref": job.bridge_ref,
        "avoids": to_json(job.avoids),
        "prefers": job.prefers,
        "may_remake": int(job.may_remake),
        "own_lora": to_json(asdict(job.own_lora)) if job.own_lora else None,
        "prompt_id": job.prompt,
        "images": to_json(job.images),
        "image_count": len(job.images),
        "served": to_json(asdict(job.served)) if job.served else None,
        "failure": to_json({"key": job.failure.key, "values": dict(job.failure.values)}) if job.failure else None,
        "acknowledged_at": to_micros_or_null(job.acknowledged_at),
        "forgotten_at": to_micros_or_null(job.forgotten_at),
    }


def job_from(row: Row) -> Job:
    return Job(
        id=JobId(row["id"]),
        user=UserId(row["user_id"]),
        session=SessionId(row["session_id"]),
        surface=row["surface"],
        origin=row["origin"],
        idempotency_key=row["idempotency_key"],
        workflow=WorkflowName(row["workflow"]),
        values=json.loads(row["parameters"]),
        state=JobState(row["state"]),
        submitted_at=from_micros(row["submitted_at"]),
        deadline=from_micros(row["deadline"]),
        version=row["version"],
        source=None if row["source"] is None else ImageKey(row["source"]),
        started_at=time_or_none(row["started_at"]),
        ended_at=time_or_none(row["ended_at"]),
        attempts=row["attempts"],
        instance=None if row["instance_id"] is None else InstanceId(row["instance_id"]),
        bridge=row["bridge"],
        bridge_ref=row["bridge_ref"],
        avoids=tuple(json.loads(row["avoids"])),
        prefers=Preference(row["prefers"]),
        may_remake=bool(row["may_remake"]),
        own_lora=None if row["own_lora"] is None else OwnLora(**known(OwnLora, json.loads(row["own_lora"]))),
        prompt=None if row["prompt_id"] is None else PromptId(row["prompt_id"]),
        images=tuple(ImageKey(key) for key in json.loads(row["images"])),
        served=None if row["served"] is None else Served(**known(Served, json.loads(row["served"]))),
        failure=None if row["failure"] is None else Failure(**known(Failure, json.loads(row["failure"]))),
        acknowledged_at=time_or_none(row["acknowledged_at"]),
        forgotten_at=time_or_none(row["forgotten_at"]),
    )


def booking_row(booking: Booking) -> SqlRow:
    return {
        "at": to_micros(booking.at),
        "user_id": booking.user,
        "cloud": booking.cloud,
        "instance_id": booking.instance,
        "job_id": booking.job,
        "amount": booking.amount,
    }


def event_row(event: Event) -> SqlRow:
    return {
        "at": to_micros(event.at),
        "kind": event.kind,
        "subject": event.subject,
        "before": event.before,
        "after": event.after,
        "reason": event.reason,
        "details": mapping_json(event.details),
    }


def event_from(row: Row) -> Event:
    return Event(
        at=from_micros(row["at"]),
        kind=row["kind"],
        subject=row["subject"],
        before=row["before"],
        after=row["after"],
        reason=row["reason"],
        details=json.loads(row["details"]),
    )


def notice_row(notice: Notice) -> SqlRow:
    return {
        "user_id": notice.user,
        "key": notice.key,
        "parameters": mapping_json(notice.values),
        "topic": notice.topic,
        "at": to_micros(notice.at),
    }


def notice_from(row: Row) -> Notice:
    return Notice(
        id=row["id"],
        user=None if row["user_id"] is None else UserId(row["user_id"]),
        key=row["key"],
        values=json.loads(row["parameters"]),
        topic=row["topic"],
        at=from_micros(row["at"]),
        acknowledged_at=time_or_none(row["acknowledged_at"]),
    )
