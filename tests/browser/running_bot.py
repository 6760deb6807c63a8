"""The real bot as a process of its own, with its embedded sandbox, for tests that go through everything."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.processes import START_LIMIT

ROOT = Path(__file__).parents[2]
END_LIMIT_S = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBot:
    address: str
    process: asyncio.subprocess.Process

    async def get(self, path: str) -> Any:
        """What the page's API answers."""
        async with aiohttp.ClientSession() as client, client.get(self.address + path) as response:
            return await response.json()

    async def interrupt(self) -> int:
        """Ctrl-C, as a person ends it: it ends its machines and says so. Returns its exit status."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(END_LIMIT_S):
            return await self.process.wait()


@asynccontextmanager
async def running_bot(data: Path, *, idle_timeout_s: int, bridge: str = "none") -> AsyncIterator[RunningBot]:
    """
    Start ``python -m bot`` with its data in *data*; whatever happens, it is gone afterwards.

    Args:
        bridge: Which managed APIs it uses; empty for all that the sandbox has by default.
    """
    port = _free_port()
    settings = {
        "GLOWPLUG_DATA": str(data),
        "GLOWPLUG_WEB_PORT": str(port),
        "GLOWPLUG_IDLE_TIMEOUT_S": str(idle_timeout_s),
        "GLOWPLUG_BRIDGE": bridge,
        "PYTHONUNBUFFERED": "1",
    }
    with (data / "output.txt").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", cwd=ROOT, env=_environment() | settings, stdout=output, stderr=output
        )
    bot = RunningBot(address=f"http://127.0.0.1:{port}", process=process)
    try:
        await _until_ready(bot, data)
        yield bot
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        _end_sandbox(data)


async def _until_ready(bot: RunningBot, data: Path) -> None:
    try:
        async with asyncio.timeout(START_LIMIT):
            while bot.process.returncode is None and not await _is_ready(bot):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"the bot is not ready: {(data / 'output.txt').read_text()}") from None
    assert bot.process.returncode is None, f"the bot has ended: {(data / 'output.txt').read_text()}"


async def _is_ready(bot: RunningBot) -> bool:
    try:
        return bool((await bot.get("/healthz"))["ok"])
    except (aiohttp.ClientError, ValueError):
        return False


def _end_sandbox(data: Path) -> None:
    """The sandbox outlives its bot for a minute; a test does not wait for that."""
    known = data / "sandbox.json"
    if known.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(json.loads(known.read_text())["pid"], signal.SIGTERM)


def _environment() -> dict[str, str]:
    """This process's own, without what could choose a real cloud or another sandbox."""
    ours = ("GLOWPLUG_", "VAST_", "COMFYUI_", "DISCORD_", "TELEGRAM_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
