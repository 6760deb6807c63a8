"""Work that fails in a way that no code of ours expected is given up after some tries, and another machine is tried."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.control.bridges import Bridges
from orchestrator.control.dispatcher import Dispatcher
from orchestrator.control.links import Links
from orchestrator.control.loop import UNEXPECTED_TRIES, keep_doing
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.market import Market
from orchestrator.control.ordering import Ordering
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.preparer import Preparer
from orchestrator.control.provisioner import Provisioner
from orchestrator.control.restarts import Restarts
from orchestrator.control.runner import Runner
from orchestrator.domain.instance import Address, EndReason, Instance, InstanceState
from orchestrator.domain.job import JobState
from orchestrator.ports.host import Host, HostConnector
from tests import virtual_time
from tests.component.control.fleet import Fleet
from tests.component.control.stage import Stage, a_stage
from tests.contract.samples import VAST

LIMITS = PrepareLimits()


@dataclass(slots=True, kw_only=True)
class Cursed(HostConnector):
    """Whoever opens a connection meets a mistake of ours."""

    public_key: str = "ssh-ed25519 AAAA"
    knocks: int = 0

    async def connect(self, address: Address, *, host_key: str | None, limit: timedelta) -> Host:
        self.knocks += 1
        raise ZeroDivisionError("a mistake of ours")


def links_to(machines: Cursed, group: asyncio.TaskGroup) -> Links:
    return Links(hosts=machines, comfies=ComfyUiConnector(), group=group, connect_limit=timedelta(seconds=10))


async def known(stage: Stage, machine: Instance) -> Instance:
    """With an address, so that it is knocked at."""
    async with stage.shared.store.writing() as books:
        return await books.instances.change(
            machine, replace(machine, address=Address(host="192.0.2.1", port=22)), reason="test"
        )


async def a_preparation(folder: Path) -> tuple[int, EndReason | None, int]:
    """How often it was tried, why it was given up, and how many machines are planned instead."""
    machines = Cursed()
    async with a_stage(folder) as stage, asyncio.TaskGroup() as group:
        await stage.ask()
        shared, fleet, links = stage.shared, Fleet(clock=stage.clock), links_to(machines, group)
        machine = await known(stage, await stage.move(await stage.order(), InstanceState.PREPARING))
        provisioner = Provisioner(
            shared,
            clouds={VAST: fleet},
            ordering=Ordering(shared, {VAST: fleet}, Market(shared, {VAST: fleet}), ssh_public_key="ssh-ed25519 AAAA"),
            links=links,
            preparer=Preparer(
                agent_source=b"",
                comfy=ComfyUiConnector(),
                catalog=shared.catalog,
                clock=shared.clock,
                ids=shared.ids,
                limits=LIMITS,
            ),
            group=group,
        )
        loop = group.create_task(keep_doing("provisioner", provisioner.step, wakeup=shared.wakeups.provisioner))
        await asyncio.sleep(600)
        loop.cancel()
        await stage.look()
        async with shared.store.reading() as books:
            ended = await books.instances.get(machine.id)
        assert ended is not None
        return machines.knocks, ended.end_reason, len(await stage.instances(InstanceState.PLANNED))


def test_a_machine_that_cannot_be_prepared_for_a_mistake_of_ours_is_replaced(tmp_path: Path) -> None:
    tries, reason, planned = virtual_time.run(a_preparation(tmp_path))

    assert (tries, reason, planned) == (UNEXPECTED_TRIES, EndReason.UNEXPECTED, 1)


async def an_attempt(folder: Path) -> tuple[int, EndReason | None, JobState]:
    """How often it was tried, why its machine was given up, and what its job does now."""
    machines = Cursed()
    async with a_stage(folder) as stage, asyncio.TaskGroup() as group:
        job = await stage.ask()
        shared, links = stage.shared, links_to(machines, group)
        machine = await known(stage, await stage.make_ready())
        restarts = Restarts(shared, links=links, agent_source=b"", limits=LIMITS)
        bridges = Bridges(shared)
        blobs = LocalBlobs(folder)
        loras = LoraFetch(shared, links=links, agent_source=b"", limits=LIMITS)
        runner = Runner(shared, links=links, restarts=restarts, loras=loras, blobs=blobs, bridges=bridges, group=group)
        await Dispatcher(shared, runner, bridges).step()
        loop = group.create_task(keep_doing("runner", runner.step, wakeup=shared.wakeups.runner))
        await asyncio.sleep(600)
        loop.cancel()
        async with shared.store.reading() as books:
            ended = await books.instances.get(machine.id)
        assert ended is not None
        return machines.knocks, ended.end_reason, (await stage.job(job)).state


def test_a_job_that_cannot_be_painted_for_a_mistake_of_ours_goes_to_another_machine(tmp_path: Path) -> None:
    tries, reason, state = virtual_time.run(an_attempt(tmp_path))

    assert (tries, reason, state) == (UNEXPECTED_TRIES, EndReason.UNEXPECTED, JobState.QUEUED)
