"""Real machines of the sandbox, ordered as pods: they let us in, keep their environment, and end themselves."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import asyncssh
import pytest

from orchestrator.adapters.clouds.runpod.cloud import RunPodCloud
from orchestrator.adapters.ssh import SshConnector
from orchestrator.adapters.system import SystemClock
from orchestrator.control.heartbeat import FEED
from orchestrator.domain.errors import HostUnreachable
from orchestrator.domain.ids import CloudRef, LaunchKey
from orchestrator.domain.instance import Address
from orchestrator.ports.cloud import DeadMan, LaunchOrder, RentalState
from orchestrator.ports.host import Host
from orchestrator.sandbox.runpod import Trouble
from tests.adapters.agent.machine import gone
from tests.adapters.runpod.world import LIMIT_S, World
from tests.component.bot.conftest import until
from tests.contract.cloud_suite import NEEDS
from tests.contract.samples import HandClock

SHORT, LONG = timedelta(seconds=1), timedelta(hours=1)
PATIENT, HASTY = DeadMan(first=LONG, silent=LONG), DeadMan(first=SHORT, silent=SHORT)
LIMIT = timedelta(seconds=10)


@pytest.fixture
def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


async def launched(cloud: RunPodCloud, key: asyncssh.SSHKey, dead_man: DeadMan | None = None) -> CloudRef:
    offer = (await cloud.offers(NEEDS))[0]
    public = key.export_public_key().decode()
    order = LaunchOrder(image="example/comfyui:1", disk_gib=60, ssh_public_key=public, dead_man=dead_man)
    return await cloud.launch(offer, LaunchKey("glowplug-test-1-one"), order)


async def address_of(runpod: World, cloud: RunPodCloud, ref: CloudRef) -> Address:
    """Look until it is told: a pod that moves runs, then does not, then runs again, faster than anybody looks."""
    await runpod.until_running(ref)
    async with asyncio.timeout(LIMIT_S):
        while (rental := await cloud.rental(ref)) is None or rental.address is None:
            await asyncio.sleep(0.005)
    return rental.address


@asynccontextmanager
async def logged_in(runpod: World, cloud: RunPodCloud, ref: CloudRef, connector: SshConnector) -> AsyncIterator[Host]:
    async with asyncio.timeout(LIMIT_S):
        host = None
        while host is None:
            host = await _knocked(await address_of(runpod, cloud, ref), connector)
    try:
        yield host
    finally:
        await host.close()


async def _knocked(address: Address, connector: SshConnector) -> Host | None:
    """None while it does not open: start script and SSH take their moment."""
    try:
        return await connector.connect(address, host_key=None, limit=LIMIT)
    except HostUnreachable:
        await asyncio.sleep(0.02)
        return None


async def arms(runpod: World, ref: CloudRef) -> Path:
    """Wait until the pod's switch is armed; gives our folder on it."""
    state = runpod.machine(ref).root / "glowplug"
    await until(lambda: (state / "guard.pid").exists() and (state / "guard.pid").read_text().strip(), limit_s=LIMIT_S)
    return state


async def test_an_ordered_pod_lets_us_in_and_nobody_else(
    runpod: World, cloud: RunPodCloud, key: asyncssh.SSHKey
) -> None:
    ref = await launched(cloud, key)

    async with logged_in(runpod, cloud, ref, SshConnector(key)) as host:
        said = await host.run("nvidia-smi --query-gpu=name --format=csv,noheader", limit=LIMIT)
    assert said.stdout.strip() == "NVIDIA GeForce RTX 3090"

    stranger = SshConnector(asyncssh.generate_private_key("ssh-ed25519"))
    with pytest.raises(HostUnreachable):
        await stranger.connect(await address_of(runpod, cloud, ref), host_key=None, limit=LIMIT)


async def test_a_login_finds_the_environment_of_the_container(
    runpod: World, cloud: RunPodCloud, key: asyncssh.SSHKey
) -> None:
    """Sshd reads it from this file (``PermitUserEnvironment``), which nobody else may."""
    ref = await launched(cloud, key, PATIENT)
    await arms(runpod, ref)
    file = runpod.machine(ref).root / ".ssh" / "environment"
    await until(lambda: file.exists() and "RUNPOD_API_KEY" in file.read_text())

    assert f"RUNPOD_POD_ID={ref}" in file.read_text().splitlines()
    assert file.stat().st_mode & 0o077 == 0


