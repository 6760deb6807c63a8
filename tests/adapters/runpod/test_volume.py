"""A network volume keeps the models: offers where it is, orders that name it, pods that have it."""

from pathlib import Path

import asyncssh
import pytest
from aiohttp.test_utils import TestServer

from orchestrator.adapters.clouds.registry import WITH_VOLUMES
from orchestrator.adapters.clouds.runpod.cloud import RUNPOD, RunPodCloud
from orchestrator.adapters.ssh import SshConnector
from orchestrator.control.machine_agent import start_agent
from orchestrator.domain.errors import OfferGone, VolumeMissing
from orchestrator.domain.offer import Offer
from orchestrator.domain.stages import Step
from orchestrator.ports.cloud import LaunchOrder
from orchestrator.sandbox.mirror import mirror_app
from orchestrator.sandbox.models import make_models
from orchestrator.sandbox.runpod import Trouble
from tests.adapters.lambda_labs.test_machine import LIMIT, log_in, nobody
from tests.adapters.runpod.world import KEY as ACCOUNT_KEY
from tests.adapters.runpod.world import World
from tests.component.preparing import AGENT_SOURCE
from tests.contract.cloud_suite import KEY, NEEDS, ORDER

VOLUME, HOME = "sbvolume01", "SB-LOCAL-1"
"""Every account has it, there."""


async def with_models(cloud: RunPodCloud) -> Offer:
    return next(offer for offer in await cloud.offers(NEEDS) if offer.volume)


async def test_a_type_is_offered_where_its_models_are(runpod: World, cloud: RunPodCloud) -> None:
    plain = await cloud.offers(NEEDS)

    offers = await runpod.open(volume=VOLUME).offers(NEEDS)

    at_home = {offer.gpu for offer in offers if offer.volume}
    assert at_home
    assert {offer.volume for offer in plain} == {""}
    assert {offer.gpu for offer in offers} == {offer.gpu for offer in plain}
    assert all((offer.volume, offer.location) == ("/workspace", HOME) for offer in offers if offer.gpu in at_home)
    assert all(offer in plain for offer in offers if offer.gpu not in at_home)


async def test_a_type_that_is_sold_out_there_is_offered_elsewhere_without(runpod: World) -> None:
    cloud = runpod.open(volume=VOLUME)
    offers = await cloud.offers(NEEDS)
    gpus = {offer.gpu for offer in offers if not offer.volume}
    while at_home := [offer for offer in offers if offer.volume]:
        await cloud.launch(at_home[0], KEY, ORDER)
        offers = await cloud.offers(NEEDS)

    assert gpus < {offer.gpu for offer in offers}
    assert {seen["dataCenterId"] for seen in map(runpod.pods.row, runpod.pods.all())} <= {HOME, None}


async def test_its_order_names_the_volume_and_the_data_centre(runpod: World) -> None:
    cloud = runpod.open(volume=VOLUME)

    ref = await cloud.launch(await with_models(cloud), KEY, ORDER)

    (order,) = [seen.body for seen in runpod.seen if seen.operation == "launch"]
    assert order["cloud"] == "SECURE"
    assert order["dataCenterIds"] == [HOME]
    assert order["mounts"] == {"network": [{"volumeId": VOLUME, "path": "/workspace"}]}
    assert runpod.pods.row(runpod.machine(ref))["mounts"] == order["mounts"]


async def test_an_id_that_the_account_does_not_have_is_told_and_rents_on(runpod: World) -> None:
    cloud = runpod.open(volume="another")

    with pytest.raises(
        VolumeMissing, match=r"GLOWPLUG_RUNPOD_VOLUME: .* id another; create one .*sbvolume01\)"
    ) as told:
        await cloud.account()

    assert told.value.balance == (await runpod.open().account()).balance
    assert {offer.volume for offer in await cloud.offers(NEEDS)} == {""}


async def test_offers_do_not_wait_for_a_list_of_volumes_that_cannot_be_had(runpod: World) -> None:
    runpod.troubles.strike(Trouble.OUT_OF_ORDER, times=1)

    offers = await runpod.open(volume=VOLUME).offers(NEEDS)

    assert {offer.volume for offer in offers} == {""}


async def test_a_volume_that_went_between_offer_and_order_costs_one_offer(runpod: World) -> None:
    cloud = runpod.open(volume=VOLUME)
    offer = await with_models(cloud)
    runpod.pods.volumes.clear()

    with pytest.raises(OfferGone, match="network volume not found"):
        await cloud.launch(offer, KEY, ORDER)

    assert await cloud.rentals() == ()


async def test_the_registered_cloud_has_the_volume_of_the_settings(runpod: World, tmp_path: Path) -> None:
    opened = WITH_VOLUMES[RUNPOD](
        url=runpod.url, key=ACCOUNT_KEY, session=runpod.session, folder=tmp_path, volumes=(VOLUME,)
    )

    assert {offer.volume for offer in await opened.offers(NEEDS)} == {"", "/workspace"}


async def test_the_second_machine_downloads_nothing(runpod: World, tmp_path: Path) -> None:
    made = make_models(tmp_path)[0]
    connector = SshConnector(asyncssh.generate_private_key("ssh-ed25519"))
    cloud = runpod.open(volume=VOLUME)

    async def fetched(offer: Offer) -> int:
        order = LaunchOrder(image="ignored", disk_gib=60, ssh_public_key=connector.public_key)
        ref = await cloud.launch(offer, KEY, order)
        while (rental := await cloud.rental(ref)) is None or rental.address is None:
            pass
        host = await log_in(connector, rental.address)
        agent = await start_agent(host, AGENT_SOURCE, LIMIT)
        entry = {"path": made.path, "size": made.size, "sha256": made.sha256, "urls": [url]}
        request = {"op": "fetch", "dest": "comfyui/models", "files": [entry], "volume": offer.volume}
        done = await agent.work(Step.MODELS, request, nobody)
        await host.close()
        await cloud.terminate(ref)
        await runpod.until_gone(ref)
        return int(done["bytes"])

    app = mirror_app(tmp_path, bytes_per_s=2**31, bytes_per_s_per_connection=2**31)
    async with TestServer(app) as mirror:
        url = str(mirror.make_url(f"/models/{made.path}"))
        first, second = [await fetched(await with_models(cloud)) for _ in range(2)]

    assert (first, second) == (made.size, 0)
    kept = runpod.pods.volumes[VOLUME].folder / "glowplug"
    assert [path.name for path in kept.iterdir()] == [made.sha256]
