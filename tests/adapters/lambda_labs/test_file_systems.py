"""A file system keeps the models: offers where it is, orders that name it, machines that have it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import asyncssh
import pytest
from aiohttp.test_utils import TestServer

from orchestrator.adapters.clouds.lambda_labs.cloud import LambdaCloud
from orchestrator.adapters.ssh import SshConnector
from orchestrator.control.machine_agent import start_agent
from orchestrator.domain.errors import OfferGone, VolumeMissing
from orchestrator.domain.ids import OfferId
from orchestrator.domain.offer import Offer
from orchestrator.domain.stages import Step
from orchestrator.ports.cloud import LaunchOrder
from orchestrator.sandbox.lambda_labs import Trouble
from orchestrator.sandbox.mirror import mirror_app
from orchestrator.sandbox.models import make_models
from tests.adapters.lambda_labs.generated import client
from tests.adapters.lambda_labs.serving import KEY as ACCOUNT_KEY
from tests.adapters.lambda_labs.serving import Lambda
from tests.adapters.lambda_labs.test_machine import LIMIT, log_in, nobody
from tests.component.preparing import AGENT_SOURCE
from tests.contract.cloud_suite import KEY, NEEDS, ORDER
from tests.specifications import SPECS

HOME = "us-east-1"
"""Where every account has a file system called "models"."""


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def with_file_systems(server: Lambda, session: aiohttp.ClientSession, *names: str) -> LambdaCloud:
    return LambdaCloud(url=server.url, key=ACCOUNT_KEY, session=session, file_systems=names, pace=0)


async def with_models(cloud: LambdaCloud) -> Offer:
    return next(offer for offer in await cloud.offers(NEEDS) if offer.volume)


async def test_a_type_is_offered_where_its_models_are(server: Lambda, session: aiohttp.ClientSession) -> None:
    server.account.add_file_system("more", "us-west-1")
    plain = await with_file_systems(server, session).offers(NEEDS)

    offers = await with_file_systems(server, session, "models", "more").offers(NEEDS)

    keeps = {HOME: "/lambda/nfs/models", "us-west-1": "/lambda/nfs/more"}
    at_home = {offer.gpu for offer in plain if offer.location in keeps}
    assert at_home
    assert all((offer.location in keeps) is (offer.gpu in at_home) for offer in offers)
    assert all(offer.volume == keeps.get(offer.location, "") for offer in offers)
    assert {offer.gpu for offer in offers} == {offer.gpu for offer in plain}
    assert {offer.volume for offer in plain} == {""}


async def test_a_type_that_is_sold_out_there_is_offered_elsewhere_without(
    server: Lambda, session: aiohttp.ClientSession
) -> None:
    cloud = with_file_systems(server, session, "models")
    offers = await cloud.offers(NEEDS)
    gpus = {offer.gpu for offer in offers}
    while at_home := [offer for offer in offers if offer.volume]:
        await cloud.launch(at_home[0], KEY, ORDER)
        offers = await cloud.offers(NEEDS)

    assert {offer.gpu for offer in offers} == gpus
    assert HOME not in {offer.location for offer in offers}


async def test_a_name_that_the_account_does_not_have_is_told_and_rents_on(
    server: Lambda, session: aiohttp.ClientSession
) -> None:
    cloud = with_file_systems(server, session, "modles", "models")

    with pytest.raises(VolumeMissing, match=r"LAMBDA_FILE_SYSTEMS: .* no file system modles; create it .*models\)"):
        await cloud.account()

    assert "/lambda/nfs/models" in {offer.volume for offer in await cloud.offers(NEEDS)}


async def test_offers_do_not_wait_for_a_list_of_file_systems_that_cannot_be_had(
    server: Lambda, session: aiohttp.ClientSession
) -> None:
    server.account.troubles.strike(Trouble.OUT_OF_ORDER, operations={"file_systems"})

    offers = await with_file_systems(server, session, "models").offers(NEEDS)

    assert {offer.volume for offer in offers} == {""}


@pytest.mark.parametrize("why", ["gone", "elsewhere"])
async def test_a_file_system_that_moved_between_offer_and_order_costs_one_offer(
    server: Lambda, session: aiohttp.ClientSession, why: str
) -> None:
    cloud = with_file_systems(server, session, "models")
    offer = await with_models(cloud)
    del server.account.file_systems["models"]
    if why == "elsewhere":
        server.account.add_file_system("models", "us-west-1")

    with pytest.raises(OfferGone):
        await cloud.launch(offer, KEY, ORDER)

    assert await cloud.rentals() == ()


async def test_an_offer_without_a_file_system_orders_none(server: Lambda, session: aiohttp.ClientSession) -> None:
    cloud = with_file_systems(server, session, "models")
    offer = await with_models(cloud)

    await cloud.launch(replace(offer, id=OfferId(offer.id.removesuffix("/models"))), KEY, ORDER)

    assert [order.get("file_system_names") for order in server.account.ordered.values()] == [None]


async def test_the_second_machine_downloads_nothing(
    server: Lambda, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    made = make_models(tmp_path)[0]
    connector = SshConnector(asyncssh.generate_private_key("ssh-ed25519"))
    cloud = with_file_systems(server, session, "models")

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
        while await cloud.rental(ref) is not None:
            pass
        return int(done["bytes"])

    app = mirror_app(tmp_path, bytes_per_s=2**31, bytes_per_s_per_connection=2**31)
    async with TestServer(app) as mirror:
        url = str(mirror.make_url(f"/models/{made.path}"))
        first, second = [await fetched(await with_models(cloud)) for _ in range(2)]

    assert (first, second) == (made.size, 0)
    models = server.account.file_systems["models"]
    assert [path.name for path in (models.folder / "glowplug").iterdir()] == [made.sha256]


async def test_the_vendors_own_words_make_one(server: Lambda, session: aiohttp.ClientSession) -> None:
    theirs = client(SPECS / "lambda.json", url=server.url, key=ACCOUNT_KEY, session=session)

    made = await theirs.create_filesystem(name="weights", region="us-west-1")

    assert made["mount_point"] == "/lambda/nfs/weights"
    assert [each["name"] for each in await theirs.list_filesystems()] == ["models", "weights"]
    assert made["is_in_use"] is False
