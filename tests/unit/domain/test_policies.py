"""Placement, money, retries and estimates: pure decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.errors import (
    AccountProblem,
    CloudUnavailable,
    GraphRejected,
    OfferGone,
    OrchestratorError,
    RateLimited,
    RequestError,
)
from orchestrator.domain.estimates import REAL_CLOUD, SANDBOX, cold_start_left, slow_step
from orchestrator.domain.ids import CloudName, HostId, MachineId, OfferId
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour, micro_usd_per_hour, price_of
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.domain.policy.placement import Taken, rank_offers
from orchestrator.domain.policy.quota import Quota, check_quota
from orchestrator.domain.policy.retry import NextOffer, RetryAt, Stop, Verdict, after, next_machine_at, pause
from orchestrator.domain.policy.spend import Cap, Caps, Spent, broken_cap, once_given_up
from orchestrator.domain.stages import Stage, StageState, Step
from tests.contract.samples import BOB, an_instance

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VAST = CloudName("vast")
NEEDS = Requirements(vram_mib=24_000, disk_gib=60, cuda=12.4, inet_down_mbps=500, compute_capability=8.0)


def an_offer(name: str, usd: float, **changes: object) -> Offer:
    offer = Offer(
        cloud=VAST,
        id=OfferId(name),
        machine=MachineId(f"m-{name}"),
        host=HostId(f"h-{name}"),
        gpu="RTX 4090",
        vram_mib=24_564,
        disk_gib=100,
        tariff=Tariff(running=micro_usd_per_hour(usd)),
        reliability=0.99,
        inet_down_mbps=1000,
        location="Sweden",
        cuda=12.8,
        compute_capability=8.9,
    )
    return replace(offer, **changes)  # type: ignore[arg-type]


def a_machine(name: str, *, booked: int, **changes: object) -> Instance:
    """One for 36 cents an hour, of which an hour was reserved."""
    offer = an_offer(name, 0.36)
    return an_instance(name, offer=offer, reserved=MicroUsd(360_000), booked=MicroUsd(booked), **changes)


def ranked(*offers: Offer, taken: tuple[Taken, ...] = ()) -> list[str]:
    best = rank_offers(offers, NEEDS, outcomes=(), taken=taken, max_price=micro_usd_per_hour(0.8), now=NOW)
    return [offer.id for offer in best]


def test_the_cheapest_acceptable_offer_comes_first() -> None:
    assert ranked(an_offer("b", 0.4), an_offer("a", 0.3)) == ["a", "b"]


def test_a_machine_or_host_that_is_ours_already_is_not_ordered_again() -> None:
    taken = Taken(cloud=VAST, machine=MachineId("m-a"), host=HostId("h-a"))
    sibling = an_offer("sibling", 0.2, host=HostId("h-a"))

    assert ranked(an_offer("a", 0.1), sibling, an_offer("b", 0.3), taken=(taken,)) == ["b"]


def test_a_kind_may_be_ordered_while_one_of_it_is_ours() -> None:
    taken = Taken(cloud=VAST, machine=MachineId("m-a"), host=HostId("h-a"))

    assert ranked(an_offer("a", 0.1, is_kind=True), taken=(taken,)) == ["a"]


@pytest.mark.parametrize(
    "changes",
    [
        {"vram_mib": 16_000},
        {"disk_gib": 40},
        {"inet_down_mbps": 100.0},
        {"cuda": 12.1},
        {"gpu": "Tesla P40", "compute_capability": 6.1},
        {"tariff": Tariff(running=micro_usd_per_hour(0.9))},
    ],
)
def test_an_offer_that_cannot_do_it_is_not_taken_at_any_price(changes: dict[str, object]) -> None:
    assert ranked(an_offer("a", 0.1, **changes)) == []


@given(st.lists(st.floats(0.05, 0.79), min_size=1, max_size=8))
def test_no_worse_offer_is_ever_preferred(prices: list[float]) -> None:
    offers = [an_offer(f"o{index}", price) for index, price in enumerate(prices)]

    best = rank_offers(offers, NEEDS, outcomes=(), taken=(), max_price=micro_usd_per_hour(0.8), now=NOW)

    assert [o.tariff.per_hour for o in best] == sorted(o.tariff.per_hour for o in offers)


def test_a_cap_counts_what_is_reserved_before_anything_is_ordered() -> None:
    caps = Caps(person_day=MicroUsd(2_000_000), day=MicroUsd(5_000_000), month=None)
    spent = Spent(person_day=MicroUsd(1_500_000), day=MicroUsd(4_900_000), month=MicroUsd(90_000_000))

    assert broken_cap(caps, spent, MicroUsd(50_000)) is None
    assert broken_cap(caps, spent, MicroUsd(200_000)) is Cap.DAY
    assert broken_cap(caps, spent, MicroUsd(600_000)) is Cap.PERSON_DAY
    assert broken_cap(caps, spent, MicroUsd(200_000), share=1.2) is None


def test_a_machine_that_is_given_up_frees_what_was_reserved_beyond_its_last_minutes() -> None:
    spent = Spent(person_day=MicroUsd(900_000), day=MicroUsd(2_000_000), month=MicroUsd(5_000_000))
    begun, overrun = a_machine("begun", booked=0), a_machine("overrun", booked=450_000)
    of_another = a_machine("of another", booked=450_000, user=BOB)
    ending = a_machine("ending", booked=100_000, state=InstanceState.TERMINATING)
    live = (begun, overrun, of_another, ending)

    def more_than_spent(row: Instance) -> tuple[int, int, int]:
        at_most = once_given_up(spent, row, live, lambda _: timedelta(minutes=10))
        return at_most.person_day - 900_000, at_most.day - 2_000_000, at_most.month - 5_000_000

    last = 60_000
    assert more_than_spent(begun) == (last - 360_000 + last + last - 260_000, *(3 * last - 620_000 + last,) * 2)
    assert more_than_spent(overrun) == (2 * last - 260_000, *(3 * last - 260_000,) * 2)


def test_a_price_is_rounded_up_to_the_micro_dollar() -> None:
    assert price_of(MicroUsdPerHour(300_000), timedelta(hours=1)) == 300_000
    assert price_of(MicroUsdPerHour(1), timedelta(seconds=1)) == 1
    assert price_of(MicroUsdPerHour(300_000), timedelta(seconds=-5)) == 0


def test_a_tariff_bills_the_gpu_from_running_and_the_disk_from_the_order() -> None:
    tariff = Tariff(running=MicroUsdPerHour(360_000), always=MicroUsdPerHour(3_600), bills_boot=False)
    running = NOW + timedelta(seconds=100)
    until = NOW + timedelta(seconds=200)

    assert tariff.cost(ordered=NOW, running=running, until=until) == 10_000 + 200
    assert tariff.cost(ordered=NOW, running=None, until=until) == 200


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (CloudUnavailable(VAST, "502"), RetryAt),
        (RateLimited(VAST, "429", retry_after=timedelta(seconds=7)), RetryAt),
        (OfferGone(VAST, "taken"), NextOffer),
        (AccountProblem(VAST, "no money"), Stop),
        (GraphRejected("no such LoRA"), Stop),
    ],
)
def test_the_class_of_an_error_says_what_to_do(error: OrchestratorError, verdict: type[Verdict]) -> None:
    assert isinstance(after(error, 0, NOW, 0.5), verdict)


def test_a_rate_limit_is_obeyed_even_when_our_own_pause_is_shorter() -> None:
    verdict = after(RateLimited(VAST, "429", retry_after=timedelta(seconds=40)), 0, NOW, 0.0)

    assert verdict == RetryAt(at=NOW + timedelta(seconds=40))


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_pause_is_never_longer_than_a_minute_nor_shorter_than_half_a_second(attempt: int, jitter: float) -> None:
    assert timedelta(seconds=0.5) <= pause(attempt, jitter) <= timedelta(minutes=1)


def test_a_failed_machine_is_replaced_at_once() -> None:
    assert next_machine_at(EndReason.VANISHED, 3, NOW, 1.0) == NOW


@pytest.mark.parametrize("reason", [EndReason.NO_OFFER, EndReason.OVER_BUDGET])
def test_an_empty_market_and_a_used_up_budget_are_asked_ever_more_slowly(reason: EndReason) -> None:
    first, second = (next_machine_at(reason, tries, NOW, 1.0) for tries in (1, 2))
    assert NOW < first < second


def test_one_person_cannot_fill_the_queue() -> None:
    check_quota(Quota(queued_jobs=2), unfinished=1)
    with pytest.raises(RequestError, match="too_many_jobs"):
        check_quota(Quota(queued_jobs=2), unfinished=2)


def test_an_estimate_shrinks_as_steps_are_done_and_never_turns_negative() -> None:
    done = tuple(
        Stage(step=step, state=StageState.DONE, started_at=NOW, ended_at=NOW + timedelta(seconds=3)) for step in Step
    )

    lefts = [cold_start_left(done[:count], {}, REAL_CLOUD, NOW) for count in range(len(done) + 1)]

    highs = [left.high for left in lefts]
    assert highs == sorted(highs, reverse=True)
    assert lefts[-1].low == lefts[-1].high == 0


def test_an_estimate_uses_history_once_there_is_some() -> None:
    history = {str(step): (1.0, 1.0, 1.0, 1.0) for step in SANDBOX}

    left = cold_start_left((), history, REAL_CLOUD, NOW)

    assert left.low == left.high == 6.0  # provision, boot, ssh, agent, the longer of comfyui and models, smoke


def test_installing_is_reckoned_with_until_it_is_plain_that_it_was_left_out() -> None:
    history = {str(step): (10.0, 10.0, 10.0) for step in (Step.CLONE, Step.TORCH, Step.REQUIREMENTS, Step.COMFYUI)}

    assert cold_start_left((), history, {}, NOW).low == 40
    assert cold_start_left((a_step(Step.COMFYUI, 0),), history, {}, NOW).low == 10
    assert cold_start_left((a_step(Step.REQUIREMENTS, 4),), history, {}, NOW).low == 16


def test_a_download_is_estimated_by_its_bytes() -> None:
    models = Stage(
        step=Step.MODELS,
        state=StageState.RUNNING,
        started_at=NOW,
        bytes_done=10_000_000,
        bytes_total=30_000_000,
        rate_bps=1_000_000,
    )
    history = {str(step): (0.0, 0.0, 0.0) for step in SANDBOX}

    left = cold_start_left((models,), history, SANDBOX, NOW)

    assert (left.low, left.high) == (16.0, 30.0)


def a_step(step: Step, seconds: float) -> Stage:
    return Stage(step=step, state=StageState.RUNNING, started_at=NOW - timedelta(seconds=seconds))


def test_a_step_is_slow_once_nine_in_ten_were_faster() -> None:
    history = {str(Step.BOOT): [10.0] * 8 + [20.0, 90.0]}

    assert slow_step([a_step(Step.BOOT, 89)], history, REAL_CLOUD, NOW) is None
    slow = slow_step([a_step(Step.BOOT, 91)], history, REAL_CLOUD, NOW)
    assert slow is not None
    assert (slow.stage.step, slow.is_measured) == (Step.BOOT, True)


def test_without_a_history_a_step_is_slow_beyond_the_guess_and_that_is_no_measurement() -> None:
    slow = slow_step([a_step(Step.BOOT, 61)], {str(Step.BOOT): [1.0, 1.0]}, REAL_CLOUD, NOW)

    assert slow is not None
    assert not slow.is_measured
    assert slow_step([a_step(Step.BOOT, 59)], {}, REAL_CLOUD, NOW) is None
    assert slow_step([a_step(Step.TORCH, 9_999)], {}, REAL_CLOUD, NOW) is None, "nobody has guessed that one"


def test_nobody_wonders_about_a_few_seconds_nor_about_what_is_done() -> None:
    history = {str(Step.SSH): [0.3, 0.3, 0.3]}
    done = replace(a_step(Step.SSH, 60), state=StageState.DONE, ended_at=NOW)

    assert slow_step([a_step(Step.SSH, 4)], history, SANDBOX, NOW) is None
    assert slow_step([done], history, SANDBOX, NOW) is None
