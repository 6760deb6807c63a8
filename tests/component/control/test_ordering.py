"""Which machine is ordered, by what the books know of links, and what is said of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.control.board import CloudHealth
from orchestrator.control.market import Market
from orchestrator.control.ordering import Ordering
from orchestrator.control.shared import Limits
from orchestrator.domain.instance import EndReason, Instance, InstanceState
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.domain.stages import Stage as StepStage
from orchestrator.domain.stages import StageState, Step
from orchestrator.ports.store import Event
from tests.component.control.fleet import Fleet
from tests.component.control.stage import Stage, a_stage
from tests.contract.samples import VAST, an_instance, an_offer

MB = 1_000_000
AN_HOUR = timedelta(hours=1)


def priced(name: str, usd_micro: int) -> Offer:
    return an_offer(name, tariff=Tariff(running=MicroUsdPerHour(usd_micro)), inet_down_mbps=1000.0)


CHEAP, DEAR = priced("cheap", 300_000), priced("dear", 400_000)


@dataclass(slots=True, kw_only=True)
class Shop(Fleet):
    shelf: tuple[Offer, ...] = (CHEAP, DEAR)

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        return self.shelf


@asynccontextmanager
async def a_shop(folder: Path, limits: Limits | None = None, *shelf: Offer) -> AsyncIterator[tuple[Stage, Ordering]]:
    async with a_stage(folder, limits=limits) as stage:
        stage.shared.board.put_cloud(VAST, CloudHealth(listed_at=stage.clock.now()))
        clouds = {VAST: Shop(clock=stage.clock, shelf=shelf or (CHEAP, DEAR))}
        yield stage, Ordering(stage.shared, clouds, Market(stage.shared, clouds), ssh_public_key="ssh-ed25519 AAAA")


async def measure(stage: Stage, offer: Offer, bytes_per_s: int) -> None:
    """An hour ago the machine of *offer* had downloaded its models at that speed, then it was idle and given back."""
    at = stage.clock.now() - AN_HOUR
    machine = an_instance(
        f"had-{offer.id}",
        session=None,
        state=InstanceState.TERMINATED,
        state_since=at,
        cloud=VAST,
        offer=offer,
        ordered_at=at - AN_HOUR,
        ready_at=at,
        ended_at=at,
        end_reason=EndReason.IDLE,
    )
    models = StepStage(step=Step.MODELS, state=StageState.DONE, started_at=at, ended_at=at, rate_bps=bytes_per_s)
    async with stage.shared.store.writing() as books:
        await books.instances.add(machine, reason="test")
        await books.instances.record_stage(machine.id, models)


async def ordered(stage: Stage, ordering: Ordering) -> Instance:
    """What becomes of a request."""
    await stage.ask()
    [planned] = await stage.instances(InstanceState.PLANNED)
    return await ordering.order(planned, stage.shared.catalog.all()[0])


async def choose(folder: Path, *links: tuple[Offer, int], limits: Limits | None = None) -> Offer | None:
    async with a_shop(folder, limits) as (stage, ordering):
        for offer, bytes_per_s in links:
            await measure(stage, offer, bytes_per_s)
        return (await ordered(stage, ordering)).offer


async def test_a_machine_measured_at_ten_megabytes_an_hour_ago_is_passed_over_though_it_worked(tmp_path: Path) -> None:
    assert await choose(tmp_path, (CHEAP, 10 * MB)) == DEAR


async def test_without_any_history_the_cheaper_of_two_like_machines_is_ordered(tmp_path: Path) -> None:
    assert await choose(tmp_path) == CHEAP


async def test_a_bot_that_remembers_no_hosts_remembers_no_links(tmp_path: Path) -> None:
    assert await choose(tmp_path, (CHEAP, 10 * MB), limits=Limits(host_memory=False)) == CHEAP


async def test_the_worth_of_waiting_is_the_operators_to_say(tmp_path: Path) -> None:
    links = (CHEAP, 60 * MB), (DEAR, 80 * MB)
    for limits, expected in ((Limits(wait_price=MicroUsdPerHour(0)), CHEAP), (a_hurry(), DEAR)):
        folder = tmp_path / expected.id
        folder.mkdir()
        assert await choose(folder, *links, limits=limits) == expected


def a_hurry() -> Limits:
    return replace(Limits(), wait_price=MicroUsdPerHour(5_000_000))


async def test_lighter_files_go_by_the_measured_link_where_there_is_one(tmp_path: Path) -> None:
    boasting = replace(CHEAP, inet_down_mbps=5000.0)
    async with a_shop(tmp_path, None, boasting) as (stage, ordering):
        await measure(stage, boasting, 20 * MB)
        assert (await ordered(stage, ordering)).variant == "fp8"


async def test_without_one_they_go_by_what_is_advertised(tmp_path: Path) -> None:
    async with a_shop(tmp_path, None, replace(CHEAP, inet_down_mbps=5000.0)) as (stage, ordering):
        assert (await ordered(stage, ordering)).variant == ""


async def test_an_order_says_how_long_its_machine_should_take(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "orchestrator.control.ordering")
    async with a_shop(tmp_path) as (stage, ordering):
        machine = await ordered(stage, ordering)
        event = await the_order(stage, machine)

    cold_s, link_bps = event.details["cold_s"], event.details["link_bps"]
    assert isinstance(cold_s, float)
    assert isinstance(link_bps, int)
    assert f"ready in about {cold_s:.0f} s" in caplog.text
    assert f"at about {link_bps / MB:.0f} MB/s" in caplog.text


async def the_order(stage: Stage, machine: Instance) -> Event:
    async with asyncio.timeout(5), stage.shared.store.reading() as books:
        return next(event for event in await books.events(machine.id) if event.reason == "ordering")
