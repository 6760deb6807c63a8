"""While a machine is cold a managed API makes the picture: the whole orchestrator, a real sandbox, its Replicate."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

from orchestrator.api import (
    Cancelled,
    ColdStart,
    Failed,
    ImageKey,
    JobId,
    JobRequest,
    JobView,
    Orchestrator,
    Preference,
    Running,
    Succeeded,
    UserId,
    Value,
    Warming,
    dollars,
)
from orchestrator.app import SandboxAddress, open_orchestrator
from orchestrator.sandbox import replicate
from orchestrator.sandbox.options import DataFolder, SandboxOptions
from orchestrator.sandbox.replicate import Trouble
from orchestrator.sandbox.replicate.account import Account
from orchestrator.sandbox.server import Sandbox, open_sandbox
from orchestrator.settings import Settings

pytestmark = pytest.mark.timeout(120)

ADA = UserId("web:ada")
USD = 0.003


class World:
    """One person, one bot, one sandbox."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self._folder = folder
        self._count = 0
        self.sandbox = sandbox
        self.bot: Orchestrator

    @property
    def account(self) -> Account:
        return self.sandbox.apis.apps["replicate"][replicate.ACCOUNT]

    @asynccontextmanager
    async def living(self, **settings: str) -> AsyncIterator[None]:
        """One life of the bot."""
        given = {"GLOWPLUG_DATA": str(self._folder / "data"), "GLOWPLUG_SANDBOX_BRIDGE": "replicate"}
        own = Settings.model_validate(given | settings)
        async with open_orchestrator(own, SandboxAddress(url=self.sandbox.url, key=self.sandbox.key)) as self.bot:
            yield

    async def ask(
        self,
        prefers: Preference = Preference.DEFAULT,
        *,
        may_remake: bool = False,
        values: Mapping[str, Value] = MappingProxyType({}),
    ) -> JobId:
        self._count += 1
        ticket = await self.bot.submit(
            JobRequest(
                user=ADA,
                surface="web",
                origin="",
                idempotency_key=f"k{self._count}",
                workflow=None,
                values={"prompt": "a lighthouse", **values},
                prefers=prefers,
                may_remake=may_remake,
            )
        )
        return ticket.job

    async def view(self, job: JobId) -> JobView:
        view = await self.bot.job(job)
        assert view is not None
        return view

    async def until(self, job: JobId, is_so: Callable[[JobView], bool]) -> JobView:
        async with asyncio.timeout(60):
            while not is_so(view := await self.view(job)):
                await asyncio.sleep(0.02)
        return view

    async def ended(self, job: JobId) -> JobView:
        return await self.until(job, lambda view: view.ended_at is not None)

    async def picture(self, job: JobId) -> Succeeded:
        status = (await self.ended(job)).status
        assert isinstance(status, Succeeded), status
        return status

    async def spent_at_the_bridge(self) -> float:
        report = await self.bot.costs(2)
        return sum(dollars(row.amount) for row in report.by_cloud if row.key == "replicate")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_sandbox(DataFolder(tmp_path / "sandbox"), SandboxOptions(speed=10, paint_ms=50)) as sandbox:
        yield World(tmp_path, sandbox)


async def test_the_first_picture_comes_from_the_api_and_the_next_from_the_machine_that_got_warm_meanwhile(
    world: World,
) -> None:
    async with world.living():
        job = await world.ask()
        first = await world.picture(job)
        assert (first.served.by, dollars(first.served.cost)) == ("Replicate", USD)
        assert await world.bot.image(ImageKey(first.images[0]))

        def warming(view: JobView) -> Warming | None:
            return view.status.warming if isinstance(view.status, Succeeded) else None

        told = await world.until(job, lambda view: bool(warming(view) and view.stages))
        assert (it := warming(told)) is not None
        assert it.eta is not None
        assert it.machine is not None
        await world.until(job, lambda view: (it := warming(view)) is not None and it.is_ready)

        second = await world.picture(await world.ask())
        assert second.served.by.startswith("your ")
        assert await world.spent_at_the_bridge() == pytest.approx(USD)


