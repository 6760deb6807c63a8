"""Real machines of the sandbox, ordered as pods: they let us in, keep their environment, and end themselves."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncssh
import pytest

from orchestrator.adapters.clouds.runpod.cloud import RunPodCloud
from orchestrator.adapters.ssh import SshConnector
from orchestrator.domain.ids import CloudRef, LaunchKey
from orchestrator.domain.instance import Address
from orchestrator.ports.cloud import DeadMan, LaunchOrder
from tests.adapters.runpod.world import World
from tests.component.bot.conftest import until
from tests.contract.cloud_suite import NEEDS

SHORT, LONG = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


async def launched(cloud: RunPodCloud, key: asyncssh.SSHKey, dead_man: DeadMan | None = None) -> CloudRef:
    offer = (await cloud.offers(NEEDS))[0]
    public = key.export_public_key().decode()
    order = LaunchOrder(image="example/comfyui:1", disk_gib=60, ssh_public_key=public, dead_man=dead_man)
    return await cloud.launch(offer, LaunchKey("glowplug-test-1-one"), order)


async def address_of(runpod: World, cloud: RunPodCloud, ref: CloudRef) -> Address:
    await runpod.until_running(ref)
    rental = await cloud.rental(ref)
    assert rental is not None
    assert rental.address is not None
    return rental.address


async def test_an_ordered_pod_lets_us_in_and_nobody_else(
    runpod: World, cloud: RunPodCloud, key: asyncssh.SSHKey
) -> None:
    ref = await launched(cloud, key)
    address = await address_of(runpod, cloud, ref)
    machine = runpod.machine(ref)
    await until((machine.root / ".ssh" / "environment").exists)
    print(address, (machine.root/"onstart.log").read_text())
