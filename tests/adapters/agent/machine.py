"""The agent as it runs on a machine: started and called through its command line, in a folder of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AGENT = Path(__file__).parents[3] / "orchestrator" / "payload" / "agent.py"
LIMIT_S = 30

Event = dict[str, Any]


@dataclass(kw_only=True)
class AgentMachine:
    """
    Where one agent lives.

    Attributes:
        programs: First on the PATH of everything that runs there.
        file_blocks: Largest file that its processes may write, in units of 1 KiB; 0 for any.
        limit_s: How long a call may take.
    """

    root: Path
    programs: Path
    home: Path
    source: Path = AGENT
    python: str = sys.executable
    file_blocks: int = 0
    limit_s: float = LIMIT_S
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, name: str) -> Sequence[str]:
        run = [self.python, str(self.source), name, "--root", str(self.root)]
        if self.file_blocks:
            return ["bash", "-c", f'ulimit -f {self.file_blocks}; exec "$@"', "bash", *run]
        return run

    def seen(self) -> dict[str, str]:
        path = f"{self.programs}:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", **self.environment}

    async def start(self) -> Event:
        child = await asyncio.create_subprocess_exec(
            *self.command("start"), stdout=subprocess.PIPE, env=self.seen(), start_new_session=True
        )
        said, _ = await child.communicate()
        return dict(json.loads(said))

    async def call(self, request: object) -> list[Event]:
        """Ask over the agent's socket and wait for the end; every event, none when there is no agent."""
        folder = os.open(self.root / "glowplug", os.O_PATH)  # its path may be too long for a socket's
        try:
            reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/agent.sock", limit=2**20)
        except OSError:
            return []
        finally:
            os.close(folder)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            async with asyncio.timeout(self.limit_s):
                return [json.loads(line) async for line in reader]
        finally:
            writer.close()

    async def last(self, request: object) -> Event:
        return (await self.call(request))[-1]

    @asynccontextmanager
    async def calling(self, request: object) -> AsyncIterator[asyncio.subprocess.Process]:
        """Ask, and leave before the end if need be."""
        child = await asyncio.create_subprocess_exec(
            *self.command("call"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.seen(), limit=2**20
        )
        try:
            assert child.stdin is not None
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.close()
            yield child
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()  # to the end of its output, or the pipe stays open

    async def kill(self) -> None:
        """End the agent without a word, as the kernel does when memory runs out."""
        pid = (await self.last({"op": "hello"}))["pid"]
        os.kill(pid, signal.SIGKILL)
        await gone(pid)

    async def end(self) -> None:
        """End everything that runs here."""
        if (self.root / "glowplug").exists():
            with suppress(ConnectionError):  # it was told before and leaves just now
                await self.call({"op": "stop"})


async def gone(pid: int) -> None:
    """Wait until a process is no more, or a zombie whose parent is not ours to hurry."""
    async with asyncio.timeout(LIMIT_S):
        while is_alive(pid):
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}
