"""RunPod's JSON, whatever comes as such."""

import base64
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.inference.runpod_serverless import wire
from orchestrator.adapters.inference.runpod_serverless.answers import asked_wait, order_refused, tidy
from orchestrator.adapters.inference.runpod_serverless.client import Reply
from orchestrator.adapters.inference.runpod_serverless.jobs import Ended
from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.inference.runpod_serverless.pictures import Pictures
from orchestrator.adapters.inference.runpod_serverless.public import HOST, told_cost
from orchestrator.adapters.inference.runpod_serverless.worker import cost_of, is_model_missing
from orchestrator.domain.errors import ApiOff, InferenceError, InferenceFailed, InferenceUnavailable, InferenceUncertain
from orchestrator.domain.money import MicroUsd
from tests.contract.inference_suite import WORKFLOW

PNG = b"\x89PNG\r\n\x1a\n"
WORDS = ("status", "output", "error", "images", "data", "type", "errors", "message", "details", "workers")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    return Reply(status=status, headers=headers, text="", body=body)


@settings(max_examples=60, deadline=None)
@given(body=ANYTHING)
def test_whatever_comes_is_a_state_or_none_and_pictures_or_their_lack(body: Any) -> None:
    wire.state_of(body)
    wire.workers_of(body)
    told_cost(body)
    with suppress(wire.NoPictures):
        wire.comfy_output(body)


@pytest.mark.parametrize("milliseconds", [None, True, "12", -1, float("nan"), float("inf"), 1e30])
def test_a_time_that_is_none_is_not_told(milliseconds: Any) -> None:
    state = wire.state_of({"status": "COMPLETED", "executionTime": milliseconds})

    assert state is not None
    assert state.run_s is None


@pytest.mark.parametrize("cost", [None, True, "0.1", -0.1, 2.0, float("nan")])
def test_a_cost_that_nobody_can_believe_is_not_believed(cost: Any) -> None:
    assert told_cost({"cost": cost}) is None


def test_a_told_cost_is_rounded_up() -> None:
    assert told_cost({"cost": 0.0025}) == 2500
    assert told_cost({"cost": 0.0000001}) == 1


def test_a_data_uri_is_a_picture_too() -> None:
    assert wire.decoded("data:image/png;base64," + base64.b64encode(PNG).decode()) == PNG


@pytest.mark.parametrize("ref", ["", "a/b", "../health", "a" * 101, "ä", None, 7])
def test_an_id_that_would_change_the_path_is_none(ref: Any) -> None:
    assert not wire.is_ref(ref)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InferenceFailed),
        (401, ApiOff),
        (402, ApiOff),
        (403, ApiOff),
        (404, ApiOff),
        (429, InferenceUnavailable),
        (500, InferenceUncertain),
        (502, InferenceUncertain),
        (200, InferenceUncertain),
        (302, InferenceUncertain),
    ],
)
def test_each_refusal_of_an_order_says_what_to_do_next(status: int, kind: type[InferenceError]) -> None:
    error = order_refused(reply(status), "RunPod", worst=MicroUsd(9))

    assert type(error) is kind
    assert error.cost == (9 if kind is InferenceUncertain else 0)


def test_words_about_money_switch_it_off_whatever_the_status() -> None:
    error = order_refused(reply(400, {"error": "Insufficient balance"}), "RunPod", worst=MicroUsd(9))

    assert isinstance(error, ApiOff)


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("1e9", 3600), ("soon", None), ("-1", None), ("nan", None)])
def test_a_time_to_come_again_is_taken_as_it_is_told(said: str, seconds: int | None) -> None:
    wait = asked_wait(reply(429, **{"Retry-After": said}))

    assert (None if wait is None else wait.total_seconds()) == seconds


def test_what_looks_like_a_key_is_hidden() -> None:
    assert tidy("bad key rpa_ABC123\nnext") == "bad key [hidden] next"


def test_a_model_that_the_endpoint_lacks_is_told_from_a_lora_that_it_lacks() -> None:
    text = "Workflow validation failed: Value not in list: unet_name: '{}' not in list"

    def missing(name: str) -> bool:
        state = wire.JobState(word=wire.FAILED, error=text.format(name))
        return is_model_missing(Ended(state=state, ran_s=1.0), WORKFLOW)

    assert missing("flux1-schnell.safetensors")
    assert not missing("b0throps.safetensors")


def test_a_job_that_never_ran_costs_nothing_however_long_it_waited() -> None:
    assert cost_of(Ended(state=wire.JobState(word=wire.CANCELLED, delay_s=900.0), ran_s=0.0)) == 0


@pytest.mark.parametrize(
    "address",
    [
        "http://image.runpod.ai/a.png",
        "https://elsewhere.example.org/a.png",
        "https://127.0.0.1/a.png",
        "http://127.0.0.1/a.png",
        "file:///etc/passwd",
        "https://[broken",
        "",
    ],
)
async def test_a_picture_is_fetched_from_its_own_host_alone(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        pictures = Pictures(session, Limits(), is_known=lambda host: host == HOST, is_local=False)

        with pytest.raises(wire.NoPictures):
            await pictures.fetch(address)
