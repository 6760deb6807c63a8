"""How long a machine may take for a picture, whatever it says meanwhile."""

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
from orchestrator.control.preparer import PrepareLimits
from orchestrator.control.restarts import DONE, FACT, Restarts
from orchestrator.domain.ids import PromptId
from orchestrator.domain.instance import Address
from orchestrator.domain.workflows import Graph
from orchestrator.ports.comfy import Comfy, ComfyConnector, OnProgress, Painting, ServerStats
from orchestrator.ports.host import Host, HostConnector
from tests import virtual_time
from tests.component.control.stage import a_stage
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


def test_a_machine_that_always_does_one_more_step_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """It is paid by the minute."""

    async def wait_for_a_picture() -> None:
        async with a_stage(tmp_path) as stage, asyncio.TaskGroup() as group:
            links = Links(hosts=Machines(), comfies=Dripping(), group=group, connect_limit=NEVER)
            restarts = Restarts(stage.shared, links=links, agent_source=b"", limits=PrepareLimits())
            loras = LoraFetch(stage.shared, links=links, agent_source=b"", limits=PrepareLimits())
            blobs = LocalBlobs(tmp_path / "blobs")
            painter = Painter(stage.shared, links=links, restarts=restarts, loras=loras, blobs=blobs)
            asked = await stage.job(await stage.ask())
            ready = await stage.make_ready()
            async with stage.shared.store.writing() as books:
                reachable = replace(ready, address=Address(host="127.0.0.1", port=1))
                await books.instances.change(ready, reachable, reason="test")
                await books.set_fact(FACT, json.dumps({ready.id: DONE}))  # its ComfyUI was started again before
            job = replace(asked, prompt=PromptId("p1"), instance=ready.id)
            workflow = stage.shared.catalog.find(job.workflow)
            assert workflow is not None

            with pytest.raises(MachineFailed, match="to its end"):
                await painter.paint(job, workflow, is_new=True)

            assert asyncio.get_running_loop().time() < 2 * stage.shared.limits.painting.total_seconds()
            await links.close()

    virtual_time.run(wait_for_a_picture())
