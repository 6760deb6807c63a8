"""What an API has charged is booked once, however its attempt and a cancel meet."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.api import Status, Succeeded
from orchestrator.control.bridges import Bridges
from orchestrator.control.dispatcher import Dispatcher
from orchestrator.control.links import Links
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.restarts import Restarts
from orchestrator.control.runner import Runner
from orchestrator.domain.errors import InferenceError, InferenceFailed, PictureFiltered
from orchestrator.domain.inference import Capabilities, Price
from orchestrator.domain.job import Job, JobState, Preference
from orchestrator.domain.money import MicroUsd, price_of
from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.renting import FirstUser, RentingPolicy
from orchestrator.ports.inference import Attempt, InferenceApi, Made
from tests import virtual_time
from tests.component.control.stage import IDLE, Stage, a_stage
from tests.component.control.test_heartbeat import Machines
from tests.contract.samples import ADA

PRICE = MicroUsd(3_000)
TAKES_S = 5.0
MINUTE = timedelta(minutes=1)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Quick(Unlucky):
    """It makes what is asked for."""

    error: InferenceError = field(default_factory=lambda: InferenceFailed("never"))
    name: str = "quick"
    title: str = "Quick"

    async def generate(self, attempt: Attempt) -> Made:
        return Made(pictures=(b"\x89PNG and so on",) * attempt.job.count, cost=PRICE)


def a_dispatcher(stage: Stage, folder: Path, group: asyncio.TaskGroup) -> Dispatcher:
    shared, limits = stage.shared, PrepareLimits()
    links = Links(
        hosts=Machines(is_home=False), comfies=ComfyUiConnector(), group=group, connect_limit=timedelta(seconds=1)
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
    return Dispatcher(shared, runner, bridges)


async def an_attempt(folder: Path, error: InferenceError, *, is_cancelled: bool) -> tuple[JobState, int]:
    """What its job does then, and what is booked; a cancel comes before the runner has heard of the end."""
    async with a_stage(folder, bridge=Unlucky(error=error)) as stage, asyncio.TaskGroup() as group:
        job = await stage.ask()
        await a_dispatcher(stage, folder, group).step()
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


async def bridged(folder: Path, policy: RentingPolicy, prefers: Preference = Preference.DEFAULT) -> tuple[Status, int]:
    """What the card of a picture that an API has made shows, and how many machines were planned by then."""
    async with a_stage(folder, bridge=Quick(), policy=policy) as stage:
        job = await stage.ask(prefers=prefers)
        async with asyncio.TaskGroup() as group:  # its end is the runner's
            await a_dispatcher(stage, folder, group).step()
        await stage.look()
        return (await stage.view(job)).status, len(await stage.instances())


@pytest.mark.parametrize("prefers", [Preference.DEFAULT, Preference.CHEAP])
async def test_where_no_machine_is_wanted_the_card_shows_the_picture_and_promises_none(
    tmp_path: Path, prefers: Preference
) -> None:
    status, machines = await bridged(tmp_path, Auto(idle_timeout=IDLE), prefers)

    assert isinstance(status, Succeeded)
    assert (status.served.by, status.warming, machines) == ("Quick", None, 0)


async def test_where_one_is_wanted_the_card_goes_on_with_it(tmp_path: Path) -> None:
    status, machines = await bridged(tmp_path, FirstUser(idle_timeout=IDLE))

    assert isinstance(status, Succeeded)
    assert status.warming is not None
    assert machines == 1


async def behind(folder: Path, first: int) -> list[str]:
    """Who makes what was asked for while *first* pictures are painted on a machine: their bridges."""
    async with a_stage(folder, bridge=Quick()) as stage, asyncio.TaskGroup() as group:
        await stage.ask(key="first", prefers=Preference.OWN, count=first)
        await stage.make_ready()
        await stage.begin_painting()
        later = [await stage.ask(key=str(prefers), prefers=prefers) for prefers in (Preference.DEFAULT, Preference.OWN)]
        await a_dispatcher(stage, folder, group).step()
        return [(await stage.job(job)).bridge for job in later]


@pytest.mark.parametrize(("first", "by"), [(1, ""), (10, "quick")])
async def test_behind_a_long_queue_an_api_makes_it_for_who_waits(tmp_path: Path, first: int, by: str) -> None:
    assert await behind(tmp_path, first) == [by, ""]


async def test_a_machine_that_was_lost_before_the_picture_is_in_its_cost_while_the_next_one_gets_warm(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path, bridge=Quick(), policy=FirstUser(idle_timeout=IDLE)) as stage:
        job = await stage.ask()
        lost = await stage.order()
        await stage.look(3 * MINUTE)
        await stage.lose(lost)
        async with asyncio.TaskGroup() as group:
            await a_dispatcher(stage, tmp_path, group).step()
        await stage.look(MINUTE)
        await stage.order()

        view = await stage.view(job)
        assert isinstance(view.status, Succeeded)
        assert view.status.warming is not None
        assert view.cost == view.status.served.cost + price_of(lost.price, 3 * MINUTE)
