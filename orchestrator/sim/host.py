"""SSH in memory: connections that break, and our agent's side of its line protocol at the other end."""

import asyncio
import base64
import hashlib
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from orchestrator.control.heartbeat import FEED
from orchestrator.control.machine_agent import ROOT_MARK, START
from orchestrator.domain.errors import HostUnreachable
from orchestrator.domain.instance import Address
from orchestrator.faults import Fault
from orchestrator.ports.host import Completed, Host, HostConnector
from orchestrator.sim.agent import SimAgent
from orchestrator.sim.machine import DROPS_AFTER, SimMachine
from orchestrator.sim.shell import Shell

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdsb3dwbHVnIHNpbXVsYXRlZCB3b3JsZCBrZXkuLi4u sim"
ROOT = "/root"
MOST_OUTPUT = 2**20
LONGEST_LINE = 2**16


class SimHosts(HostConnector):
    """
    Logs in to machines of one world, for one life of the bot.

    Args:
        find: The machine at an address, if there is one.
    """

    def __init__(self, find: Callable[[Address], SimMachine | None], dice: random.Random) -> None:
        self._find = find
        self._dice = dice
        self._tunnels: dict[Path, SimConnection] = {}

    @property
    def public_key(self) -> str:
        return PUBLIC_KEY

    async def connect(self, address: Address, *, host_key: str | None, limit: timedelta) -> Host:
        machine = self._find(address)
        if machine is None or not machine.opens_ssh:
            await asyncio.sleep(min(limit.total_seconds(), self._dice.choice((1.0, 30.0))))
            raise HostUnreachable(f"{address.host}:{address.port}: nothing answers")
        await asyncio.sleep(self._dice.uniform(0.2, 1.5))
        if not machine.opens_ssh:
            raise HostUnreachable("the connection broke")
        if host_key is not None and host_key != key_of(machine):
            raise HostUnreachable("HostKeyNotVerifiable: another host key than the pinned one")
        return SimConnection(machine, self._dice, self._tunnels)

    def behind(self, tunnel: Path) -> "SimConnection":
        """
        The connection that a tunnel goes through.

        Raises:
            HostUnreachable: It is closed.
        """
        found = self._tunnels.get(tunnel)
        if found is None:
            raise HostUnreachable("the tunnel is closed")
        return found


def key_of(machine: SimMachine) -> str:
    """Its host key, as RFC 8709 writes one; nobody has the other half."""
    parts = b"ssh-ed25519", hashlib.sha256(machine.ref.encode()).digest()
    return "ssh-ed25519 " + base64.b64encode(b"".join(len(part).to_bytes(4) + part for part in parts)).decode()


class SimConnection(Host):
    def __init__(self, machine: SimMachine, dice: random.Random, tunnels: dict[Path, "SimConnection"]) -> None:
        self.machine = machine
        self._dice = dice
        self._tunnels = tunnels
        self._gone = asyncio.Event()
        self._paths: dict[int, Path] = {}
        self._agent = SimAgent(machine, self.travel)
        self._break = self._gone.set  # one object, so that it can be taken out of the list again
        machine.connections.append(self._break)
        if Fault.SSH_DROPS in machine.faults:
            asyncio.get_running_loop().call_later(DROPS_AFTER, self._gone.set)

    @property
    def host_key(self) -> str:
        return key_of(self.machine)

    @property
    def is_open(self) -> bool:
        return not self._gone.is_set()

    async def travel(self, seconds: float = 0.0) -> None:
        """
        Wait for the other side.

        Raises:
            HostUnreachable: The connection broke meanwhile.
        """
        if self.is_open:
            try:
                async with asyncio.timeout(seconds or self._dice.uniform(0.02, 0.2)):
                    await self._gone.wait()
            except TimeoutError:
                return
        raise HostUnreachable("the connection broke")

    async def run(self, command: str, *, stdin: bytes = b"", limit: timedelta) -> Completed:
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await self.travel()
                done = await self._done(command, stdin)
                await self.travel()
        except TimeoutError:
            raise HostUnreachable("the command did not end in time") from None
        return done

    async def _done(self, command: str, stdin: bytes) -> Completed:
        if command == FEED:
            self.machine.beat()
            return _said("on" if self.machine.dead_man else "none")
        if command == START:
            await self.travel(self._dice.uniform(0.5, 3.0))
            return _said(ROOT_MARK + ROOT)
        shell = Shell(command, stdin, self.travel)
        said = [each async for each in shell.run()]
        out, err = ("".join(each.text for each in said if each.is_error is is_error) for is_error in (False, True))
        return Completed(status=shell.status, stdout=out[:MOST_OUTPUT], stderr=err[:MOST_OUTPUT])

    @asynccontextmanager
    async def converse(self, command: str, *, stdin: bytes = b"") -> AsyncIterator[AsyncIterator[str]]:
        await self.travel()
        if "agent.py call" in command:
            yield self._agent.answer(json.loads(stdin))
        else:
            yield _lines(Shell(command, stdin, self.travel))

    async def tunnel(self, port: int) -> Path:
        await self.travel()
        path = self._paths.setdefault(port, Path(f"/{self.machine.ref}/{len(self._tunnels)}/{port}"))
        self._tunnels[path] = self
        return path

    async def wait_closed(self) -> None:
        await self._gone.wait()

    async def close(self) -> None:
        if self._break in self.machine.connections:
            self.machine.connections.remove(self._break)
        self._gone.set()


def _said(text: str) -> Completed:
    return Completed(status=0, stdout=f"{text}\n" if text else "", stderr="")


async def _lines(shell: Shell) -> AsyncIterator[str]:
    async for said in shell.run():
        for line in () if said.is_error else said.text.splitlines():
            if len(line) > LONGEST_LINE:
                raise HostUnreachable("a line without end")
            yield line
