"""Real processes for tests and benchmarks: a sandbox, a bot, and their ends."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.settings import BotSettings
from orchestrator.settings import Settings

START_LIMIT = 80
END_LIMIT = 40
KEY = "test-key-of-the-sandbox"


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**settings: str) -> dict[str, str]:
    """Ours, without any setting of glowplug but *settings*."""
    fields = [*Settings.model_fields.values(), *BotSettings.model_fields.values()]
    ours = {str(field.alias) for field in fields}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path.cwd())} | settings


@dataclass
class Running:
    """One process of ours, with its output in a file."""

    process: asyncio.subprocess.Process
    url: str
    log: Path

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(how)

    async def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Tell it to stop and wait until it has; SIGKILL when it does not."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        try:
            async with asyncio.timeout(END_LIMIT):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"it did not stop; its output:\n{self.log.read_text()[-3000:]}") from None


async def start(*args: str, folder: Path, name: str, url: str, env: Mapping[str, str]) -> Running:
    """Start ``python ARGS`` in *folder*; its output goes to ``folder/name.log``."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *args, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, env=dict(env), cwd=folder
        )
    return Running(process=process, url=url, log=log)


async def until_ok(running: Running, path: str, *, limit: float = START_LIMIT) -> None:
    """Wait until GET *path* answers 200."""
    async with aiohttp.ClientSession() as http:
        try:
            async with asyncio.timeout(limit):
                while not await _is_ok(http, running.url + path):
                    assert running.process.returncode is None, running.log.read_text()[-3000:]
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{path} did not answer; output:\n{running.log.read_text()[-3000:]}") from None


async def _is_ok(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


@asynccontextmanager
async def sandbox(folder: Path, *options: str) -> AsyncIterator[Running]:
    """A sandbox cloud of its own, ended with the block."""
    port = free_port()
    args = ["-m", "orchestrator.sandbox", "--port", str(port), "--data", str(folder / "sandbox"), *options]
    env = clean_environment(GLOWPLUG_SANDBOX_KEY=KEY)
    running = await start(*args, "--key", KEY, folder=folder, name="sandbox", url=f"http://127.0.0.1:{port}", env=env)
    try:
        await until_ok(running, "/sandbox/health")
        yield running
    finally:
        await running.end(signal.SIGTERM)


async def bot(folder: Path, cloud: Running | None, **settings: str) -> Running:
    """
    A bot on *cloud* (or on its embedded sandbox), started and answering; the caller ends it.

    It tries no second machine and no bridge unless told to: a test that counts machines must not depend on how busy a
    computer is.
    """
    port = free_port()
    env = clean_environment(
        **{
            "GLOWPLUG_DATA": str(folder / "data"),
            "GLOWPLUG_WEB_PORT": str(port),
            "GLOWPLUG_HEDGES_PER_HOUR": "0",
            "GLOWPLUG_BRIDGE": "none",
        }
        | ({"GLOWPLUG_SANDBOX_URL": cloud.url, "GLOWPLUG_SANDBOX_KEY": KEY} if cloud else {})
        | settings
    )
    running = await start("-m", "bot", folder=folder, name="bot", url=f"http://127.0.0.1:{port}", env=env)
    await until_ok(running, "/healthz")
    return running


class Client:
    """What a program does with the page's JSON API."""

    def __init__(self, http: aiohttp.ClientSession, url: str, *, user: str = "ada") -> None:
        self.http = http
        self.url = url
        self.user = user

    async def say(self, text: str) -> dict[str, Any]:
        """Type *text*; the answer, whatever its status."""
        async with self.http.post(f"{self.url}/api/commands", json={"text": text, "user": self.user}) as answer:
            body: dict[str, Any] = await answer.json()
            return body | {"status": answer.status}

    async def get(self, path: str) -> Any:
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def card_in(self, card_id: str, *states: str, limit: float = 60) -> dict[str, Any]:
        """Wait until the card is in one of *states*."""
        card: dict[str, Any] = {}
        try:
            async with asyncio.timeout(limit):
                while (card := await self.get(f"/api/cards/{card_id}"))["state"] not in states:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"the card is {card.get('state')}, not {states}: {json.dumps(card)[:2000]}") from None
        return card


async def bill(cloud: Running) -> dict[str, Any]:
    """What the sandbox says that it was used for."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as http, http.get(f"{cloud.url}/sandbox/bill", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        body: dict[str, Any] = await answer.json()
        return body


def living(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The machines of a bill that are not yet gone."""
    return [machine for machine in document["machines"] if machine["to"] is None]
