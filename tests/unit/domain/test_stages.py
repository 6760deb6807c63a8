"""What waits for what in a cold start, and how long that makes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.estimates import longest_path
from orchestrator.domain.stages import NEEDS, OPTIONAL, Step, needed

SECONDS = st.dictionaries(st.sampled_from(Step), st.floats(0, 1000))


def test_every_step_says_what_it_waits_for_and_none_waits_for_itself() -> None:
    places = {step: place for place, step in enumerate(Step)}

    assert NEEDS.keys() == set(Step)
    assert all(places[need] < places[step] for step in Step for need in NEEDS[step])


def test_steps_that_are_left_out_are_waited_for_by_nobody() -> None:
    short = set(Step) - OPTIONAL

    assert needed(Step.COMFYUI, short) == {Step.AGENT}
    assert needed(Step.SMOKE, short) == {Step.COMFYUI, Step.MODELS}
    assert needed(Step.SMOKE, {Step.BOOT, Step.SMOKE}) == {Step.BOOT}


def test_models_come_beside_the_installing_so_only_the_longer_of_both_counts() -> None:
    installing = {Step.AGENT: 1.0, Step.TORCH: 50.0, Step.COMFYUI: 20.0, Step.MODELS: 60.0, Step.SMOKE: 5.0}

    assert longest_path(installing) == pytest.approx(76)
    assert longest_path({**installing, Step.MODELS: 100.0}) == pytest.approx(106)
    assert longest_path({}) == 0


@given(SECONDS)
def test_a_cold_start_takes_no_less_than_its_longest_step_and_no_more_than_all(seconds: dict[Step, float]) -> None:
    longest = longest_path(seconds)

    assert longest >= max(seconds.values(), default=0)
    assert longest <= sum(seconds.values()) + 1e-6


@given(SECONDS, st.sampled_from(Step))
def test_a_step_that_takes_longer_makes_no_cold_start_shorter(seconds: dict[Step, float], slower: Step) -> None:
    assert longest_path({**seconds, slower: seconds.get(slower, 0.0) + 10}) >= longest_path(seconds)
