"""The steps of a preparation, run as the graph that they are."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.control.steps import Work, run_steps
from orchestrator.domain.errors import PreparationFailed
from orchestrator.domain.estimates import longest_path
from orchestrator.domain.stages import AHEAD, Step, needed_in_all
from tests import virtual_time


def taking(seconds: float, log: list[str], step: Step) -> Work:
    async def work() -> None:
        log.append(f"{step} begins at {asyncio.get_running_loop().time():.0f}")
        await asyncio.sleep(seconds)
        log.append(f"{step} ends at {asyncio.get_running_loop().time():.0f}")

    return work


def played(seconds: dict[Step, float]) -> list[str]:
    log: list[str] = []
    virtual_time.run(run_steps({step: taking(took, log, step) for step, took in seconds.items()}))
    return log


def test_each_step_begins_as_soon_as_what_it_needs_is_done() -> None:
    log = played({Step.SMOKE: 5, Step.MODELS: 60, Step.COMFYUI: 20, Step.REQUIREMENTS: 50, Step.AGENT: 1})

    assert log == [
        "agent begins at 0",
        "agent ends at 1",
        "models begins at 1",
        "requirements begins at 1",
        "requirements ends at 51",
        "comfyui begins at 51",
        "models ends at 61",
        "comfyui ends at 71",
        "smoke begins at 71",
        "smoke ends at 76",
    ]


@given(st.dictionaries(st.sampled_from([step for step in Step if step not in AHEAD]), st.integers(0, 50), min_size=1))
def test_steps_take_as_long_as_their_longest_path_and_none_begins_too_early_or_too_late(took: dict[Step, int]) -> None:
    log = played({step: float(seconds) for step, seconds in took.items()})

    spans = {Step(line.split()[0]): [0, 0] for line in log}
    for line in log:
        step, what, _, at = line.split()
        spans[Step(step)][what == "ends"] = int(at)
    for step, (began, _) in spans.items():
        assert began == max((spans[need][1] for need in needed_in_all(step) & spans.keys()), default=0)
    assert max(end for _, end in spans.values()) == longest_path({step: float(took[step]) for step in took})


def test_nothing_waits_for_what_is_only_done_ahead() -> None:
    log = played({Step.AGENT: 1, Step.COMFYUI: 2, Step.MODELS: 3, Step.LORA: 99, Step.ENCODE: 99})

    assert log[-1] == "models ends at 4"
    assert {"lora begins at 1", "encode begins at 3"} <= set(log)


@pytest.mark.parametrize("failing", [Step.MODELS, Step.REQUIREMENTS])
def test_the_first_failure_ends_all_others_and_is_told_as_it_is(failing: Step) -> None:
    log: list[str] = []

    async def fail() -> None:
        raise PreparationFailed("no", step=failing, code="too_slow")

    works = {step: taking(10, log, step) for step in (Step.MODELS, Step.REQUIREMENTS, Step.COMFYUI)}

    with pytest.raises(PreparationFailed) as caught:
        virtual_time.run(run_steps({**works, failing: fail}))

    assert caught.value.step is failing
    assert not any("ends" in line for line in log)
