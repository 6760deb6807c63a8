"""What an API has charged is booked once, however its attempt and a cancel meet."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.control.bridges import Bridges
from orchestrator.control.dispatcher import Dispatcher
from orchestrator.control.links import Links
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.preparer import PrepareLimits
from orchestrator.control.restarts import Restarts
from orchestrator.control.runner import Runner
from orchestrator.domain.errors import InferenceError, InferenceFailed, PictureFiltered
from orchestrator.domain.inference import Capabilities, Price
from orchestrator.domain.job import Job, JobState
from orchestrator.domain.money import MicroUsd
from orchestrator.ports.inference import Attempt, InferenceApi, Made
from tests import virtual_time
from tests.component.control.stage import a_stage
from tests.component.control.test_heartbeat import Machines
from tests.contract.samples import ADA

PRICE = MicroUsd(3_000)
TAKES_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlucky(InferenceApi):
    """It charges, and makes nothing, after a while. Attributes: error: How it says so."""

    error: InferenceError
    name: str = "unlucky"
    title: str = "Unlucky"
    capabilities: Capabilities = Capabilities(families=frozenset({"flux-schnell"}), price=Price(per_picture=PRICE))

    async def probe(self) -> None:
        """It is well."""

    async def generate(self, attempt: Attempt) -> Made:
        await asyncio.sleep(TAKES_S)
        raise self.error

    async def cancel(self, job: Job) -> None:
        """Too late for that."""


async def an_attempt(folder: Path, error: InferenceError, *, is_cancelled: bool) -> tuple[JobState, int]:
    """What its job does then, and what is booked; a cancel comes before the runner has heard of the end."""
    async with a_stage(folder, bridge=Unlucky(error=error)) as stage, asyncio.TaskGroup() as group:
        shared, limits = stage.shared, PrepareLimits()
        links = Links(
            hosts=Machines(is_home=False),
            comfies=ComfyUiConnector(),
            group=group,
            connect_limit=timedelta(seconds=1),
        )
        bridges = Bridges(shared)
        runner = Runner(
            shared,
            links=links,
            restarts=Restarts(shared, links=links, agent_source=b"", limits=limits),
            loras=LoraFetch(shared, links=links, agent_source=b"", limits=limits),
            blobs=LocalBlobs(folder),
            bridges=bridges,
            group=group,
        )
        job = await stage.ask()
        await Dispatcher(shared, runner, bridges).step()
        await asyncio.sleep(TAKES_S / 2)
        if is_cancelled:
            await stage.service.cancel(job, by=ADA)
        await asyncio.sleep(TAKES_S)
        costs = await stage.service.costs(2)
        return (await stage.job(job)).state, int(costs.total)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (PictureFiltered("kept back", cost=PRICE), JobState.FAILED),
        (InferenceFailed("made nothing", cost=PRICE), JobState.QUEUED),
    ],
)
def test_what_was_charged_for_nothing_is_booked(tmp_path: Path, error: InferenceError, state: JobState) -> None:
    assert virtual_time.run(an_attempt(tmp_path, error, is_cancelled=False)) == (state, PRICE)


@pytest.mark.parametrize("error", [PictureFiltered("kept back", cost=PRICE), InferenceFailed("nothing", cost=PRICE)])
def test_whoever_cancels_first_books_it_and_nobody_else(tmp_path: Path, error: InferenceError) -> None:
    assert virtual_time.run(an_attempt(tmp_path, error, is_cancelled=True)) == (JobState.CANCELLED, PRICE)
