"""The sandbox's Lambda Cloud, driven by a client that was generated from Lambda's specification."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from orchestrator.sandbox.lambda_labs import Trouble
from tests.adapters.lambda_labs.generated import Refused, client, source_of
from tests.adapters.lambda_labs.serving import KEY, Lambda
from tests.contract.cloud_suite import ORDER
from tests.specifications import SPECS, read

OURS = {"key": "pool", "value": "a"}


@pytest.fixture
async def theirs(server: Lambda) -> AsyncIterator[Any]:
    async with aiohttp.ClientSession() as session:
        yield client(SPECS / "lambda.json", url=server.url, key=KEY, session=session)


async def test_a_machine_is_chosen_ordered_seen_and_ended(server: Lambda, theirs: Any) -> None:
    types = await theirs.list_instance_types()
    name, region = next(
        (name, regions[0]["name"])
        for name, item in types.items()
        if (regions := item["regions_with_capacity_available"])
    )
    key = await theirs.add_ssh_key(name="pool-key", public_key=ORDER.ssh_public_key)
    assert [each["name"] for each in await theirs.list_ssh_keys()] == [key["name"]]

    launched = await theirs.launch_instance(
        region_name=region, instance_type_name=name, ssh_key_names=["pool-key"], name="pool-a", tags=[OURS]
    )

    (ref,) = launched["instance_ids"]
    (listed,) = await theirs.list_instances()
    assert (listed["id"], listed["name"], listed["status"]) == (ref, "pool-a", "booting")
    assert "ip" not in listed
    while (shown := await theirs.get_instance(id=ref))["status"] == "booting":
        pass
    assert shown["ip"]
    assert OURS in shown["tags"]

    ended = await theirs.terminate_instance(instance_ids=[ref])
    assert [each["status"] for each in ended["terminated_instances"]] == ["terminating"]
    machine = server.account.machine(ref)
    while await theirs.list_instances():
        pass
    with pytest.raises(Refused, match="global/object-does-not-exist"):
        await theirs.get_instance(id=ref)
    assert machine is not None
    assert machine.meter.usd_hour == types[name]["instance_type"]["price_cents_per_hour"] / 100


async def test_refusals_are_those_that_are_specified(server: Lambda, theirs: Any) -> None:
    await theirs.add_ssh_key(name="pool-key", public_key=ORDER.ssh_public_key)
    order = {"region_name": "us-east-1", "instance_type_name": "gpu_1x_rtx4090", "ssh_key_names": ["pool-key"]}
    refused = {}

    for trouble in (Trouble.NO_CAPACITY, Trouble.QUOTA, Trouble.INACTIVE, Trouble.KEY_GONE):
        server.account.troubles.strike(trouble, times=1)
        with pytest.raises(Refused) as refusal:
            await theirs.launch_instance(**order)
        refused[trouble] = refusal.value.code
    with pytest.raises(Refused) as refusal:
        await theirs.launch_instance(**order | {"ssh_key_names": []})

    assert refused == {
        Trouble.NO_CAPACITY: "instance-operations/launch/insufficient-capacity",
        Trouble.QUOTA: "global/quota-exceeded",
        Trouble.INACTIVE: "global/account-inactive",
        Trouble.KEY_GONE: "global/object-does-not-exist",
    }
    assert refusal.value.code == "global/invalid-parameters"
    server.faults.clear()  # that there must be one key, the client's specification does not say


async def test_a_wrong_key_is_told_as_specified(server: Lambda) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Refused, match="401 global/invalid-api-key"):
            await client(SPECS / "lambda.json", url=server.url, key="wrong", session=session).list_instances()


def test_the_client_knows_what_the_specification_knows() -> None:
    source = source_of(read("lambda"))

    assert (
        "async def launch_instance(self, *, region_name: str, instance_type_name: str, ssh_key_names: list," in source
    )
    assert "user_data: str | None = None" in source
