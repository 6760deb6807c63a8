"""A warm machine whose ComfyUI fails at a picture: started again in place once, then replaced."""

import asyncio
import gc
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.api import Running
from orchestrator.control.bridges import Bridges
from orchestrator.control.dispatcher import Dispatcher
from orchestrator.control.links import Links
from orchestrator.control.loop import keep_doing
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.restarts import Restarts
from orchestrator.control.runner import Runner
from orchestrator.domain.ids import InstanceId, JobId
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.job import JobState
from orchestrator.sandbox.models import make_models
from tests.adapters.agent.machine import gone
from tests.adapters.comfyui.conftest import PATIENT
from tests.component.control.stage import Stage, a_stage
from tests.component.preparing import AGENT_SOURCE, LIMITS, Stagehand, stagehand
from tests.contract.samples import ADA

# Ended while it opens a channel for a connection that it has just accepted, asyncssh leaves that connection to the
# garbage collector (SSHLocalForwarder._forward of 2.24 handles no cancellation).
pytestmark = pytest.mark.filterwarnings("ignore:.*_SelectorTransport|.*socket:pytest.PytestUnraisableExceptionWarning")

STALL = timedelta(seconds=4)
"""Long beside what a picture takes here, which is hundredths of a second."""

OBSERVANT = replace(PATIENT, silence=timedelta(seconds=0.2), opening=STALL / 2)
DYING = "#!/bin/sh\nexit 3\n"