async def test_updates_go_on_below_a_picture_that_was_acknowledged(world: World) -> None:
    async with world.living():
        updates, job = world.bot.updates(), await world.ask()
        async with asyncio.timeout(60):
            async for view in updates:
                if view.id == job and isinstance(view.status, Succeeded):
                    await world.bot.acknowledge(job)
                    if view.acknowledged and view.status.warming is not None and view.status.warming.is_ready:
                        break
        await world.bot.release(ADA)


async def test_who_wants_their_own_machine_waits_for_it(world: World) -> None:
    async with world.living():
        job = await world.ask(Preference.OWN)
        await world.until(job, lambda view: isinstance(view.status, ColdStart))
        assert (await world.picture(job)).served.by.startswith("your ")
    assert world.account.orders == 0


async def test_who_wants_it_now_gets_it_from_the_api_also_where_machines_are_the_rule(world: World) -> None:
    async with world.living(GLOWPLUG_ROUTING="own"):
        patient = await world.ask()
        hasty = await world.ask(Preference.NOW)
        assert (await world.picture(hasty)).served.by == "Replicate"
        assert (await world.picture(patient)).served.by.startswith("your ")


@pytest.mark.parametrize("values", [{"lora": "b0throps"}, {"width": 1008, "height": 1008}, {"steps": 9}, {"count": 5}])
async def test_what_the_api_cannot_make_and_batches_wait_for_the_machine(
    world: World, values: dict[str, Value]
) -> None:
    async with world.living():
        assert (await world.picture(await world.ask(values=values))).served.by.startswith("your ")
    assert world.account.orders == 0


async def test_a_picture_that_failed_there_is_made_by_the_machine(world: World) -> None:
    world.account.troubles.strike(Trouble.FAILS)
    async with world.living():
        assert (await world.picture(await world.ask())).served.by.startswith("your ")
    assert world.account.orders == 1


async def test_an_order_whose_answer_was_lost_is_counted_as_spent_and_not_repeated(world: World) -> None:
    world.account.troubles.strike(Trouble.UNLISTED, times=1)
    async with world.living():
        assert (await world.picture(await world.ask())).served.by.startswith("your ")
        assert await world.spent_at_the_bridge() == pytest.approx(USD)
    assert world.account.orders == 1


async def test_what_is_kept_back_is_told_and_made_elsewhere_only_where_that_is_allowed(world: World) -> None:
    world.account.troubles.strike(Trouble.FILTERED)
    async with world.living():
        status = (await world.ended(await world.ask())).status
        assert isinstance(status, Failed)
        assert status.failure.key == "filtered"

        allowed = await world.ask(may_remake=True)
        assert (await world.picture(allowed)).served.by.startswith("your ")


async def test_an_account_without_money_is_the_admins_business_and_nobody_elses(world: World) -> None:
    world.account.troubles.strike(Trouble.NO_MONEY)
    async with world.living():
        assert (await world.picture(await world.ask())).served.by.startswith("your ")
        async with asyncio.timeout(10):
            async for notice in world.bot.notices():
                if notice.key == "bridge_off":
                    break
        assert notice.user is None
        await world.bot.release(ADA)
        await world.ask()
        await asyncio.sleep(0.5)
    assert world.account.orders == 1  # nobody was sent there again


async def test_cancelling_stops_it_there_and_counts_it_as_spent(world: World) -> None:
    world.account.seconds = 150
    async with world.living():
        job = await world.ask()
        await world.until(job, lambda view: isinstance(view.status, Running) and bool(world.account.predictions))
        await world.bot.cancel(job, by=ADA)
        status = (await world.ended(job)).status
        assert isinstance(status, Cancelled)
        [order] = world.account.predictions.values()
        await _true(lambda: order.is_over)
        assert await world.spent_at_the_bridge() == pytest.approx(USD)


async def test_a_life_that_ends_in_the_middle_leaves_its_order_to_the_next_one(world: World) -> None:
    world.account.seconds = 15
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(world.living())
        job = await world.ask()
        await world.until(job, lambda view: isinstance(view.status, Running) and bool(world.account.predictions))
    async with world.living():
        assert (await world.picture(job)).served.by == "Replicate"
    assert world.account.orders == 1


async def _true(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.02)
