"""Which errors our own code has a name for."""

import pytest

from orchestrator.domain.errors import (
    CloudUnavailable,
    DiskFull,
    IllegalTransitionError,
    OrchestratorError,
    StaleWrite,
    is_expected,
)
from tests.contract.samples import VAST

OURS = (CloudUnavailable(VAST, "no answer"), DiskFull("no room"), StaleWrite("moved on"), OrchestratorError())


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_an_error_of_ours_is_expected(error: OrchestratorError) -> None:
    assert is_expected(error)


@pytest.mark.parametrize("error", [KeyError("x"), IllegalTransitionError("a bug"), AssertionError()], ids=repr)
def test_a_bug_is_not_expected(error: Exception) -> None:
    assert not is_expected(error)


def test_a_group_of_errors_of_ours_is_expected_however_deep_they_lie() -> None:
    assert is_expected(ExceptionGroup("tasks", [OURS[0], ExceptionGroup("more tasks", [*OURS[1:]])]))


def test_one_bug_makes_a_whole_group_unexpected() -> None:
    assert not is_expected(ExceptionGroup("tasks", [*OURS, ExceptionGroup("more tasks", [KeyError("x")])]))


def test_that_somebody_stops_us_is_not_expected_among_errors() -> None:
    assert not is_expected(BaseExceptionGroup("tasks", [OURS[0], KeyboardInterrupt()]))
