"""Whom to trust: what is remembered of machines, hosts and clouds, and which offer is taken because of it."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ids import CloudName, HostId, MachineId
from orchestrator.domain.money import micro_usd_per_hour
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.domain.policy.memory import HALF_LIFE, REST, WINDOW, Memory, Outcome
from orchestrator.domain.policy.placement import rank_offers, ready_price
from orchestrator.faults import Profile, host_fault
from tests.unit.domain.test_policies import NOW, VAST, an_offer

NEEDS = Requirements(vram_mib=24_000, disk_gib=60)
JUST_NOW = timedelta(minutes=1)
YESTERDAY = timedelta(hours=20)


def outcome(name: str, ago: timedelta, *, worked: bool = False, host: str = "", cloud: CloudName = VAST) -> Outcome:
    """Of the machine that the offer of that *name* is for."""
    host_id = HostId(host or f"h-{name}")
    return Outcome(cloud=cloud, machine=MachineId(f"m-{name}"), host=host_id, at=NOW - ago, worked=worked)


def ranked(*offers: Offer, outcomes: tuple[Outcome, ...] = ()) -> list[str]:
    best = rank_offers(offers, NEEDS, outcomes=outcomes, taken=(), max_price=micro_usd_per_hour(0.8), now=NOW)
    return [offer.id for offer in best]


def trust(name: str, *outcomes: Outcome, host: str = "", cloud: CloudName = VAST) -> float:
    return Memory(outcomes, NOW).trust(cloud, HostId(host or f"h-{name}"), MachineId(f"m-{name}"))


outcomes_of_few = st.lists(
    st.builds(
        outcome,
        st.sampled_from("abc"),
        st.timedeltas(timedelta(), WINDOW),
        worked=st.booleans(),
        host=st.sampled_from(["", "shared"]),
    ),
    max_size=30,
)


def test_a_machine_that_failed_just_now_is_not_tried_though_nothing_else_is_on_offer() -> None:
    assert ranked(an_offer("a", 0.1), outcomes=(outcome("a", JUST_NOW),)) == []


def test_a_machine_that_has_rested_is_tried_before_a_job_fails_for_want_of_another() -> None:
    assert ranked(an_offer("a", 0.1), outcomes=(outcome("a", REST),)) == ["a"]


def test_a_machine_that_failed_lately_comes_after_every_other_whatever_it_costs() -> None:
    assert ranked(an_offer("a", 0.05), an_offer("b", 0.7), outcomes=(outcome("a", YESTERDAY),)) == ["b", "a"]


def test_a_host_that_failed_lately_takes_its_other_machines_with_it() -> None:
    sibling = an_offer("sibling", 0.05, host=HostId("h-a"))

    assert ranked(sibling, an_offer("b", 0.7), outcomes=(outcome("a", JUST_NOW),)) == ["b", "sibling"]


def test_one_bad_machine_of_a_host_with_many_good_ones_is_that_machines_fault() -> None:
    """A data centre is one host with many machines."""
    good = tuple(outcome(f"good{n}", YESTERDAY, worked=True, host="big") for n in range(5))
    bad = outcome("bad", JUST_NOW, host="big")
    sibling = an_offer("sibling", 0.3, host=HostId("big"))

    assert ranked(sibling, an_offer("b", 0.32), outcomes=(*good, bad)) == ["sibling", "b"]


def test_a_machine_that_failed_long_ago_gets_another_chance() -> None:
    assert ranked(an_offer("a", 0.1), an_offer("b", 0.4), outcomes=(outcome("a", 2 * HALF_LIFE),)) == ["a", "b"]


def test_a_machine_that_fails_again_and_again_waits_longer_for_its_chance() -> None:
    again = tuple(outcome("a", 2 * HALF_LIFE) for _ in range(5))

    assert ranked(an_offer("a", 0.1), an_offer("b", 0.4), outcomes=again) == ["b", "a"]


def test_a_machine_that_worked_is_worth_a_little_more_than_one_that_nobody_knows() -> None:
    worked = (outcome("a", YESTERDAY, worked=True),)

    assert ranked(an_offer("a", 0.31), an_offer("b", 0.30), outcomes=worked) == ["a", "b"]
    assert ranked(an_offer("a", 0.60), an_offer("b", 0.30), outcomes=worked) == ["b", "a"]


def test_where_most_machines_fail_one_that_worked_is_worth_twice_as_much() -> None:
    outcomes = (*(outcome(f"bad{n}", YESTERDAY) for n in range(12)), outcome("a", YESTERDAY, worked=True))

    assert ranked(an_offer("a", 0.60), an_offer("b", 0.30), outcomes=outcomes) == ["a", "b"]


def test_a_cloud_whose_machines_fail_is_dearer_than_its_prices() -> None:
    other = CloudName("other")
    outcomes = tuple(outcome(f"bad{n}", YESTERDAY) for n in range(8))
    offers = (an_offer("a", 0.30), an_offer("b", 0.40, cloud=other))

    assert ranked(*offers) == ["a", "b"]
    assert ranked(*offers, outcomes=outcomes) == ["b", "a"]


def test_where_every_machine_is_bad_the_untried_are_still_tried() -> None:
    outcomes = tuple(outcome(f"bad{n}", YESTERDAY) for n in range(50))

    assert ranked(an_offer("a", 0.3), an_offer("bad1", 0.1), outcomes=outcomes) == ["a", "bad1"]


def test_a_ready_machine_costs_its_price_times_the_tries_that_it_takes() -> None:
    offer = an_offer("a", 0.40)

    assert ready_price(offer, Memory((), NOW)) == pytest.approx(micro_usd_per_hour(0.40) / 0.8)
    assert ready_price(offer, Memory((outcome("a", timedelta()),), NOW)) > 2 * micro_usd_per_hour(0.40)


@given(outcomes_of_few)
def test_trust_is_never_certain_and_never_lost(outcomes: list[Outcome]) -> None:
    assert all(0 < trust(name, *outcomes) < 1 for name in "abcd")


@given(outcomes_of_few, st.timedeltas(timedelta(), WINDOW))
def test_a_further_failure_never_helps_and_a_further_success_never_harms(
    outcomes: list[Outcome], ago: timedelta
) -> None:
    before = trust("a", *outcomes)

    assert trust("a", *outcomes, outcome("a", ago)) <= before + 1e-9
    assert trust("a", *outcomes, outcome("a", ago, worked=True)) >= before - 1e-9


@given(st.timedeltas(timedelta(), WINDOW), st.timedeltas(timedelta(minutes=1), WINDOW))
def test_a_failure_fades(ago: timedelta, later: timedelta) -> None:
    assert trust("a", outcome("a", ago)) < trust("a", outcome("a", ago + later)) < trust("a")


@given(outcomes_of_few, st.randoms(use_true_random=False))
def test_the_order_in_which_outcomes_are_told_changes_nothing(outcomes: list[Outcome], dice: random.Random) -> None:
    shuffled = dice.sample(outcomes, len(outcomes))

    assert trust("a", *shuffled) == pytest.approx(trust("a", *outcomes))


def test_a_clock_that_was_set_back_makes_nothing_weigh_more() -> None:
    assert trust("a", outcome("a", -timedelta(hours=1))) == trust("a", outcome("a", timedelta()))


def test_machines_of_the_same_name_at_two_clouds_are_two() -> None:
    other = CloudName("other")

    assert trust("a", outcome("a", JUST_NOW), cloud=other) == trust("a")


# What it is good for.


def tries_per_ready_machine(profile: Profile, *, remembers: bool, seed: int, hosts: int = 20, days: int = 30) -> float:
    """Four cold starts a day on a market of fixed prices, each trying machines until one works."""
    dice = random.Random(seed)
    offers = [an_offer(f"{host}", dice.uniform(0.2, 0.6)) for host in range(hosts)]
    outcomes: list[Outcome] = []
    ready = tried = 0
    for start in range(4 * days):
        now = NOW + timedelta(hours=6 * start)
        failed: set[str] = set()
        while True:
            known = tuple(outcomes) if remembers else ()
            best = rank_offers(offers, NEEDS, outcomes=known, taken=(), max_price=micro_usd_per_hour(0.8), now=now)
            left = [offer for offer in best if offer.id not in failed]
            if not left:
                break
            tried += 1
            day = (now - NOW).days
            worked = host_fault(profile, host=int(left[0].id), day=day, seed=seed) is None
            outcomes.append(
                Outcome(cloud=VAST, machine=left[0].machine, host=left[0].host, at=now, worked=worked),
            )
            if worked:
                ready += 1
                break
            failed.add(left[0].id)
    return tried / ready


@pytest.mark.parametrize("seed", range(3))
def test_on_the_first_users_market_memory_saves_most_of_the_tries(seed: int) -> None:
    """Hosts are bad for good there: once found, a good one is kept."""
    with_memory = tries_per_ready_machine(Profile.FIRST_USER, remembers=True, seed=seed)
    without = tries_per_ready_machine(Profile.FIRST_USER, remembers=False, seed=seed)

    assert with_memory <= 1.3
    assert with_memory <= without


@pytest.mark.parametrize("seed", range(3))
def test_on_a_market_that_changes_by_the_day_memory_still_helps(seed: int) -> None:
    with_memory = tries_per_ready_machine(Profile.MARKET, remembers=True, seed=seed)
    without = tries_per_ready_machine(Profile.MARKET, remembers=False, seed=seed)

    assert with_memory < without
