"""ComfyUI in memory against the rules of ``comfy_suite``."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from orchestrator.domain.workflows import Graph
from orchestrator.sim.comfy import SimComfies
from orchestrator.sim.host import SimHosts
from tests.contract.cloud_suite import launched
from tests.contract.comfy_suite import ComfyContract, Subject
from tests.contract.sim.stage import Certain, SimStage

STEPS, FOR_EVER = 4, 100_000


def painting(seed: int, steps: int = STEPS) -> Graph:
    return {"sampler": {"class_type": "KSampler", "inputs": {"seed": seed, "steps": steps}}}


class TestSimComfy(ComfyContract):
    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        stage = SimStage(hosts=20)
        ref = await launched(stage)
        await stage.until_running(ref)
        machine = stage.account.machines[ref]
        machine.comfy.is_up = True
        hosts = SimHosts(lambda _: machine, Certain())
        rental = stage.account.rental_of(machine)
        assert rental.address is not None
        host = await hosts.connect(rental.address, host_key=None, limit=timedelta(seconds=10))

        async def started() -> None:
            while not any(
                prompt.begins <= machine.comfy.now < prompt.ends for prompt in machine.comfy.prompts.values()
            ):
                await asyncio.sleep(0.1)

        async def let_go() -> None:
            for prompt in machine.comfy.prompts.values():
                prompt.ends = machine.comfy.now

        async with SimComfies(hosts).connect(await host.tunnel(8188)) as comfy:
            yield Subject(
                comfy=comfy,
                good=painting,
                refused={"refuse": {"class_type": "Nope", "inputs": {}}},
                slow=lambda seed: painting(seed, FOR_EVER),
                started=started,
                let_go=let_go,
            )
