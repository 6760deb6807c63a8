"""The first user's criteria, applied to a row of cold starts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.verdict import Criteria, Judgement, Verdict, judge, variation_of

CRITERIA = Criteria()
runs = st.lists(st.one_of(st.none(), st.floats(0.1, 5000)), max_size=30)


def verdict(*seconds: float | None) -> Verdict:
    return judge(seconds, CRITERIA).verdict


def test_the_first_users_own_table_is_fit_for_batch_work_at_most() -> None:
    """Five runs, one of which took 491.6 s."""
    assert judge([None, 491.6, None, None, None], CRITERIA) == Judgement(
        success_rate=0.2, variation=None, verdict=Verdict.BATCH_ONLY
    )


def test_one_failure_in_ten_is_still_fine_and_one_in_nine_is_not() -> None:
    assert verdict(None, *[100.0] * 9) is Verdict.FINE
    assert verdict(None, *[100.0] * 8) is Verdict.BATCH_ONLY


@pytest.mark.parametrize(
    ("longest", "expected"),
    [(100, Verdict.FINE), (134, Verdict.FINE), (140, Verdict.UNEVEN), (166, Verdict.UNEVEN), (170, Verdict.UNSTEADY)],
)
def test_times_may_vary_by_less_than_a_third_and_by_no_more_than_half(longest: float, expected: Verdict) -> None:
    assert verdict(100.0, longest) is expected


def test_where_nothing_worked_or_nothing_was_tried_it_is_unusable() -> None:
    assert verdict(None, None) is Verdict.UNUSABLE
    assert verdict() is Verdict.UNUSABLE


def test_one_run_varies_by_nothing_that_can_be_said() -> None:
    assert variation_of([491.6]) is None
    assert variation_of([90.0, 110.0]) == pytest.approx(0.2)


@given(runs)
def test_a_further_failure_never_makes_it_fine(seconds: list[float | None]) -> None:
    before, after = judge(seconds, CRITERIA), judge([*seconds, None], CRITERIA)

    assert after.success_rate <= before.success_rate
    assert not (after.verdict is Verdict.FINE and before.verdict is not Verdict.FINE)
