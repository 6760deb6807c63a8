"""RunPod's own specification: what we say and hear is allowed by it, and what we know better."""

from typing import Any

import pytest

from orchestrator.adapters.clouds.runpod.cloud import RunPodCloud
from tests.adapters.runpod.specification import (
    OPERATIONS,
    faults_of_answer,
    faults_of_request,
    operation_of,
)
from tests.adapters.runpod.world import KEY, World
from tests.contract.cloud_suite import NEEDS, ORDER, OTHER_KEY


def test_the_specification_is_strict_enough_to_notice() -> None:
    order = {"name": "a", "image": "b", "gpu": {"id": "c"}, "imageName": "b"}

    assert faults_of_request("launch", {}, order)
    assert faults_of_request("launch", {}, {"name": "a", "gpu": {"id": "c"}})
    assert faults_of_request("catalogue", {"include": "STOCK"}, None)
    assert faults_of_answer("show", 200, {"id": "a"})


async def test_every_operation_is_used_and_what_is_said_is_allowed(runpod: World, cloud: RunPodCloud) -> None:
    offer = (await cloud.offers(NEEDS))[0]
    ref = await cloud.launch(offer, OTHER_KEY, ORDER)
    await runpod.until_running(ref)
    await runpod.open(volume="sbvolume01").account()
    await cloud.rentals()
    await cloud.rental(ref)
    assert await _act(runpod, ref, "restart") == 200
    assert await _act(runpod, ref, "start") in {200, 409}
    assert await _act(runpod, ref, "dance") == 422
    await cloud.terminate(ref)
    assert await _act(runpod, ref, "stop") == 404

    assert {seen.operation for seen in runpod.seen} - {"/graphql"} == set(OPERATIONS)
    assert runpod.faults == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"imageName": "example/comfyui:1"}, 422),
        ({"gpu": {"id": "NVIDIA L40S", "ids": []}}, 422),
        ({"disk": "60"}, 422),
        ({"image": None}, 422),
        ({"cloud": "ALL"}, 422),
        ({"gpu": {"id": "NVIDIA L40S", "minCudaVersion": "12.8", "allowedCudaVersions": ["12.8"]}}, 400),
        ({"gpu": {"id": "no such card"}}, 400),
        ({"mounts": {"network": [{"volumeId": "sbvolume01"}]}}, 422),
        ({"mounts": {"network": [{"volumeId": "sbvolume01", "path": "/a"}] * 2}}, 422),
        ({"mounts": {"network": [], "persistent": {"size": 10, "path": "/a"}}}, 400),
        ({"mounts": {"network": [{"volumeId": "sbvolume01", "path": "/../a"}]}}, 400),
        ({"mounts": {"network": [{"volumeId": "another", "path": "/a"}]}}, 404),
        ({"mounts": {"network": [{"volumeId": "sbvolume01", "path": "/a"}]}, "cloud": "COMMUNITY"}, 400),
        ({"mounts": {"network": [{"volumeId": "sbvolume01", "path": "/a"}]}, "dataCenterIds": ["SB-LOCAL-2"]}, 400),
        ({"env": {"LONG": "x" * 110_000}}, 413),
    ],
)
async def test_an_order_that_breaks_a_rule_is_refused_as_the_specification_says(
    runpod: World, changes: dict[str, Any], status: int
) -> None:
    order = {"name": "a", "image": "b", "disk": 20, "gpu": {"id": "NVIDIA L40S"}, **changes}
    headers = {"Authorization": f"Bearer {KEY}"}

    async with runpod.session.post(f"{runpod.url}/v2/pods", json=order, headers=headers) as answer:
        said = await answer.json(content_type="application/problem+json")

    assert (answer.status, said["status"]) == (status, status)
    assert "RateLimit" in answer.headers
    assert runpod.cloud.machines == {}


@pytest.mark.parametrize(
    ("request_line", "operation"),
    [
        ("GET /v2/pods", "list"),
        ("POST /v2/pods", "launch"),
        ("GET /v2/pods/abc", "show"),
        ("DELETE /v2/pods/abc", "terminate"),
        ("POST /v2/pods/abc/action", "act"),
        ("GET /v2/catalog/gpus", "catalogue"),
        ("GET /v1/pods", None),
    ],
)
def test_requests_are_told_apart(request_line: str, operation: str | None) -> None:
    assert operation_of(*request_line.split()) == operation


async def _act(runpod: World, ref: str, action: str) -> int:
    url, headers = f"{runpod.url}/v2/pods/{ref}/action", {"Authorization": f"Bearer {KEY}"}
    async with runpod.session.post(url, json={"action": action}, headers=headers) as answer:
        return answer.status
