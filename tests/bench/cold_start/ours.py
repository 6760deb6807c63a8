"""Our cold start on the same machine: the whole control plane, from an accepted request to the bytes of its picture."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncssh

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.adapters.database.store import open_store
from orchestrator.adapters.ssh import SshConnector
from orchestrator.adapters.system import RandomIds, SystemClock
from orchestrator.adapters.workflow_files import FixedCatalog
from orchestrator.api import JobRequest, Orchestrator, Stage, Succeeded, UserId
from orchestrator.app import AGENT, Outside, run_on
from orchestrator.control.experience import MARKET, Experience
from orchestrator.control.identity import take_identity
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.shared import Limits, Shared
from orchestrator.domain.policy.by_name import policy_by_name
from orchestrator.domain.policy.keeping import Keep
from orchestrator.domain.policy.quota import Quota
from orchestrator.domain.policy.spend import UNCAPPED
from orchestrator.domain.workflows import Workflow
from orchestrator.sim.lora_files import SimLoraFiles
from tests.bench.cold_start.first_user import PROMPT
from tests.bench.cold_start.machine import LAB, Lab
from tests.bench.cold_start.scale import LINK_SAMPLE, Scale


async def by_us(folder: Path, scale: Scale, workflow: Workflow) -> tuple[float, tuple[Stage, ...]]:
    """Seconds from the accepted request until its picture is kept, and the stages of its machine."""
    async with asyncio.TaskGroup() as group:
        lab = Lab(folder=folder, scale=scale, group=group)
        async with _bot(folder / "bot", scale, lab, workflow) as bot:
            made = await _picture(bot)
        await lab.terminate(lab.ref)
    return made


async def _picture(bot: Orchestrator) -> tuple[float, tuple[Stage, ...]]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    request = JobRequest(
        user=UserId("lab"), surface="lab", origin="", idempotency_key="1", workflow=None, values={"prompt": PROMPT}
    )
    ticket = await bot.submit(request)
    async for view in bot.updates():
        if view.id == ticket.job and view.ended_at is not None:
            assert isinstance(view.status, Succeeded), view.status
            return loop.time() - began, view.stages
    raise AssertionError("updates end with the bot alone")


@asynccontextmanager
async def _bot(folder: Path, scale: Scale, lab: Lab, workflow: Workflow) -> AsyncIterator[Orchestrator]:
    folder.mkdir(parents=True)
    clock = SystemClock()
    catalog, policy = FixedCatalog((workflow,)), policy_by_name("auto", timedelta(minutes=10))
    async with open_store(folder / "glowplug.sqlite3", clock) as store:
        async with store.writing() as books:
            names = await take_identity(
                books, wanted="lab", drawn=RandomIds(clock).instance(), home="lab", now=clock.now()
            )
        shared = Shared(
            store=store,
            clock=clock,
            ids=RandomIds(clock),
            dice=random.Random(1),
            catalog=catalog,
            policy=policy,
            limits=Limits(),
            caps=UNCAPPED,
            quota=Quota(queued_jobs=5),
            installation=names.installation,
            epoch=names.epoch,
            former=names.former,
            clouds=(LAB,),
            bridges={},
            experience=Experience(bridges={}, catalog=catalog, most_kept=timedelta(minutes=10), prior=MARKET),
        )
        async with run_on(shared, _outside(folder, scale, lab)) as service:
            yield service


def _outside(folder: Path, scale: Scale, lab: Lab) -> Outside:
    usual = PrepareLimits()
    limits = PrepareLimits(
        floor_bps=scale.bps(usual.floor_bps), link_sample=scale.size(LINK_SAMPLE), disk_sample=2**20, install_disk=0
    )
    return Outside(
        clouds={LAB: lab},
        bridges={},
        hosts=SshConnector(asyncssh.generate_private_key("ssh-ed25519")),
        comfies=ComfyUiConnector(),
        blobs=LocalBlobs(folder / "pictures"),
        agent_source=AGENT.read_bytes(),
        lora_files=SimLoraFiles(),
        prepare_limits=limits,
        keep=Keep(),
    )
