"""Every value survives the way into a row and back, whatever it holds."""

import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.adapters.database.instance_rows import instance_from, instance_row, stage_from, stage_row
from orchestrator.adapters.database.rows import (
    event_from,
    event_row,
    from_micros,
    job_from,
    job_row,
    known,
    mapping_json,
    notice_from,
    notice_row,
    session_from,
    session_row,
    to_micros,
)
from orchestrator.domain.ids import InstanceId
from orchestrator.domain.instance import Address, Instance
from orchestrator.domain.job import Failure, Job, Served, Value
from orchestrator.domain.notices import Notice
from orchestrator.domain.offer import Offer, Tariff
from orchestrator.domain.session import Session
from orchestrator.domain.stages import Stage
from orchestrator.ports.store import Event

moments = st.integers(min_value=-(2**48), max_value=2**52)
times = moments.map(lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros))
numbers = st.integers(min_value=-(2**63), max_value=2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values: st.SearchStrategy[Mapping[str, Value]] = st.dictionaries(
    texts, st.one_of(texts, st.integers(), st.floats(allow_nan=False, allow_infinity=False)), max_size=4
)

patiently = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
"""A busy computer fails nothing here."""

BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    datetime: times,
    int: numbers,
    str: texts,
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    Mapping[str, Value]: values,
}


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Draw whatever fits the annotation *kind*; hypothesis knows the rest."""
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    if hasattr(kind, "__supertype__"):
        return strategy(kind.__supertype__)
    if hasattr(kind, "__dataclass_fields__"):
        return drawn(kind)
    if type(None) in get_args(kind):
        return st.one_of([st.none(), *(strategy(part) for part in get_args(kind) if part is not type(None))])
    if getattr(kind, "__origin__", None) is tuple:
        return st.lists(strategy(get_args(kind)[0]), max_size=3).map(tuple)
    return st.from_type(kind)


def drawn(kind: Any) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{field.name: strategy(field.type) for field in fields(kind)})


def through_sqlite(row: Mapping[str, Any]) -> sqlite3.Row:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    columns = ", ".join(f":{name} AS {name}" for name in row)
    (answer,) = connection.execute(f"SELECT {columns}", row)
    connection.close()
    assert isinstance(answer, sqlite3.Row)
    return answer


@patiently
@given(drawn(Session))
def test_a_session_survives(session: Session) -> None:
    assert session_from(through_sqlite(session_row(session))) == session


@patiently
@given(drawn(Job))
def test_a_job_survives(job: Job) -> None:
    assert job_from(through_sqlite(job_row(job))) == job


@patiently
@given(drawn(Instance))
def test_an_instance_survives(instance: Instance) -> None:
    assert instance_from(through_sqlite(instance_row(instance))) == instance


@patiently
@given(drawn(Stage))
def test_a_stage_survives(stage: Stage) -> None:
    assert stage_from(through_sqlite(stage_row(InstanceId("i1"), stage))) == stage


@patiently
@given(drawn(Event))
def test_an_event_survives(event: Event) -> None:
    assert event_from(through_sqlite(event_row(event))) == event


@patiently
@given(drawn(Notice))
def test_a_notice_survives(notice: Notice) -> None:
    """Its id is given, and it is acknowledged, by the store."""
    row = notice_row(notice) | {"id": notice.id, "acknowledged_at": None}

    restored = notice_from(through_sqlite(row))

    assert notice_row(restored) == notice_row(notice)


@patiently
@given(times)
def test_times_are_exact_to_the_microsecond(at: datetime) -> None:
    assert from_micros(to_micros(at)) == at


def test_a_time_in_another_zone_is_the_same_moment_in_utc() -> None:
    stockholm = datetime(2026, 7, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))

    restored = from_micros(to_micros(stockholm))

    assert restored == stockholm
    assert restored.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        to_micros(datetime(2026, 7, 1))  # noqa: DTZ001 - that is what is refused


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_cannot_hold_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        mapping_json({"strength": number})


@pytest.mark.parametrize("kind", [Address, Failure, Offer, Served, Tariff])
def test_what_a_later_release_has_added_is_left_out(kind: type) -> None:
    """The release before must run on rows that the next one has written."""
    raw = {field.name: 1 for field in fields(kind)}

    assert known(kind, raw | {"added_later": 2}) == raw
