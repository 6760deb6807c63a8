"""What we know better than the vendor's specification."""

import json

import pytest

from tests.adapters.together.specification import DEVIATIONS, SPECIFICATION, faults_of


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: f"{deviation[0]}-{deviation[1][-1]}")
def test_each_deviation_is_still_one_and_has_a_source(
    deviation: tuple[str, tuple[str, ...], object, str],
) -> None:
    operation, where, right, source = deviation
    inner = json.loads(SPECIFICATION.read_text())[operation]
    for name in where:
        inner = inner[name]

    assert inner != right
    assert source


def test_the_reduced_specification_holds_no_prose() -> None:
    text = SPECIFICATION.read_text()

    assert not [word for word in ('"description"', '"summary"', '"example"', '"title"') if word in text]


def test_an_order_that_names_no_model_and_an_error_without_a_message_are_faults() -> None:
    order = list(faults_of("post /images/generations", {"prompt": "a fox", "colour": 1}, 500, None))
    answer = list(faults_of("get /models", None, 401, {"error": {"type": "x", "code": None}}))

    assert order == [": 'model' is a required property", "colour: unknown"]
    assert answer == ["error: 'message' is a required property"]
