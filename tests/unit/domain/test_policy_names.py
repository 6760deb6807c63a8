"""Policies by the names that people type."""

from datetime import timedelta

import pytest

from orchestrator.domain.policy.by_name import NAMES, policy_by_name
from orchestrator.domain.policy.fixed import AlwaysOn, Fixed

IDLE = timedelta(minutes=10)


@pytest.mark.parametrize(
    "name", ["auto", "first-user", "bridge-only", "fixed(2,300,180)", "always-on(24)", "always-on(9-21)"]
)
def test_each_policy_is_called_what_it_calls_itself(name: str) -> None:
    policy = policy_by_name(name, IDLE)

    assert policy.name == name
    assert policy.idle_timeout == IDLE


def test_blanks_do_not_count() -> None:
    assert policy_by_name(" fixed( 3, 600, 90 ) ", IDLE) == Fixed(
        requests=3, window=timedelta(minutes=10), keep=timedelta(seconds=90), idle_timeout=IDLE
    )


def test_hours_may_go_past_midnight() -> None:
    assert policy_by_name("always-on(22-6)", IDLE) == AlwaysOn(begins=22, hours=8, idle_timeout=IDLE)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Auto",
        "fixed",
        "fixed(2,300)",
        "fixed(0,300,180)",
        "fixed(2,0,180)",
        "fixed(-1,300,180)",
        "fixed(2,300,1.5)",
        "fixed(2,300,1234567)",
        "always-on",
        "always-on(13)",
        "always-on(24-25)",
        "always-on(9-25)",
        "auto;drop",
    ],
)
def test_a_name_that_there_is_none_of_is_told_which_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="there is no policy") as told:
        policy_by_name(name, IDLE)

    assert NAMES in str(told.value)
