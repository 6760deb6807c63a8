"""Where a job is made, what an API can make, what it charges, and when it is left alone. Pure."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.app import WORKFLOWS
from orchestrator.domain.inference import Capabilities, LoraSupport, Price, Sizes
from orchestrator.domain.instance import InstanceState
from orchestrator.domain.job import Job, JobState, OwnLora, Preference, Value
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.breaker import FIRST_S, LONGEST_S, Breaker
from orchestrator.domain.policy.routing import (
    BATCH,
    LONG_S,
    OnBridge,
    OnInstance,
    Prices,
    Route,
    Routing,
    Wait,
    route,
)
from orchestrator.domain.snapshot import SessionSnapshot
from orchestrator.domain.workflows import check_values
from tests.contract.samples import a_job, a_session, an_instance

PLAIN, FROM_PICTURE = read_workflows(WORKFLOWS)
BRIDGE = OnBridge(api="replicate")
SCHNELL = Capabilities(
    families=frozenset({"flux-schnell"}), sizes=Sizes(least=256, most=1536, step=16), steps=(1, 4), price=Price()
)


def a_request(prefers: Preference = Preference.DEFAULT, values: Mapping[str, Value] | None = None) -> Job:
    checked = check_values(PLAIN, {"prompt": "a fox", **(values or {})}, seed=1)
    return replace(a_job(), values=checked, prefers=prefers)


def routed(job: Job, *, routing: Routing = Routing.HYBRID, warm: bool = False, may_rent: bool = True) -> Route:
    machines = (an_instance(state=InstanceState.READY),) if warm else ()
    snapshot = SessionSnapshot(session=a_session(), jobs=(job,), instances=machines)
    return route(job, snapshot, bridges=("replicate", "together"), may_rent=may_rent, routing=routing)


# Where.


@pytest.mark.parametrize("prefers", Preference)
def test_a_warm_machine_makes_everything(prefers: Preference) -> None:
    assert routed(a_request(prefers), warm=True) == OnInstance()


@pytest.mark.parametrize(
    ("routing", "prefers", "count", "expected"),
    [
        (Routing.HYBRID, Preference.DEFAULT, 1, BRIDGE),
        (Routing.HYBRID, Preference.DEFAULT, BATCH, Wait()),
        (Routing.HYBRID, Preference.NOW, BATCH, BRIDGE),
        (Routing.OWN, Preference.DEFAULT, 1, Wait()),
        (Routing.OWN, Preference.NOW, 1, BRIDGE),
        (Routing.BRIDGE, Preference.DEFAULT, BATCH, BRIDGE),
        (Routing.BRIDGE, Preference.OWN, 1, Wait()),
        (Routing.BRIDGE, Preference.CHEAP, 1, Wait()),
    ],
)
def test_in_the_cold_the_person_decides_before_the_admin(
    routing: Routing, prefers: Preference, count: int, expected: Route
) -> None:
    assert routed(a_request(prefers, {"count": count}), routing=routing) == expected


PRICES = Prices(bridge_usd=0.003, start_usd=0.04, usd_s=0.0001, paint_s=15.0, is_coming=False)


@pytest.mark.parametrize(
    ("prices", "machine", "routing", "expected"),
    [
        (PRICES, None, Routing.HYBRID, BRIDGE),
        (PRICES, None, Routing.OWN, Wait()),
        (PRICES, InstanceState.BOOTING, Routing.HYBRID, Wait()),
        (PRICES, InstanceState.READY, Routing.HYBRID, OnInstance()),
        (replace(PRICES, is_coming=True), None, Routing.HYBRID, Wait()),
        (replace(PRICES, bridge_usd=0.042), None, Routing.HYBRID, Wait()),
    ],
)
def test_who_wants_it_cheap_gets_an_api_where_a_start_would_cost_more(
    prices: Prices, machine: InstanceState | None, routing: Routing, expected: Route
) -> None:
    job = a_request(Preference.CHEAP)
    machines = () if machine is None else (an_instance(state=machine),)
    snapshot = SessionSnapshot(session=a_session(), jobs=(job,), instances=machines)

    assert route(job, snapshot, bridges=("replicate",), may_rent=True, routing=routing, prices=prices) == expected


@pytest.mark.parametrize(
    ("prefers", "count", "routing", "expected"),
    [
        (Preference.DEFAULT, 1, Routing.HYBRID, BRIDGE),
        (Preference.DEFAULT, BATCH, Routing.HYBRID, OnInstance()),
        (Preference.DEFAULT, 1, Routing.OWN, OnInstance()),
        (Preference.NOW, BATCH, Routing.HYBRID, BRIDGE),
        (Preference.OWN, 1, Routing.HYBRID, OnInstance()),
        (Preference.CHEAP, 1, Routing.HYBRID, OnInstance()),
    ],
)
def test_who_waits_gets_an_api_while_the_warm_machine_has_long_to_paint(
    prefers: Preference, count: int, routing: Routing, expected: Route
) -> None:
    painting = replace(a_job("j0", state=JobState.RUNNING), values={"count": math.ceil(LONG_S / PRICES.paint_s)})
    ahead = replace(a_job("j00"), submitted_at=a_job().submitted_at)
    job = a_request(prefers, {"count": count})
    machines = (an_instance(state=InstanceState.READY),)

    def routed_behind(*others: Job) -> Route:
        snapshot = SessionSnapshot(session=a_session(), jobs=(*others, job), instances=machines)
        return route(job, snapshot, bridges=("replicate",), may_rent=True, routing=routing, prices=PRICES)

    assert routed_behind(painting, ahead) == expected
    assert routed_behind(painting) == OnInstance()
    assert routed_behind(replace(painting, bridge="replicate"), ahead) == OnInstance()


def test_where_nothing_can_be_rented_an_api_makes_even_what_was_to_wait() -> None:
    assert routed(a_request(Preference.OWN), may_rent=False) == BRIDGE


# What.


@pytest.mark.parametrize(
    ("values", "can"),
    [
        ({}, True),
        ({"width": 1536, "height": 256}, True),
        ({"width": 1552, "height": 1024}, False),
        ({"width": 240, "height": 1024}, False),
        ({"steps": 5}, False),
        ({"negative": "text"}, False),
        ({"negative": "  "}, True),
        ({"lora": "b0throps"}, False),
    ],
)
def test_an_api_makes_just_what_it_says(values: dict[str, Value], can: bool) -> None:
    assert SCHNELL.can_make(PLAIN, a_request(values=values)) is can


def test_sizes_may_be_a_list() -> None:
    listed = replace(SCHNELL, sizes=Sizes(least=1, most=9999, exact=frozenset({(1024, 1024)})))

    assert listed.can_make(PLAIN, a_request())
    assert not listed.can_make(PLAIN, a_request(values={"width": 1024, "height": 1008}))


def test_another_family_is_another_picture_and_a_graph_of_ours_is_any() -> None:
    other = replace(PLAIN, family="")

    assert not SCHNELL.can_make(other, a_request())
    assert replace(SCHNELL, runs_graphs=True).can_make(other, a_request())


def test_who_starts_from_a_picture_needs_an_api_that_takes_one() -> None:
    assert not SCHNELL.can_make(FROM_PICTURE, a_request())
    assert replace(SCHNELL, takes_image=True).can_make(FROM_PICTURE, a_request())


def test_a_lora_of_ones_own_is_given_to_no_api() -> None:
    own = OwnLora(
        name="ink", path="loras/ink.safetensors", url="https://ada.example/ink", size_bytes=1, sha256="0" * 64
    )
    anything = Capabilities(runs_graphs=True, loras=LoraSupport.OWN, takes_negative=True, takes_image=True)

    assert anything.can_make(PLAIN, a_request(values={"lora": "b0throps"}))
    assert not anything.can_make(PLAIN, replace(a_request(), own_lora=own))


def test_a_price_is_by_picture_by_area_and_by_time_and_rounded_up() -> None:
    price = Price(per_picture=MicroUsd(3_000), per_megapixel=MicroUsd(2_700), per_second=MicroUsd(310))

    assert price.of(pictures=2, pixels=1024 * 1024, seconds=1.5) == 6_000 + 5_663 + 465


# When not.


def test_an_api_that_fails_again_and_again_is_left_alone_for_ever_longer_until_it_works() -> None:
    breaker, now = Breaker(), 1000.0
    for _ in range(2):
        breaker = breaker.failed(now)
        assert breaker.allows(now)

    breaker = breaker.failed(now)
    assert not breaker.allows(now + FIRST_S - 1)
    assert breaker.allows(now + FIRST_S)
    assert not breaker.failed(now + FIRST_S).allows(now + 2 * FIRST_S)
    for _ in range(20):
        breaker = breaker.failed(now)
    assert breaker.allows(now + LONGEST_S)


def test_one_that_says_when_it_wants_to_be_asked_again_is_believed_within_reason() -> None:
    assert not Breaker().failed(0.0, retry_after_s=30).allows(29.0)
    assert Breaker().failed(0.0, retry_after_s=30).allows(30.0)
    assert Breaker().failed(0.0, retry_after_s=10_000_000).allows(LONGEST_S)
