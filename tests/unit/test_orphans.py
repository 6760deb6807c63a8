"""When the bill of a machine began whose order was never answered."""

from datetime import datetime, timedelta

import pytest

from orchestrator.control.orphans import began_at
from tests.contract.samples import NOW

MINUTE = timedelta(minutes=1)
ORDERED = NOW - 9 * MINUTE
LISTED = NOW - 5 * MINUTE
STARTED = NOW - 7 * MINUTE


def test_what_the_cloud_says_is_believed_before_all_else() -> None:
    assert began_at(STARTED, ORDERED, NOW, listed_before=LISTED) == STARTED


def test_no_machine_began_before_it_was_ordered() -> None:
    assert began_at(STARTED - 10 * MINUTE, ORDERED, NOW, listed_before=LISTED) == ORDERED


def test_a_start_since_which_it_was_not_listed_for_long_is_of_a_clock_that_disagrees() -> None:
    assert began_at(NOW - 60 * MINUTE, None, NOW, listed_before=LISTED) == LISTED


def test_a_cloud_that_says_nothing_began_it_after_it_last_did_not_list_it() -> None:
    assert began_at(None, ORDERED, NOW, listed_before=LISTED) == LISTED
    assert began_at(None, ORDERED, NOW, listed_before=ORDERED - MINUTE) == ORDERED
    assert began_at(None, ORDERED, NOW) == ORDERED


@pytest.mark.parametrize("ordered", [ORDERED, None, NOW + MINUTE])
def test_a_start_yet_to_come_says_nothing(ordered: datetime | None) -> None:
    assert began_at(NOW + 30 * MINUTE, ordered, NOW, listed_before=LISTED) == LISTED


def test_what_nobody_knows_anything_about_began_now() -> None:
    assert began_at(None, None, NOW) == NOW
    assert began_at(NOW + MINUTE, NOW + MINUTE, NOW, listed_before=NOW + MINUTE) == NOW
