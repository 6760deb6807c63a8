"""Listings: pages, words that are new, and one listing for everybody who waits."""

import asyncio
from typing import Any

import pytest

from orchestrator.adapters.clouds.runpod import wire
from orchestrator.adapters.clouds.runpod.cloud import RUNPOD, RunPodCloud
from orchestrator.domain.errors import CloudProtocolError
from orchestrator.domain.gpu import short_name
from orchestrator.domain.ids import CloudRef, LaunchKey
from orchestrator.domain.instance import Address
from orchestrator.ports.cloud import RentalState
from orchestrator.sandbox.runpod import Trouble
from orchestrator.sandbox.runpod.rest import PAGE
from tests.adapters.runpod.world import World
from tests.contract.cloud_suite import KEY, NEEDS, ORDER

POD: dict[str, Any] = {
    "id": "7h9k2m4n6p",
    "name": "glowplug-test-1-i1",
    "status": "RUNNING",
    "disk": 60,
    "gpu": {"id": "NVIDIA GeForce RTX 4090", "count": 1},
    "ssh": {"proxy": None, "direct": {"host": "195.26.233.3", "port": 34446, "username": "root", "command": "ssh"}},
    "cost": 0.44,
    "createdAt": "2026-06-01T12:00:00Z",
    "startedAt": "2026-06-01T12:02:00Z",
}


async def launched(cloud: RunPodCloud) -> CloudRef:
    return await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)


async def test_a_listing_goes_on_beyond_one_page(runpod: World, cloud: RunPodCloud) -> None:
    refs = {await launched(cloud) for _ in range(PAGE + 1)}

    assert {rental.ref for rental in await cloud.rentals()} == refs
    assert len(refs) == PAGE + 1
    assert runpod.count("list") == 2


async def test_one_kind_can_be_ordered_until_no_machine_of_it_is_free(runpod: World, cloud: RunPodCloud) -> None:
    (first, *_), before = await cloud.offers(NEEDS), len(await cloud.offers(NEEDS))
    free = sum(
        short_name(rig.gpu.driver_name) == first.gpu
        and (rig.host % 2 == 0) == (first.location == "secure")
        and rig.cuda >= NEEDS.cuda
        for rig in runpod.cloud.market.rigs
    )

    for _ in range(free):
        await cloud.launch(first, KEY, ORDER)

    assert first.id not in {offer.id for offer in await cloud.offers(NEEDS)}
    assert len(await cloud.offers(NEEDS)) == before - 1


async def test_a_pod_is_no_machine_of_another_vendor(runpod: World, cloud: RunPodCloud) -> None:
    await launched(cloud)

    assert runpod.cloud.rows() == []


async def test_all_who_wait_for_pods_share_one_listing(runpod: World) -> None:
    cloud = runpod.open(pace=1)
    refs = [await launched(cloud) for _ in range(3)]

    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(cloud.rental(ref)) for ref in refs for _ in range(3)]

    assert {rental.ref for task in asked if (rental := task.result()) is not None} == set(refs)
    assert (runpod.count("list"), runpod.count("show")) == (1, 0)


async def test_an_absence_is_asked_for_and_an_end_is_seen_at_once(runpod: World) -> None:
    cloud = runpod.open(pace=1)
    ref = await launched(cloud)
    assert await cloud.rental(ref) is not None

    await cloud.terminate(ref)

    assert await cloud.rental(ref) is None
    assert runpod.count("show") == 1


async def test_a_listing_is_never_served_twice_to_who_asks_for_one(runpod: World) -> None:
    """An absence is believed after two listings: they must be two."""
    cloud = runpod.open(pace=1)
    await cloud.rentals()
    await cloud.rentals()

    assert runpod.count("list") == 2


async def test_a_status_that_is_new_to_us_is_still_starting(runpod: World, cloud: RunPodCloud) -> None:
    await launched(cloud)
    runpod.troubles.strike(Trouble.UNKNOWN_STATUS, times=1)

    (rental,) = await cloud.rentals()

    assert (rental.state, rental.detail, rental.address) == (RentalState.STARTING, "HIBERNATING", None)
    assert "'HIBERNATING' is not one of" in runpod.faults.pop()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PROVISIONING", RentalState.STARTING),
        ("STARTING", RentalState.STARTING),
        ("RUNNING", RentalState.RUNNING),
        ("EXITED", RentalState.FAILED),
        ("ERROR", RentalState.FAILED),
    ],
)
def test_each_documented_status_is_one_of_ours(status: str, state: RentalState) -> None:
    (rental,) = wire.read_page(RUNPOD, {"pods": [{**POD, "status": status}]}).rentals

    assert rental.state is state


def test_an_ended_pod_is_not_there() -> None:
    ended = {**POD, "status": "TERMINATED"}

    assert wire.read_page(RUNPOD, {"pods": [ended]}).rentals == ()
    assert wire.read_rental(RUNPOD, ended, CloudRef(POD["id"])) is None


def test_only_a_direct_address_is_one() -> None:
    by_proxy = {**POD, "ssh": {"proxy": POD["ssh"]["direct"], "direct": None}}
    pods = [POD, by_proxy, {**POD, "ssh": {"direct": {"host": "-oProxyCommand=x", "port": 22}}}]

    addresses = [rental.address for rental in wire.read_page(RUNPOD, {"pods": pods}).rentals]

    assert addresses == [Address(host="195.26.233.3", port=34446), None, None]


def test_a_price_holds_the_disk() -> None:
    (rental,) = wire.read_page(RUNPOD, {"pods": [POD]}).rentals

    assert rental.price == 440_000 + round(60 * 0.10 / 720 * 1_000_000)


@pytest.mark.parametrize(
    "page",
    [
        [],
        {"pods": [{**POD, "cost": "0.44"}]},
        {"pods": [{**POD, "id": ""}]},
        {"pods": [POD], "pagination": {"hasNextPage": True, "nextCursor": None}},
    ],
)
def test_a_page_that_we_do_not_understand_is_an_error(page: object) -> None:
    with pytest.raises(CloudProtocolError):
        wire.read_page(RUNPOD, page)


def test_another_pod_than_the_one_asked_for_is_an_error() -> None:
    with pytest.raises(CloudProtocolError, match="asked for"):
        wire.read_rental(RUNPOD, POD, CloudRef("other"))


async def test_a_pod_of_somebody_else_is_told_with_its_name(cloud: RunPodCloud) -> None:
    offer = (await cloud.offers(NEEDS))[0]
    await cloud.launch(offer, LaunchKey("notebook"), ORDER)

    assert [rental.label for rental in await cloud.rentals()] == ["notebook"]
