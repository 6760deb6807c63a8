"""What we know better than the vendor's specification, and what it says without us."""

from tests.adapters.lambda_labs.specification import (
    faults_of_answer,
    faults_of_request,
)

LAUNCH = {"region_name": "us-east-1", "instance_type_name": "gpu_1x_a10", "ssh_key_names": ["ours"]}


def test_it_objects_to_what_nobody_may_send_or_say() -> None:
    assert faults_of_request("launch", {}, LAUNCH) == []
    assert faults_of_request("launch", {}, LAUNCH | {"quantity": 1}) == ["launch: quantity: unknown"]
    assert faults_of_request("launch", {}, LAUNCH | {"region_name": "moon-1"})
    assert faults_of_request("list", {"label": "x"}, None) == ["list: label: unknown"]
    assert faults_of_answer("show", 404, {"error": {"code": "global/gone", "message": ""}})
    assert faults_of_answer("list", 200, {"data": [{"id": "x"}]})
