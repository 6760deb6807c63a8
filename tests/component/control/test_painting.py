"""One job on one machine: how long it may take, and whose fault it is when it fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.control.links import Links
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.painting import MachineFailed, Painter
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.restarts import DONE, FACT, Restarts
from orchestrator.domain.errors import GraphRejected
from orchestrator.domain.ids import PromptId
from orchestrator.domain.instance import Address, EndReason, Instance
from orchestrator.domain.job import Job
from orchestrator.domain.workflows import Graph
from orchestrator.ports.comfy import Comfy, ComfyConnector, OnProgress, Painting, ServerStats
from orchestrator.ports.host import Host, HostConnector
from tests import virtual_time
from tests.component.control.stage import Stage, a_stage
from tests.fuzz.machine import SayingHost

NEVER = timedelta(hours=1)


class Machines(HostConnector):
    @property
    def public_key(self) -> str:
        return ""

    async def connect(self, address: Address, *, host_key: str | None, limit: timedelta) -> Host:
        return StayingHost()


class StayingHost(SayingHost):
    async def wait_closed(self) -> None:
        await asyncio.Event().wait()


class Dripping(Comfy, ComfyConnector):
    """Says again and again that one more step is done, of ever more."""

    @asynccontextmanager
    async def connect(self, socket: Path) -> AsyncIterator[Comfy]:
        yield self

    async def paint(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        for step in count():
            on_progress(Painting(done=step, total=step + 1))
            await asyncio.sleep(60)
        raise AssertionError("unreachable: it counts for ever")

    async def resume(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        return await self.paint(graph, prompt, on_progress=on_progress)

    async def run(self, graph: Graph, prompt: PromptId) -> None: ...

    async def interrupt(self, prompt: PromptId) -> None: ...

    async def upload(self, picture: bytes, name: str) -> str:
        return name

    async def stats(self) -> ServerStats:
        return ServerStats(version="", device="", vram_total_bytes=0)


class Refusing(Dripping):
    """Takes no graph."""

    async def paint(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        raise GraphRejected("No such node here.")


class Obliging(Dripping):
    """Paints at once."""

    async def paint(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        return (b"\x89PNG and so on",)


@asynccontextmanager
async def a_painter(stage: Stage, comfies: ComfyConnector, blobs: Path) -> AsyncIterator[Painter]:
    async with asyncio.TaskGroup() as group:
        links = Links(hosts=Machines(), comfies=comfies, group=group, connect_limit=NEVER)
        restarts = Restarts(stage.shared, links=links, agent_source=b"", limits=PrepareLimits())
        loras = LoraFetch(stage.shared, links=links, agent_source=b"", limits=PrepareLimits())
        yield Painter(stage.shared, links=links, restarts=restarts, loras=loras, blobs=LocalBlobs(blobs))
        await links.close()


async def a_machine(stage: Stage, *, proved: bool = False) -> Instance:
    """One that is ready, and within reach; it has painted if *proved*."""
    ready = await stage.make_ready(proved=proved)
    async with stage.shared.store.writing() as books:
        reachable = replace(ready, address=Address(host="127.0.0.1", port=1))
        return await books.instances.change(ready, reachable, reason="test")


async def paint(painter: Painter, stage: Stage, job: Job, on: Instance) -> None:
    workflow = stage.shared.catalog.find(job.workflow)
    assert workflow is not None
    await painter.paint(replace(job, prompt=PromptId("p1"), instance=on.id), workflow, is_new=True)


def test_a_machine_that_always_does_one_more_step_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """It is paid by the minute."""

    async def wait_for_a_picture() -> None:
        async with a_stage(tmp_path) as stage, a_painter(stage, Dripping(), tmp_path) as painter:
            asked = await stage.job(await stage.ask())
            machine = await a_machine(stage)
            async with stage.shared.store.writing() as books:
                await books.set_fact(FACT, json.dumps({machine.id: DONE}))  # its ComfyUI was started again before

            with pytest.raises(MachineFailed, match="to its end"):
                await paint(painter, stage, asked, machine)

            assert asyncio.get_running_loop().time() < 2 * stage.shared.limits.painting.total_seconds()

    virtual_time.run(wait_for_a_picture())


def test_a_machine_that_refuses_its_very_first_graph_is_blamed_and_on_a_second_one_the_graph(tmp_path: Path) -> None:
    """No smoke picture is made while somebody waits: the first real one is the proof that a machine can paint."""

    async def ask_for_two_pictures() -> None:
        async with a_stage(tmp_path) as stage, a_painter(stage, Refusing(), tmp_path) as painter:
            asked = await stage.job(await stage.ask())
            machine = await a_machine(stage)

            with pytest.raises(MachineFailed) as caught:
                await paint(painter, stage, asked, machine)
            assert caught.value.reason is EndReason.COMFYUI_FAILED

            await stage.lose(machine, EndReason.COMFYUI_FAILED)
            await stage.look()
            with pytest.raises(GraphRejected):
                await paint(painter, stage, asked, await a_machine(stage))

    virtual_time.run(ask_for_two_pictures())


def test_on_a_machine_that_has_painted_the_graph_is_to_blame(tmp_path: Path) -> None:
    async def ask_for_a_picture() -> None:
        async with a_stage(tmp_path) as stage, a_painter(stage, Refusing(), tmp_path) as painter:
            asked = await stage.job(await stage.ask())

            with pytest.raises(GraphRejected):
                await paint(painter, stage, asked, await a_machine(stage, proved=True))

    virtual_time.run(ask_for_a_picture())
