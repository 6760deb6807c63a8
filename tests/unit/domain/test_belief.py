"""What a machine should cost and take: learnt from a few starts, and from those that failed."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ids import CloudName
from orchestrator.domain.policy.belief import NEWEST, Start, believe
from orchestrator.domain.policy.shadow import Belief

USD_S = 0.36 / 3600
PRIOR = Belief(usd_s=USD_S, cold_s=500, start_usd=500 * USD_S, paint_s=14.4)


def start(seconds: float = 300, *, worked: bool = True, cloud: str = "vast", gpu: str = "RTX 4090") -> Start:
    return Start(cloud=CloudName(cloud), gpu=gpu, seconds=seconds, usd=seconds * USD_S, usd_s=USD_S, worked=worked)


starts = st.lists(st.builds(start, st.floats(1, 3600), worked=st.booleans(), cloud=st.sampled_from("ab")))


def test_before_any_machine_was_seen_it_is_what_one_assumes() -> None:
    assert believe([], PRIOR) == PRIOR


def test_where_four_of_five_starts_fail_one_that_works_costs_about_five() -> None:
    seen = [start(300, worked=number % 5 == 0) for number in range(NEWEST)]

    belief = believe(seen, PRIOR)

    assert belief.start_usd == pytest.approx(5 * 300 * USD_S, rel=0.15)
    assert belief.cold_s == pytest.approx(5 * 300, rel=0.15)


def test_a_market_where_nothing_ever_starts_gets_ever_dearer() -> None:
    lost = [believe([start(worked=False)] * count, PRIOR).start_usd for count in range(6)]

    assert lost == sorted(lost)
    assert lost[-1] > 5 * PRIOR.start_usd


@pytest.mark.parametrize("seconds", [60, 120, 900])
def test_a_new_cold_start_is_learnt_within_five_starts(seconds: float) -> None:
    belief = believe([start(seconds)] * 5, PRIOR)

    assert belief.cold_s == pytest.approx(seconds, rel=0.1)
    assert belief.start_usd == pytest.approx(seconds * USD_S, rel=0.1)


@pytest.mark.parametrize("kind", [("runpod", "RTX 4090"), ("vast", "L4")])
def test_another_cloud_or_gpu_is_believed_to_be_like_the_others_until_it_shows_itself(kind: tuple[str, str]) -> None:
    (cloud, gpu), others = kind, [start(500)] * 10

    at_first, soon = (believe([start(100, cloud=cloud, gpu=gpu)] * count + others, PRIOR).cold_s for count in (1, 5))

    assert 100 < at_first < 500
    assert soon == pytest.approx(100, rel=0.4)
    assert soon < at_first


@given(starts)
def test_what_is_lost_never_makes_a_start_quicker_or_cheaper(seen: Sequence[Start]) -> None:
    lost = start(600, worked=False, cloud="a")

    before, after = believe(seen, PRIOR), believe([*seen, lost], PRIOR)

    assert after.cold_s >= before.cold_s * (1 - 1e-9)
    assert after.start_usd >= before.start_usd * (1 - 1e-9)


@given(starts)
def test_a_start_costs_the_machines_time_at_least(seen: Sequence[Start]) -> None:
    assert believe(seen, PRIOR).surcharge >= 0
    assert believe(seen, replace(PRIOR, paint_s=3)).paint_s == 3
