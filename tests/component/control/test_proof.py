"""The first picture is the proof of a machine: what is learnt of it from that one, and what from its failure."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.control.bridges import Bridges
from orchestrator.control.links import Links
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.restarts import Restarts
from orchestrator.control.runner import Runner
from orchestrator.domain.ids import PromptId
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.job import Job, JobState
from orchestrator.ports.comfy import ComfyConnector
from orchestrator.sim.blobs import SimBlobs
from tests import virtual_time
from tests.component.control.stage import Stage, a_stage
from tests.component.control.test_painting import NEVER, Machines, Obliging, Refusing, a_machine


async def run_on(stage: Stage, machine: Instance, comfies: ComfyConnector) -> Job:
    """Have the runner make one attempt at the job that waits; how the job is afterwards."""
    async with stage.shared.store.writing() as books:
        [queued] = await books.jobs.page(user=None, before=None, limit=1)
        now = stage.clock.now()
        running = replace(
            queued.moved_to(JobState.RUNNING, now), prompt=PromptId("p1"), instance=machine.id, started_at=now
        )
        running = await books.jobs.change(queued, running, reason="test")
    async with asyncio.TaskGroup() as group:
        links = Links(hosts=Machines(), comfies=comfies, group=group, connect_limit=NEVER)
        runner = Runner(
            stage.shared,
            links=links,
            restarts=Restarts(stage.shared, links=links, agent_source=b"", limits=PrepareLimits()),
            loras=LoraFetch(stage.shared, links=links, agent_source=b"", limits=PrepareLimits()),
            blobs=SimBlobs(lambda: False),
            bridges=Bridges(stage.shared),
            group=group,
        )
        runner.take(running)
        while (job := await stage.job(queued.id)).state is JobState.RUNNING:
            await asyncio.sleep(1)
        await links.close()
    return job


async def outcomes(stage: Stage) -> list[bool]:
    """Of each machine that was given up and says something: whether it worked."""
    async with stage.shared.store.reading() as books:
        known = await books.instances.outcomes(stage.clock.now() - timedelta(days=1), 10)
    return [outcome.worked for outcome in known]


async def starts_that_worked(stage: Stage) -> list[bool]:
    async with stage.shared.store.reading() as books:
        await stage.shared.experience.learn(books)
    return [start.worked for start in stage.shared.experience._starts.values() if start is not None]


def test_a_first_picture_proves_the_machine_and_ends_the_count_of_tries(tmp_path: Path) -> None:
    async def paint() -> None:
        async with a_stage(tmp_path) as stage:
            await stage.ask()
            machine = await a_machine(stage)
            assert await starts_that_worked(stage) == [], "nothing is known before"
            waiting = await stage.session()

            assert (await run_on(stage, machine, Obliging())).state is JobState.SUCCEEDED
            await stage.look()

            [proved] = await stage.instances(InstanceState.READY)
            assert proved.proved_at == stage.clock.now()
            assert await starts_that_worked(stage) == [True]
            session = await stage.session()
            assert waiting is not None
            assert session is not None
            assert (waiting.tries, session.tries) == (1, 0)

    virtual_time.run(paint())


def test_a_machine_that_fails_at_its_first_picture_has_failed_to_start(tmp_path: Path) -> None:
    async def paint() -> None:
        async with a_stage(tmp_path) as stage:
            await stage.ask()

            job = await run_on(stage, await a_machine(stage), Refusing())

            assert job.state is JobState.QUEUED
            [failed] = await stage.instances(InstanceState.TERMINATING)
            assert failed.end_reason is EndReason.COMFYUI_FAILED
            assert await outcomes(stage) == [False]
            assert await starts_that_worked(stage) == [False]

    virtual_time.run(paint())


@pytest.mark.parametrize("proved", [True, False])
def test_a_machine_that_was_given_back_unasked_says_something_only_if_it_had_painted(
    tmp_path: Path, proved: bool
) -> None:
    async def give_back() -> None:
        async with a_stage(tmp_path) as stage:
            await stage.ask()
            await stage.lose(await a_machine(stage, proved=proved), EndReason.RELEASED)

            assert await outcomes(stage) == [True] * proved
            assert await starts_that_worked(stage) == [True] * proved

    virtual_time.run(give_back())
