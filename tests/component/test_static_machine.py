"""A machine of one's own, lent twice: what the first session leaves must not be in the way of the second."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest

from orchestrator.adapters.clouds.static.cloud import StaticCloud
from orchestrator.adapters.clouds.static.parting import parting
from orchestrator.adapters.ssh import SshConnector
from orchestrator.adapters.system import SystemClock
from orchestrator.domain.ids import CloudRef
from orchestrator.sandbox.models import make_models
from tests.component.preparing import Stagehand, stagehand
from tests.contract.cloud_suite import KEY, NEEDS, ORDER, OTHER_KEY

LIMIT = timedelta(seconds=20)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stagehand]:
    await asyncio.to_thread(make_models, tmp_path / "models")
    async with stagehand(tmp_path, tmp_path / "models") as stage:
        yield stage


@pytest.fixture
def cloud(stage: Stagehand, tmp_path: Path) -> StaticCloud:
    subject = stage.machine.subject
    connector = subject.connector

    async def connects() -> SshConnector:
        assert isinstance(connector, SshConnector)
        return connector

    return StaticCloud(
        hosts=f"root@127.0.0.1:{subject.address.port}=RTX 4090",
        folder=tmp_path / "data",
        clock=SystemClock(),
        part=parting(connects),
    )


async def lent(cloud: StaticCloud) -> CloudRef:
    return await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)


async def prepared(stage: Stagehand) -> int:
    """Prepare it as the orchestrator does, and hang up; gives the bytes that it took."""
    host = await stage.login()
    try:
        return (await stage.prepare(host)).bytes_down
    finally:
        await host.close()


def comfyui_of(stage: Stagehand) -> int:
    return int(json.loads((stage.machine.root / "glowplug" / "comfyui.json").read_text())["pid"])


def is_running(pid: int) -> bool:
    """Whether it is more than a number: who started it may not have taken note of its end yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def kill_the_agent(stage: Stagehand) -> None:
    host = await stage.login()
    done = await host.run('python3 "$HOME/glowplug/agent.py" start --root "$HOME"', limit=LIMIT)
    await host.close()
    os.kill(int(json.loads(done.stdout)["pid"]), signal.SIGKILL)


async def test_the_end_of_a_lease_stops_what_runs_and_keeps_the_models_whatever_became_of_the_agent(
    stage: Stagehand, cloud: StaticCloud
) -> None:
    output = stage.machine.root / "comfyui" / "output"
    ref = await lent(cloud)
    first = await prepared(stage)
    painter = comfyui_of(stage)
    (output / "glowplug_00009_.png").touch()
    (output / "of_the_owner.png").touch()
    assert is_running(painter)

    assert await cloud.terminate(ref)

    assert not is_running(painter)
    assert not (stage.machine.root / "glowplug" / "agent.sock").exists()
    assert [file.name for file in output.iterdir()] == ["of_the_owner.png"]
    again = await cloud.launch((await cloud.offers(NEEDS))[0], OTHER_KEY, ORDER)
    assert await prepared(stage) < first
    painter = comfyui_of(stage)
    await kill_the_agent(stage)

    assert await cloud.terminate(again)

    assert not is_running(painter)


async def test_a_machine_that_nobody_prepared_is_given_up_at_once(stage: Stagehand, cloud: StaticCloud) -> None:
    assert await cloud.terminate(await lent(cloud))
    assert not (stage.machine.root / "glowplug").exists()


async def test_a_machine_that_is_out_of_reach_is_given_up_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def connects() -> SshConnector:
        return SshConnector(asyncssh.generate_private_key("ssh-ed25519"))

    cloud = StaticCloud(hosts="127.0.0.1:1=RTX 4090", folder=tmp_path, clock=SystemClock(), part=parting(connects))

    assert await cloud.terminate(await lent(cloud))

    assert "programs on 127.0.0.1 go on running" in caplog.text
    assert await cloud.rentals() == ()