@dataclass(kw_only=True)
class Warm:
    """
    A person with a warm machine, and the loops that paint on it.

    Attributes:
        live: Begin a life of the bot.
        life: The one that is.
    """

    stage: Stage
    hand: Stagehand
    machine: Instance
    live: Callable[[], asyncio.Task[None]]
    life: asyncio.Task[None]

    def suffer(self, fault: str) -> None:
        """As :attr:`orchestrator.sandbox.comfyui.server.ServerSettings.fault_file` has it."""
        self.hand.fault_file.write_text(fault)

    @property
    def process(self) -> dict[str, Any]:
        """The agent's record of the ComfyUI that runs."""
        record: dict[str, Any] = json.loads((self.hand.machine.root / "glowplug" / "comfyui.json").read_text())
        return record

    async def until(self, job: JobId, *states: JobState) -> None:
        async with asyncio.timeout(60):
            while (await self.stage.job(job)).state not in states:
                await asyncio.sleep(0.01)

    async def until_painting(self, job: JobId, is_so: Callable[[Running], bool]) -> None:
        async with asyncio.timeout(60):
            while True:
                status = (await self.stage.view(job)).status
                if isinstance(status, Running) and is_so(status):
                    return
                await asyncio.sleep(0.01)

    async def until_given_up(self) -> None:
        async with asyncio.timeout(60):
            while not (await self.row()).is_over:
                await asyncio.sleep(0.01)

    async def until_taken(self) -> None:
        """Until the painter has read, and used up, what it suffers from."""
        async with asyncio.timeout(60):
            while self.hand.fault_file.read_text():
                await asyncio.sleep(0.01)

    async def lose_another(self, reason: EndReason) -> None:
        """Another machine of the same session was given up since the job was asked for."""
        now = self.stage.clock.now()
        other = replace(
            self.machine, id=InstanceId("other"), state=InstanceState.TERMINATED, given_up_at=now, end_reason=reason
        )
        async with self.stage.shared.store.writing() as books:
            await books.instances.add(other, reason="test")

    async def row(self) -> Instance:
        async with self.stage.shared.store.reading() as books:
            found = await books.instances.get(self.machine.id)
        assert found is not None
        return found

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What was written down about ComfyUI's restarts, and about the machine's end."""
        async with self.stage.shared.store.reading() as books:
            events = await books.events(self.machine.id)
        return [
            (event.reason, dict(event.details))
            for event in events
            if "ComfyUI" in event.reason or event.after == InstanceState.TERMINATING
        ]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder


@pytest.fixture
async def warm(tmp_path: Path, models: Path) -> AsyncIterator[Warm]:
    async with a_warm_life(tmp_path, models) as warm:
        yield warm


@asynccontextmanager
async def a_warm_life(tmp_path: Path, models: Path) -> AsyncIterator[Warm]:
    async with a_stage(tmp_path) as stage, stagehand(tmp_path, models) as hand, asyncio.TaskGroup() as group:
        machine = await a_warm_machine(stage, hand)

        def live() -> asyncio.Task[None]:
            return group.create_task(keep_painting(stage, hand, tmp_path / "pictures"))

        warm = Warm(stage=stage, hand=hand, machine=machine, live=live, life=live())
        yield warm
        warm.life.cancel()
    gc.collect()  # here, where it is known what may be found


async def keep_painting(stage: Stage, hand: Stagehand, pictures: Path) -> None:
    """What the composition root would run of a bot that only paints."""
    shared = replace(stage.shared, limits=replace(stage.shared.limits, stall=STALL))
    async with asyncio.TaskGroup() as group:
        links = Links(
            hosts=hand.machine.subject.connector,
            comfies=ComfyUiConnector(OBSERVANT),
            group=group,
            connect_limit=timedelta(seconds=10),
        )
        restarts = Restarts(shared, links=links, agent_source=AGENT_SOURCE, limits=LIMITS)
        bridges = Bridges(shared)
        blobs = LocalBlobs(pictures)
        loras = LoraFetch(shared, links=links, agent_source=AGENT_SOURCE, limits=LIMITS)
        runner = Runner(shared, links=links, restarts=restarts, loras=loras, blobs=blobs, bridges=bridges, group=group)
        group.create_task(keep_doing("runner", runner.step, wakeup=shared.wakeups.runner))
        dispatcher = Dispatcher(shared, runner, bridges)
        group.create_task(keep_doing("dispatcher", dispatcher.step, wakeup=shared.wakeups.dispatcher))
        try:
            await asyncio.Event().wait()
        finally:
            await links.close()


async def a_warm_machine(stage: Stage, hand: Stagehand) -> Instance:
    """Prepared as the provisioner would; what it was rented for is done."""
    host = await hand.login()
    prepared = await hand.prepare(host)
    await host.close()
    job = await stage.ask(key="first")
    ready = await stage.make_ready()
    known = replace(
        ready, address=hand.machine.subject.address, host_key=host.host_key, comfyui_port=prepared.comfyui_port
    )
    async with stage.shared.store.writing() as books:
        known = await books.instances.change(ready, known, reason="test")
    await stage.paint(job, known, timedelta(seconds=4))
    return known


async def test_out_of_memory_once_costs_a_restart_and_neither_job_nor_machine(warm: Warm) -> None:
    before = warm.process
    warm.suffer("oom 1")

    job = await warm.stage.ask()
    await warm.until(job, JobState.SUCCEEDED)

    assert warm.process["pid"] != before["pid"]
    assert ((await warm.row()).state, (await warm.row()).comfyui_port) == (InstanceState.READY, warm.process["port"])
    (begun, why), (done, _) = await warm.events()
    assert (begun, why["why"], done) == ("starting ComfyUI again", "out_of_vram", "started ComfyUI again")


async def test_its_person_is_told_meanwhile(warm: Warm) -> None:
    warm.suffer("oom 1")
    job = await warm.stage.ask()

    await warm.until_painting(job, lambda running: running.restarted is EndReason.OUT_OF_VRAM)

    await warm.until(job, JobState.SUCCEEDED)


async def test_out_of_memory_again_gives_the_machine_back_and_the_job_to_another(warm: Warm) -> None:
    warm.suffer("oom")

    job = await warm.stage.ask()
    await warm.until_given_up()

    assert (await warm.row()).end_reason is EndReason.OUT_OF_VRAM
    assert (await warm.stage.job(job)).state is JobState.QUEUED
    assert [reason for reason, _ in await warm.events()][-1] == "out_of_vram"
    await warm.stage.look()
    assert len(await warm.stage.instances(InstanceState.PLANNED)) == 1


async def test_out_of_memory_on_a_second_machine_is_the_jobs_own_fault(warm: Warm) -> None:
    """Two machines agree that it wants too much; this one is good for the next job."""
    warm.suffer("hangs 1")
    job = await warm.stage.ask()
    await warm.until_taken()
    await warm.lose_another(EndReason.OUT_OF_VRAM)
    warm.suffer("oom")

    await warm.until(job, JobState.FAILED)

    failure = (await warm.stage.job(job)).failure
    assert failure is not None
    assert failure.key == "out_of_vram"
    assert (await warm.row()).state is InstanceState.READY


async def test_a_prompt_that_is_taken_and_never_run_costs_a_restart(warm: Warm) -> None:
    warm.suffer("hangs 1")

    job = await warm.stage.ask()
    await warm.until(job, JobState.SUCCEEDED)

    (_, why), _ = await warm.events()
    assert why["why"] == "comfyui_stuck"


async def test_one_that_hangs_again_is_replaced(warm: Warm) -> None:
    warm.suffer("hangs")

    job = await warm.stage.ask()
    await warm.until_given_up()

    assert (await warm.row()).end_reason is EndReason.COMFYUI_STUCK
    assert (await warm.stage.job(job)).state is JobState.QUEUED


async def test_a_prompt_behind_one_that_hangs_is_not_waited_for_either(warm: Warm) -> None:
    """Its person has cancelled the first; ComfyUI does not let go of it."""
    warm.suffer("hangs 1")
    first = await warm.stage.ask(key="k1")
    await warm.until(first, JobState.RUNNING)
    await warm.until_taken()
    await warm.stage.service.cancel(first, by=ADA)

    second = await warm.stage.ask(key="k2")
    await warm.until(second, JobState.SUCCEEDED)

    assert len(await warm.events()) == 2


async def test_one_that_paints_and_says_nothing_is_left_alone(warm: Warm) -> None:
    before = warm.process
    warm.suffer("mute")

    job = await warm.stage.ask()
    await warm.until(job, JobState.SUCCEEDED)

    assert warm.process == before


async def test_one_that_died_while_nobody_painted_is_started_again(warm: Warm) -> None:
    pid = warm.process["pid"]
    os.kill(pid, signal.SIGKILL)
    await gone(pid)

    job = await warm.stage.ask()
    await warm.until(job, JobState.SUCCEEDED)

    (_, why), _ = await warm.events()
    assert why["why"] == "comfyui_failed"


async def test_one_that_dies_at_each_picture_is_replaced(warm: Warm) -> None:
    warm.suffer("dies")

    await warm.stage.ask()
    await warm.until_given_up()

    assert (await warm.row()).end_reason is EndReason.COMFYUI_FAILED


async def test_one_that_cannot_be_started_again_is_replaced(warm: Warm) -> None:
    program = warm.hand.machine.programs / "comfyui"
    program.unlink()
    program.write_text(DYING)
    program.chmod(0o755)
    warm.suffer("dies")

    job = await warm.stage.ask()
    await warm.until_given_up()

    assert (await warm.row()).end_reason is EndReason.COMFYUI_FAILED
    assert (await warm.stage.job(job)).state is JobState.QUEUED


async def test_a_restart_that_a_crash_of_ours_broke_off_is_gone_on_with(warm: Warm) -> None:
    """The agent has started it again, and nobody of us has heard the answer."""
    warm.suffer("oom 1")
    job = await warm.stage.ask()
    async with asyncio.timeout(60):
        while not warm.process["cause"]:
            await asyncio.sleep(0)
    warm.life.cancel()
    await asyncio.wait([warm.life])
    started, events = warm.process, await warm.events()

    warm.life = warm.live()
    await warm.until(job, JobState.SUCCEEDED)

    assert [reason for reason, _ in events] == ["starting ComfyUI again"]
    assert warm.process == started
    assert (await warm.row()).comfyui_port == started["port"]


async def test_a_second_job_finds_the_one_restart_used_up(warm: Warm) -> None:
    warm.suffer("oom 1")
    first = await warm.stage.ask(key="k1")
    await warm.until(first, JobState.SUCCEEDED)
    warm.suffer("oom 1")

    second = await warm.stage.ask(key="k2")
    await warm.until_given_up()

    assert (await warm.stage.job(second)).state is JobState.QUEUED
