"""What we know better than the vendor's specification, and what it says without us."""

import json

import pytest

from tests.adapters.lambda_labs.specification import (
    DEVIATIONS,
    FILE,
    OPERATIONS,
    faults_of_answer,
    faults_of_request,
)

LAUNCH = {"region_name": "us-east-1", "instance_type_name": "gpu_1x_a10", "ssh_key_names": ["ours"]}


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: f"{deviation[0]}-{deviation[1][-1]}")
def test_each_deviation_is_still_one_and_has_a_source(
    deviation: tuple[str, tuple[str, ...], object, str],
) -> None:
    operation, where, right, source = deviation
    inner = json.loads(FILE.read_text())[OPERATIONS[operation]]
    for name in where[:-1]:
        inner = inner[name]

    assert inner.get(where[-1]) != right
    assert source


def test_the_reduced_specification_holds_no_prose() -> None:
    text = FILE.read_text()

    assert not [word for word in ('"summary"', '"example"', '"title"', '"description": "') if word in text]


def test_it_objects_to_what_nobody_may_send_or_say() -> None:
    assert faults_of_request("launch", {}, LAUNCH) == []
    assert faults_of_request("launch", {}, LAUNCH | {"quantity": 1}) == ["launch: quantity: unknown"]
    assert faults_of_request("launch", {}, LAUNCH | {"region_name": "moon-1"})
    assert faults_of_request("list", {"label": "x"}, None) == ["list: label: unknown"]
    assert faults_of_answer("show", 404, {"error": {"code": "global/gone", "message": ""}})
    assert faults_of_answer("list", 200, {"data": [{"id": "x"}]})
