"""The first user's script, in his order: install, download all files at once over one connection each, then paint."""

import asyncio
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import asyncssh

from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.adapters.ssh import SshConnector
from orchestrator.adapters.system import RandomIds, SystemClock
from orchestrator.domain.workflows import Workflow, check_values, fill
from orchestrator.ports.host import Host
from tests.bench.cold_start.machine import Lab
from tests.bench.cold_start.scale import Scale
from tests.contract.machines import free_port

LOOK_S = 0.05
LIMIT = timedelta(minutes=10)
PROMPT = "a lighthouse at dusk"

INSTALL = """
set -e
git clone --quiet {repository} source
python3 -m venv --system-site-packages --without-pip venv
venv/bin/python -m pip install --quiet --index-url {index} {torch}
venv/bin/python -m pip install --quiet -r source/requirements.txt
"""
DOWNLOAD = """
set -e
mkdir -p comfyui/models comfyui/output comfyui/input
cd comfyui/models
mkdir -p {folders}
{downloads}
wait
"""
START = """
set -e
cd comfyui
nohup ../venv/bin/python ../source/main.py --port {port} --base-directory "$PWD" > ../comfyui.log 2>&1 < /dev/null &
until curl --silent --fail --output /dev/null http://127.0.0.1:{port}/system_stats; do sleep 0.05; done
"""


@dataclass(slots=True)
class Steps:
    """Seconds of each step, in the order in which they were taken."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = asyncio.get_running_loop().time()
        yield
        self.seconds[name] = asyncio.get_running_loop().time() - began

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())


async def by_his_script(folder: Path, scale: Scale, workflow: Workflow) -> Steps:
    """From the order to the bytes of the picture."""
    key, steps = asyncssh.generate_private_key("ssh-ed25519"), Steps()
    async with asyncio.TaskGroup() as group:
        lab = Lab(folder=folder, scale=scale, group=group)
        with steps.timed("provision and SSH"):
            await lab.order(key.export_public_key().decode())
            host = await _log_in(lab, SshConnector(key))
        for name, script in _scripts(workflow).items():
            with steps.timed(name):
                await _run(host, script)
        port = free_port()
        with steps.timed("ComfyUI"):
            await _run(host, START.format(port=port))
        with steps.timed("generation"):
            await _paint(host, port, workflow)
        await host.close()
        await lab.terminate(lab.ref)
    return steps


async def _log_in(lab: Lab, connector: SshConnector) -> Host:
    while lab.address is None:
        await asyncio.sleep(LOOK_S)
    return await connector.connect(lab.address, host_key=None, limit=timedelta(seconds=10))


def _scripts(workflow: Workflow) -> dict[str, str]:
    install = workflow.runtime.install
    assert install is not None
    folders = {file.path.partition("/")[0] for file in workflow.files}
    downloads = [f"curl --silent --fail --output {file.path} {file.urls[0]} &" for file in workflow.files]
    return {
        "install": INSTALL.format(
            repository=shlex.quote(install.repository), index=install.index_url, torch=shlex.join(install.torch)
        ),
        "download": DOWNLOAD.format(folders=shlex.join(sorted(folders)), downloads="\n".join(downloads)),
    }


async def _run(host: Host, script: str) -> None:
    done = await host.run("exec bash -s", stdin=b'cd "$HOME"\n' + script.encode(), limit=LIMIT)
    assert done.status == 0, done.stderr


async def _paint(host: Host, port: int, workflow: Workflow) -> None:
    graph = fill(workflow, check_values(workflow, {"prompt": PROMPT}, seed=1))
    async with ComfyUiConnector().connect(await host.tunnel(port)) as comfy:
        pictures = await comfy.paint(graph, RandomIds(SystemClock()).prompt(), on_progress=lambda _: None)
    assert pictures
