"""The steps of a preparation, run as the graph that they are."""

import asyncio

import pytest

from orchestrator.control.steps import Work, run_steps
from orchestrator.domain.errors import PreparationFailed
from orchestrator.domain.stages import Step
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
        *sorted(["models begins at 1", "requirements begins at 1"], key=log.index),
        "requirements ends at 51",
        "comfyui begins at 51",
        "models ends at 61",
        "comfyui ends at 71",
        "smoke begins at 71",
        "smoke ends at 76",
    ]


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