async def test_a_pod_that_never_hears_from_us_ends_itself(
    runpod: World, cloud: RunPodCloud, key: asyncssh.SSHKey
) -> None:
    ref = await launched(cloud, key, HASTY)

    await runpod.until_gone(ref)

    assert await cloud.rentals() == ()
    assert {seen.operation for seen in runpod.seen if seen.operation.startswith("/")} == {"/graphql"}


async def test_a_switch_that_was_killed_and_fed_again_still_ends_its_pod(
    runpod: World, cloud: RunPodCloud, key: asyncssh.SSHKey
) -> None:
    ref = await launched(cloud, key, DeadMan(first=timedelta(seconds=2), silent=SHORT))
    state = await arms(runpod, ref)
    guard = int((state / "guard.pid").read_text())
    os.kill(guard, signal.SIGKILL)
    await gone(guard)

    async with logged_in(runpod, cloud, ref, SshConnector(key)) as host:
        fed = await host.run(FEED, limit=LIMIT)

    assert fed.stdout.split() == ["restarted"]
    await runpod.until_gone(ref)


async def test_a_pod_that_starts_anew_on_an_empty_disk_remembers_when_it_was_ordered(
    runpod: World, key: asyncssh.SSHKey
) -> None:
    """An hour is allowed, and the order is older than that: what is left is as after a heartbeat."""
    long_ago = HandClock(SystemClock().now() - 2 * LONG)

    ref = await launched(runpod.open(clock=long_ago), key, DeadMan(first=LONG, silent=SHORT))

    await runpod.until_gone(ref)


async def test_a_pods_own_key_ends_that_pod_by_graphql_and_does_nothing_else(
    runpod: World, cloud: RunPodCloud, key: asyncssh.SSHKey
) -> None:
    own, other = await launched(cloud, key), await launched(cloud, key)
    headers = {"Authorization": f"Bearer {runpod.machine(own).key}"}

    async def say(query: str) -> object:
        async with runpod.session.post(f"{runpod.url}/graphql", json={"query": query}, headers=headers) as answer:
            assert answer.status == 200
            return await answer.json()

    def refused(answer: object) -> bool:
        return isinstance(answer, dict) and answer["data"] is None and bool(answer["errors"])

    assert refused(await say("query{myself{clientBalance}}"))
    assert refused(await say(f'mutation{{podTerminate(input:{{podId:"{other}"}})}}'))
    async with runpod.session.delete(f"{runpod.url}/v2/pods/{own}", headers=headers) as answer:
        assert answer.status == 403
    assert len(await cloud.rentals()) == 2

    assert await say(f'mutation{{podTerminate(input:{{podId:"{own}"}})}}') == {"data": {"podTerminate": None}}
    assert [rental.ref for rental in await cloud.rentals()] == [other]
    assert await _status(runpod.session, runpod.url, "wrong key") == 401


async def _status(session: aiohttp.ClientSession, url: str, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    async with session.post(f"{url}/graphql", json={"query": "query{myself{id}}"}, headers=headers) as answer:
        return answer.status


async def test_a_pod_that_was_moved_without_a_word_is_found_at_its_new_address(
    runpod: World, cloud: RunPodCloud, key: asyncssh.SSHKey
) -> None:
    ref = await launched(cloud, key)
    before = await address_of(runpod, cloud, ref)
    runpod.troubles.strike(Trouble.RELOCATED, times=1)
    await cloud.rentals()
    await until(lambda: runpod.machine(ref).ssh_port != before.port)

    async with logged_in(runpod, cloud, ref, SshConnector(key)) as host:
        assert (await host.run("true", limit=LIMIT)).status == 0
    assert await address_of(runpod, cloud, ref) != before


async def test_a_pod_that_came_back_without_its_gpu_has_failed(
    runpod: World, cloud: RunPodCloud, key: asyncssh.SSHKey
) -> None:
    ref = await launched(cloud, key)
    await runpod.until_running(ref)
    runpod.troubles.strike(Trouble.WITHOUT_GPU, times=1)
    await cloud.rentals()

    async with asyncio.timeout(LIMIT_S):
        while (rental := await cloud.rental(ref)) is None or rental.state is not RentalState.FAILED:
            await asyncio.sleep(0.005)
    assert rental.detail == "RUNNING without a GPU"
