"""Their words read one by one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.inference.registry import APIS
from orchestrator.adapters.inference.replicate.answers import Answer, AnswerLost, asked_wait, refusal, tidy
from orchestrator.adapters.inference.replicate.wire import page, prediction, refs_of
from orchestrator.adapters.strangers import read_json
from orchestrator.domain.errors import InferenceError
from orchestrator.ports.inference import Access
from tests.adapters.replicate.jobs import a_job
from tests.contract.replicate_stage import KEY


def an_answer(status: int = 429, body: Any = None, **headers: str) -> Answer:
    return Answer(
        status=status, headers={name.replace("_", "-"): it for name, it in headers.items()}, body=body, key=KEY
    )


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (an_answer(body={"detail": "Request was throttled. Your rate limit resets in ~30s."}), 30),
        (an_answer(body={"detail": "Your rate limit resets in 7s."}, ratelimit_reset="60"), 7),
        (an_answer(ratelimit_reset="12"), 12),
        (an_answer(Retry_After="3", ratelimit_reset="12"), 3),
        (an_answer(Retry_After="-5"), 0),
        (an_answer(Retry_After="1e9"), 3600),
    ],
)
def test_the_wait_is_found_wherever_it_is_said(answer: Answer, seconds: int) -> None:
    assert asked_wait(answer) == timedelta(seconds=seconds)


@pytest.mark.parametrize("said", ["", "nan", "soon", "Fri, 27 Nov 2026 20:00:00 GMT"])
def test_a_wait_that_nobody_can_read_is_none(said: str) -> None:
    assert asked_wait(an_answer(Retry_After=said)) is None


def test_our_key_and_theirs_do_not_come_back_in_a_message() -> None:
    error = refusal(an_answer(401, {"detail": f"token {KEY} or r8_another is not good"}), "asking")

    assert KEY not in str(error)
    assert "r8_" not in str(error)


def test_words_are_one_short_printable_line() -> None:
    assert tidy("a\x1b[31m\n b" + "c" * 999).startswith("a [31m bccc")
    assert len(tidy("c" * 999)) == 203


@pytest.mark.parametrize("body", [None, [], "no", 7, {"detail": ["a", {"b": 1}]}, {"title": None, "detail": 5}])
def test_every_refusal_is_an_error_of_ours(body: Any) -> None:
    assert all(isinstance(refusal(an_answer(status, body), "asking"), InferenceError) for status in range(300, 600))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "status", "output", "results"]), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(ANY_JSON)
def test_whatever_json_comes_it_is_a_prediction_or_a_lost_answer(body: Any) -> None:
    for read in (prediction, page):
        try:
            read(body, "asking")
        except AnswerLost:
            continue


@pytest.mark.parametrize("output", [["https://a/1.png"], "https://a/1.png"])
def test_output_that_is_there_is_taken_whatever_the_status_says(output: Any) -> None:
    it = prediction({"id": "a1", "status": "processing", "output": output}, "asking")

    assert it.is_over
    assert it.picture == "https://a/1.png"


@pytest.mark.parametrize("output", [None, [], [None], {}, 7, ""])
def test_output_that_is_no_link_is_no_picture(output: Any) -> None:
    assert not prediction({"id": "a1", "status": "processing", "output": output}, "asking").is_over


def test_a_status_that_nobody_knows_is_waited_out() -> None:
    assert not prediction({"id": "a1", "status": "queued"}, "asking").is_over


def test_an_id_that_could_lead_elsewhere_is_none() -> None:
    with pytest.raises(AnswerLost):
        prediction({"id": "../account", "status": "starting"}, "asking")


def test_names_of_orders_are_read_as_they_were_noted() -> None:
    assert refs_of(replace(a_job(count=3), bridge_ref="a1,,b2")) == ["a1", "", "b2"]
    assert refs_of(replace(a_job(count=2), bridge_ref="")) == ["", ""]
    assert refs_of(replace(a_job(count=1), bridge_ref="a/b")) == [""]


def test_nested_beyond_reason_is_no_json() -> None:
    assert read_json(b"[" * 100_000) is None


def test_the_registry_opens_it() -> None:
    api = APIS["replicate"](Access(key=KEY), session=None)  # type: ignore[arg-type]  # nothing is sent

    assert (api.name, api.title) == ("replicate", "Replicate")
