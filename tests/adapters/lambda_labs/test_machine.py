"""A virtual machine: a login that is not root's, and our agent in its home."""

from datetime import timedelta
from pathlib import Path

import aiohttp
import asyncssh
import pytest

from orchestrator.adapters.clouds.lambda_labs.cloud import LAMBDA, LambdaCloud
from orchestrator.adapters.clouds.registry import CLOUDS
from orchestrator.adapters.ssh import SshConnector
from orchestrator.control.machine_agent import start_agent
from orchestrator.domain.errors import HostUnreachable
from orchestrator.domain.instance import Address
from orchestrator.domain.stages import Step
from orchestrator.ports.cloud import LaunchOrder
from orchestrator.ports.host import Host
from tests.adapters.lambda_labs.serving import KEY as ACCOUNT_KEY
from tests.adapters.lambda_labs.serving import Lambda
from tests.component.preparing import AGENT_SOURCE
from tests.contract.cloud_suite import KEY, NEEDS

LIMIT = timedelta(seconds=20)


async def test_the_agent_runs_for_the_machines_own_user(server: Lambda, cloud: LambdaCloud) -> None:
    connector = SshConnector(asyncssh.generate_private_key("ssh-ed25519"))
    order = LaunchOrder(image="ignored", disk_gib=60, ssh_public_key=connector.public_key)
    offer = (await cloud.offers(NEEDS))[0]
    ref = await cloud.launch(offer, KEY, order)
    while (rental := await cloud.rental(ref)) is None or rental.address is None:
        pass
    address = rental.address

    with pytest.raises(HostUnreachable):
        await connector.connect(Address(host=address.host, port=address.port), host_key=None, limit=LIMIT)
    host = await log_in(connector, address)
    agent = await start_agent(host, AGENT_SOURCE, LIMIT)
    seen = await agent.work(Step.AGENT, {"op": "probe"}, nobody)
    who = await host.run('echo "$USER"', limit=LIMIT)
    await host.close()

    assert address.user == "ubuntu"
    assert who.stdout.strip() == "ubuntu"
    assert offer.gpu in seen["gpu"]


async def log_in(connector: SshConnector, address: Address) -> Host:
    while True:
        try:
            return await connector.connect(address, host_key=None, limit=LIMIT)
        except HostUnreachable:
            continue


async def nobody(_: object) -> None:
    pass


async def test_a_registered_cloud_opens_under_its_name(server: Lambda, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        here = CLOUDS[LAMBDA](url=server.url, key=ACCOUNT_KEY, session=session, folder=tmp_path)
        there = CLOUDS[LAMBDA](url=None, key=ACCOUNT_KEY, session=session, folder=tmp_path)

        assert here.name == there.name == "lambda"
        assert (await here.account()).balance is None
