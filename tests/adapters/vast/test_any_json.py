"""Whatever the cloud says, it ends in a value or in an error of ours."""

import copy
import json
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.clouds.vast import wire
from orchestrator.adapters.clouds.vast.answers import Answer, asked_wait, launch_refusal, refusal, tidy
from orchestrator.adapters.clouds.vast.cloud import VAST
from orchestrator.adapters.strangers import read_json
from orchestrator.domain.errors import CloudError
from orchestrator.domain.ids import CloudRef
from tests.adapters.vast.scripted import recorded

REF = CloudRef("31415926")
PARSERS: dict[str, tuple[Callable[[Any], object], Any]] = {
    "offers": (lambda body: wire.read_offers(VAST, body, disk_gib=60), recorded("offers")),
    "launched": (wire.launched_ref, recorded("launched")),
    "page": (lambda body: wire.read_page(VAST, body), recorded("page")),
    "rental": (lambda body: wire.read_rental(VAST, body, REF), {"instances": recorded("instance_running")}),
    "account": (lambda body: wire.read_account(VAST, body), recorded("account")),
    "keys": (lambda body: wire.read_keys(VAST, body), recorded("keys")),
}
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**310)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["running", "\ud800", "\x00", "22/tcp", "-1", "1e999"])
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
every_parser = pytest.mark.parametrize("name", sorted(PARSERS))


def _places(body: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [path, *(place for name, value in inner for place in _places(value, (*path, name)))]


def _put(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copied = copy.deepcopy(body)
    target = copied
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    return copied


@every_parser
@given(body=anything)
@settings(max_examples=300, deadline=None)
def test_any_json_is_a_value_or_an_error_of_ours(name: str, body: Any) -> None:
    parse, _ = PARSERS[name]
    with suppress(CloudError):
        parse(body)


@every_parser
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_usual_answer_with_anything_in_one_place_is_too(name: str, data: st.DataObject) -> None:
    parse, usual = PARSERS[name]
    place = data.draw(st.sampled_from(_places(usual)))
    with suppress(CloudError):
        parse(_put(usual, place, data.draw(anything)))


@given(
    status=st.integers(min_value=100, max_value=599),
    body=anything | st.fixed_dictionaries({}, optional=dict.fromkeys(("error", "msg", "retry_after"), anything)),
    text=st.text(max_size=50),
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "Date", "X-RateLimit-Reset"]), st.text(max_size=12) | st.just("1e400")
    ),
)
@settings(max_examples=500, deadline=None)
def test_any_refusal_is_an_error_of_ours(status: int, body: Any, text: str, headers: dict[str, str]) -> None:
    answer = Answer(status=status, headers=headers, text=text, body=body)

    assert isinstance(refusal(VAST, answer, "show"), CloudError)
    assert isinstance(launch_refusal(VAST, answer), CloudError)
    assert answer.told.isprintable()
    assert (asked_wait(answer) or 0) >= 0


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_nothing(raw: bytes) -> None:
    read_json(raw)


@pytest.mark.parametrize("raw", [b"[" * 200_000, b'{"a":' * 200_000, b"9" * 20_000, b"NaN", b"\xff\xfe", b""])
def test_absurd_json_is_not_understood(raw: bytes) -> None:
    body = read_json(raw)

    assert body is None or math.isnan(body)  # each field stops NaN by itself


@given(st.text())
def test_tidy_words_fit_on_one_line(text: str) -> None:
    said = tidy(text)

    assert said.isprintable()
    assert len(said) <= 203
    json.dumps(said).encode("utf-8")
