"""Heartbeats: how often a machine is told that we are there, and that a dead one does not keep us busy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.control.heartbeat import Heartbeat
from orchestrator.control.links import Links
from orchestrator.control.loop import keep_doing
from orchestrator.domain.errors import HostUnreachable
from orchestrator.domain.instance import Address, InstanceState
from orchestrator.ports.host import Completed, Host, HostConnector
from tests import virtual_time
from tests.component.control.stage import Stage, a_stage


@dataclass(slots=True, kw_only=True)
class Machines(HostConnector):
    """Machines that take every command, or that nobody reaches."""

    is_home: bool
    public_key: str = "ssh-ed25519 AAAA"
    knocks: int = 0
    heard: int = 0

    async def connect(self, address: Address, *, host_key: str | None, limit: timedelta) -> Host:
        self.knocks += 1
        if not self.is_home:
            raise HostUnreachable(f"nobody answers at {address.host}")
        return Machine(machines=self)


@dataclass(slots=True, kw_only=True)
class Machine(Host):
    machines: Machines
    host_key: str = "ssh-ed25519 AAAA"
    is_open: bool = True

    async def run(self, command: str, *, stdin: bytes = b"", limit: timedelta) -> Completed:
        self.machines.heard += 1
        return Completed(status=0, stdout="on\n", stderr="")

    async def close(self) -> None:
        self.is_open = False

    def converse(self, command: str, *, stdin: bytes = b"") -> AbstractAsyncContextManager[AsyncIterator[str]]:
        raise AssertionError("a heartbeat is no conversation")

    async def tunnel(self, port: int) -> Path:
        raise AssertionError("a heartbeat needs no tunnel")

    async def wait_closed(self) -> None:
        await asyncio.Event().wait()


async def an_hour(folder: Path, machines: Machines) -> None:
    async with a_stage(folder) as stage, asyncio.TaskGroup() as group:
        await a_warm_machine(stage)
        links = Links(hosts=machines, comfies=ComfyUiConnector(), group=group, connect_limit=timedelta(seconds=10))
        beats = Heartbeat(stage.shared, links=links, group=group)
        loop = group.create_task(keep_doing("heartbeat", beats.step, wakeup=stage.shared.wakeups.heartbeat))
        await asyncio.sleep(3600)
        loop.cancel()


async def a_warm_machine(stage: Stage) -> None:
    await stage.ask()
    ready = await stage.make_ready()
    known = replace(ready, address=Address(host="192.0.2.1", port=22), host_key="ssh-ed25519 AAAA")
    async with stage.shared.store.writing() as books:
        await books.instances.change(ready, known, reason="test")
    assert len(await stage.instances(InstanceState.READY)) == 1


def test_a_warm_machine_hears_of_us_each_minute(tmp_path: Path) -> None:
    machines = Machines(is_home=True)

    virtual_time.run(an_hour(tmp_path, machines))

    assert machines.knocks == 1, "the connection that is open is used"
    assert 45 <= machines.heard <= 61


def test_a_machine_that_nobody_reaches_is_tried_four_times_a_minute_and_no_more(tmp_path: Path) -> None:
    machines = Machines(is_home=False)

    virtual_time.run(an_hour(tmp_path, machines))

    assert 60 <= machines.knocks <= 250


async def heard_in_the_second_hour(folder: Path, *, paints: bool) -> int:
    """The books took something in at the beginning, and nothing since."""
    machines = Machines(is_home=True)
    async with a_stage(folder) as stage, asyncio.TaskGroup() as group:
        await a_warm_machine(stage)
        if paints:
            await stage.begin_painting()
        stage.shared.board.booked_at = asyncio.get_running_loop().time()
        links = Links(hosts=machines, comfies=ComfyUiConnector(), group=group, connect_limit=timedelta(seconds=10))
        beats = Heartbeat(stage.shared, links=links, group=group)
        loop = group.create_task(keep_doing("heartbeat", beats.step, wakeup=stage.shared.wakeups.heartbeat))
        await asyncio.sleep(3600)
        before = machines.heard
        await asyncio.sleep(3600)
        loop.cancel()
    return machines.heard - before


def test_while_no_end_can_be_written_down_an_idle_machine_is_left_to_its_switch(tmp_path: Path) -> None:
    assert virtual_time.run(heard_in_the_second_hour(tmp_path, paints=False)) == 0


def test_a_machine_that_paints_is_not(tmp_path: Path) -> None:
    assert virtual_time.run(heard_in_the_second_hour(tmp_path, paints=True)) >= 45
