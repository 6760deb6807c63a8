"""What we know better than the vendor's specification."""

from tests.adapters.together.specification import faults_in


def test_an_order_that_names_no_model_and_an_error_without_a_message_are_faults() -> None:
    order = list(faults_in("post /images/generations", {"prompt": "a fox", "colour": 1}, 500, None))
    answer = list(faults_in("get /models", None, 401, {"error": {"type": "x", "code": None}}))

    assert order == [": 'model' is a required property", "colour: unknown"]
    assert answer == ["error: 'message' is a required property"]
