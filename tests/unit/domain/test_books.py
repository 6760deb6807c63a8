"""Our books versus a cloud's listing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.domain.books import (
    Finding,
    Found,
    Gone,
    Listed,
    Missed,
    Names,
    Orphan,
    Seen,
    StillThere,
    Vanished,
    compare,
)
from orchestrator.domain.ids import (
    CloudName,
    CloudRef,
    InstallationId,
    InstanceId,
    LaunchKey,
    SessionId,
    UserId,
    WorkflowName,
    launch_key,
)
from orchestrator.domain.instance import EndReason, Instance, InstanceState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
US = InstallationId("abcd1234")
KEY = launch_key(US, 3, InstanceId("order1"))


def an_instance(state: InstanceState, **changes: object) -> Instance:
    instance = Instance(
        id=InstanceId("i1"),
        session=SessionId("s1"),
        user=UserId("web:ada"),
        workflow=WorkflowName("flux"),
        state=state,
        created_at=NOW - timedelta(minutes=5),
        state_since=NOW - timedelta(minutes=1),
        cloud=CloudName("vast"),
        launch_key=KEY,
        ref=CloudRef("77"),
    )
    return replace(instance, **changes)  # type: ignore[arg-type]


def findings(row: Instance | None, *listed: Listed) -> tuple[Finding, ...]:
    rows = [] if row is None else [row]
    return compare(
        rows, listed, names=Names(installation=US, epoch=3), asked_at=NOW, late_machine=timedelta(minutes=10)
    )


LISTED = Listed(ref=CloudRef("77"), label=KEY)


def test_a_listed_machine_is_seen() -> None:
    row = an_instance(InstanceState.READY)

    assert findings(row, LISTED) == (Seen(instance=row),)


def test_one_absence_proves_nothing() -> None:
    row = an_instance(InstanceState.READY)

    assert findings(row) == (Missed(instance=row),)


def test_a_second_absence_of_a_living_machine_means_that_it_vanished() -> None:
    row = an_instance(InstanceState.READY, absences=1)

    assert findings(row) == (Vanished(instance=row),)


def test_a_second_absence_of_an_ended_machine_is_the_proof() -> None:
    row = an_instance(InstanceState.TERMINATING, absences=1, ended_at=NOW)

    assert findings(row) == (Gone(instance=row),)


def test_a_listing_asked_for_before_the_last_move_judges_nothing() -> None:
    row = an_instance(InstanceState.BOOTING, state_since=NOW + timedelta(seconds=1))

    assert findings(row) == ()


def test_a_machine_listed_after_its_end_was_accepted_is_still_there() -> None:
    row = an_instance(InstanceState.TERMINATING, ended_at=NOW - timedelta(seconds=5))

    assert findings(row, LISTED) == (StillThere(instance=row),)


def test_an_order_given_up_as_lost_is_found_by_its_label() -> None:
    row = an_instance(InstanceState.TERMINATING, ref=None, end_reason=EndReason.LAUNCH_LOST)

    assert findings(row, LISTED) == (Found(instance=row, ref=CloudRef("77")),)


def test_an_order_given_up_as_lost_is_watched_before_it_is_buried() -> None:
    row = an_instance(InstanceState.TERMINATING, ref=None, end_reason=EndReason.LAUNCH_LOST, absences=1)
    older = replace(row, state_since=NOW - timedelta(minutes=11))

    assert findings(row) == ()
    assert findings(older) == (Gone(instance=older),)


def test_an_order_under_way_is_left_to_whoever_sent_it() -> None:
    row = an_instance(InstanceState.LAUNCHING, ref=None)

    assert findings(row, LISTED) == ()


def test_a_machine_with_our_label_that_nobody_knows_is_an_orphan() -> None:
    assert findings(None, LISTED) == (Orphan(ref=CloudRef("77"), label=KEY),)


@pytest.mark.parametrize("label", ["", "training-run", "glowplug-other123-3-order1", "glowplug-abcd1234-x-order1"])
def test_a_machine_with_another_label_is_never_touched(label: str) -> None:
    assert findings(None, Listed(ref=CloudRef("1"), label=label)) == ()


def test_two_machines_with_one_label_leave_one_orphan() -> None:
    """A cloud may sell one offer twice: the second machine is nobody's."""
    row = an_instance(InstanceState.BOOTING)
    twin = Listed(ref=CloudRef("78"), label=LaunchKey(KEY))

    assert findings(row, LISTED, twin) == (Seen(instance=row), Orphan(ref=CloudRef("78"), label=KEY))
