"""A replay through the production control plane costs what the money model says: what holds there holds here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orchestrator.adapters.activity_log import Remarks, read_log
from orchestrator.control.experience import USD_HOUR
from orchestrator.domain.activity import Request
from orchestrator.domain.bounds import Times, people_of
from orchestrator.domain.fixed_rules import FixedRule, fixed_usd
from orchestrator.domain.money import MICRO
from orchestrator.domain.policy.by_name import policy_by_name
from orchestrator.domain.terms import Terms
from orchestrator.faults import Profile
from orchestrator.sim.replay import Replayed, replay
from tests.economics.closed_form import IDLE_TIMEOUT, auto_usd
from tests.economics.logs import FIRST_USER

REQUESTS = 160
TERMS = Terms(gpu_usd_hour=USD_HOUR, bridge_usd=0.02)
"""At the price that is believed before any machine was seen, as the money model knows everything from the start."""

CLOSE = 0.03
HARDLY = 1.02
"""Waits are held to so much: a machine that is given back earlier costs somebody a cold start, now and then."""

Model = Callable[[Sequence[Times], Terms], float]


def of_rule(count: int | None, keep: timedelta = IDLE_TIMEOUT) -> Model:
    rule = FixedRule(count=count, keep_s=int(keep.total_seconds()))
    return lambda people, terms: fixed_usd(people, rule, terms)


def play(requests: Sequence[Request], policy: str, terms: Terms, profile: Profile = Profile.NONE) -> Replayed:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        chosen = policy_by_name(policy, IDLE_TIMEOUT)
        return replay(requests, chosen, terms, profile=profile, seed=0, folder=Path(folder))


@pytest.fixture(scope="module")
def requests() -> Sequence[Request]:
    return list(islice(read_log(FIRST_USER, Remarks()), REQUESTS))


def usd(replayed: Replayed) -> float:
    return (replayed.gpu + replayed.bridge) / MICRO


@pytest.mark.parametrize(
    ("policy", "model"),
    [
        ("fixed(2,300,180)", of_rule(2, timedelta(seconds=180))),
        ("bridge-only", of_rule(None)),
        ("first-user", of_rule(1)),
        ("auto", auto_usd),
    ],
)
def test_it_costs_what_the_money_model_says(policy: str, model: Model, requests: Sequence[Request]) -> None:
    played = play(requests, policy, TERMS)

    assert usd(played) == pytest.approx(model(people_of(requests), TERMS), rel=CLOSE)
    assert (played.lost_jobs, played.orphans) == (0, 0)
    assert played.cold_starts or policy == "bridge-only"


def test_the_same_seed_gives_the_same_again(requests: Sequence[Request]) -> None:
    few = requests[:60]

    assert play(few, "auto", TERMS) == play(few, "auto", TERMS)


def test_where_four_of_five_machines_fail_auto_costs_hardly_more_than_the_bridge_alone(
    requests: Sequence[Request],
) -> None:
    terms = replace(TERMS, bridge_usd=0.003)

    played = play(requests, "auto", terms, Profile.MARKET)

    assert usd(played) <= 1.05 * usd(play(requests, "bridge-only", terms, Profile.MARKET))
    assert (played.lost_jobs, played.orphans) == (0, 0)


def test_without_a_bridge_auto_is_cheaper_than_the_first_users_rule_and_people_hardly_wait_longer(
    requests: Sequence[Request],
) -> None:
    terms = Terms(bridge_usd=None)

    few = requests[:100]
    auto, first_user = play(few, "auto", terms), play(few, "first-user", terms)

    assert usd(auto) < usd(first_user)
    for first_ones, shares in ((False, (0.5, 0.95, 0.99)), (True, (0.5, 0.95))):
        for share in shares:
            assert wait(auto, share, first_ones=first_ones) <= HARDLY * wait(first_user, share, first_ones=first_ones)
    assert (auto.lost_jobs, auto.orphans) == (0, 0)


def wait(replayed: Replayed, share: float, *, first_ones: bool) -> float:
    """Seconds that such a share of the requests waited at most; of people's first ones alone, or of all."""
    seconds = sorted(each.seconds for each in replayed.waits if each.is_first or not first_ones)
    return seconds[min(int(share * len(seconds)), len(seconds) - 1)]
