"""Fault profiles: the same misfortune everywhere, and as much of it as was measured."""

from collections import Counter

import pytest

from orchestrator.faults import MARKET_FAULTS, SCOPES, Fault, Profile, Scope, host_fault

DAYS = range(40)


def test_every_fault_falls_on_something() -> None:
    assert set(SCOPES) == set(Fault)
    assert set(SCOPES.values()) == set(Scope)
    assert SCOPES[Fault.DESTROY_IGNORED] is Scope.MACHINE
    assert SCOPES[Fault.OFFER_SOLD_TWICE] is Scope.ORDER
    assert SCOPES[Fault.LISTING_RESHAPED] is Scope.LISTING
    assert SCOPES[Fault.KEY_REVOKED] is Scope.API
    assert SCOPES[Fault.SLOW_LINK] is Scope.MIRROR


def test_without_a_profile_nothing_is_wrong() -> None:
    assert all(host_fault(Profile.NONE, host=host, day=0, seed=1) is None for host in range(20))


@pytest.mark.parametrize("seed", range(20))
def test_of_the_first_users_five_hosts_one_is_good(seed: int) -> None:
    for group in (0, 1):
        hosts = range(5 * group, 5 * group + 5)
        found = Counter(host_fault(Profile.FIRST_USER, host=host, day=0, seed=seed) for host in hosts)
        assert found == {None: 1, Fault.SSH_NEVER_OPENS: 1, Fault.VANISHES_WHILE_MODELS_LOAD: 3}


def test_the_first_users_hosts_are_bad_for_good() -> None:
    for host in range(5):
        assert len({host_fault(Profile.FIRST_USER, host=host, day=day, seed=3) for day in DAYS}) == 1


def test_of_the_markets_hosts_four_in_five_are_bad_on_a_day_in_every_way() -> None:
    found = Counter(host_fault(Profile.MARKET, host=host, day=day, seed=1) for host in range(50) for day in DAYS)

    assert 0.77 < 1 - found[None] / found.total() < 0.83
    assert set(found) - {None} == set(MARKET_FAULTS)


def test_the_markets_hosts_change_from_day_to_day() -> None:
    assert len({host_fault(Profile.MARKET, host=0, day=day, seed=1) for day in DAYS}) > 5


def test_the_same_question_has_the_same_answer_on_every_computer() -> None:
    """Written down: no hash that differs between processes, versions or computers may take part."""
    first_user = [host_fault(Profile.FIRST_USER, host=host, day=0, seed=1) for host in range(5)]
    market = [host_fault(Profile.MARKET, host=host, day=20_000, seed=7) for host in range(5)]

    assert first_user == FIRST_USER_WITH_SEED_1
    assert market == MARKET_WITH_SEED_7


def test_every_way_of_the_market_befalls_a_machine() -> None:
    assert {SCOPES[fault] for fault in MARKET_FAULTS} == {Scope.MACHINE}


FIRST_USER_WITH_SEED_1 = [
    Fault.VANISHES_WHILE_MODELS_LOAD,
    Fault.VANISHES_WHILE_MODELS_LOAD,
    None,
    Fault.SSH_NEVER_OPENS,
    Fault.VANISHES_WHILE_MODELS_LOAD,
]
MARKET_WITH_SEED_7 = [
    Fault.VANISHES_WHILE_PAINTING,
    Fault.SSH_NEVER_OPENS,
    Fault.WRONG_GPU,
    Fault.GOES_OFFLINE,
    Fault.WRONG_GPU,
]
