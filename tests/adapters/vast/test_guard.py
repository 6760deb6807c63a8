"""The dead-man's switch by itself: its script, against a cloud that counts what it is told."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from orchestrator.adapters.clouds.vast.guard import guard_steps
from orchestrator.adapters.clouds.vast.onstart import LONGEST, first_steps
from orchestrator.ports.cloud import DeadMan
from tests.component.bot.conftest import until

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdsb3dwbHVnIGNvbnRyYWN0IHN1aXRlIGtleS4uLi4u"
OWN_KEY = "key-of-this-machine-alone"


@dataclass(slots=True, kw_only=True)
class DeafCloud:
    """Hears every order to destroy, and does nothing about it."""

    url: str = ""
    heard: list[tuple[str, str, str]] = field(default_factory=list)

    async def destroy(self, request: web.Request) -> web.Response:
        self.heard.append((request.path, request.headers.get("Authorization", ""), await request.text()))
        return web.json_response({"success": False}, status=500)


@pytest.fixture
async def cloud() -> AsyncIterator[DeafCloud]:
    deaf = DeafCloud()
    app = web.Application()
    app.router.add_delete("/api/v0/instances/{id}/", deaf.destroy)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    deaf.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield deaf
    await runner.cleanup()


@asynccontextmanager
async def started(folder: Path, cloud: DeafCloud, *, first: float, silent: float) -> AsyncIterator[Path]:
    """A machine whose container has just started; its folder of ours."""
    dead_man = DeadMan(first=timedelta(seconds=first), silent=timedelta(seconds=silent))
    script = first_steps(SSH_KEY, guard_steps(cloud.url, dead_man))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GLOWPLUG_ROOT": str(folder),
        "CONTAINER_ID": "42",
        "CONTAINER_API_KEY": OWN_KEY,
    }
    process = await asyncio.create_subprocess_exec("bash", "-c", script, cwd=folder, env=environment)
    assert await process.wait() == 0
    state = folder / "glowplug"
    await until(lambda: (state / "guard.pid").exists() and (state / "guard.pid").read_text().strip())
    try:
        yield state
    finally:
        (state / "guard.pid").write_text("0\n")  # it leaves at its next look


async def test_it_asks_for_the_end_of_its_own_machine_again_and_again(tmp_path: Path, cloud: DeafCloud) -> None:
    async with started(tmp_path, cloud, first=1, silent=60):
        await until(lambda: len(cloud.heard) >= 3, limit_s=30)

    assert set(cloud.heard) == {("/api/v0/instances/42/", f"Bearer {OWN_KEY}", "{}")}


async def test_it_is_quiet_while_it_is_fed(tmp_path: Path, cloud: DeafCloud) -> None:
    async with started(tmp_path, cloud, first=60, silent=2) as state:
        for _ in range(12):
            (state / "heartbeat").touch()
            await asyncio.sleep(0.5)
        assert cloud.heard == []

        await until(lambda: cloud.heard, limit_s=30)


async def test_it_stops_asking_when_it_is_fed_again(tmp_path: Path, cloud: DeafCloud) -> None:
    async with started(tmp_path, cloud, first=1, silent=60) as state:
        await until(lambda: cloud.heard, limit_s=30)
        (state / "heartbeat").touch()
        await asyncio.sleep(2.5)
        so_far = len(cloud.heard)
        await asyncio.sleep(2.5)

        assert len(cloud.heard) == so_far


async def test_an_old_heartbeat_says_nothing_after_a_restart_of_the_container(tmp_path: Path, cloud: DeafCloud) -> None:
    (tmp_path / "glowplug").mkdir()
    (tmp_path / "glowplug" / "heartbeat").touch()

    async with started(tmp_path, cloud, first=60, silent=1):
        await asyncio.sleep(3)

        assert cloud.heard == [], "the old file was taken for a heartbeat, and the short limit for the one in force"


async def test_a_second_start_takes_the_place_of_the_first(tmp_path: Path, cloud: DeafCloud) -> None:
    async with started(tmp_path, cloud, first=60, silent=60) as state:
        first = int((state / "guard.pid").read_text())
        async with started(tmp_path, cloud, first=60, silent=60):
            await until(lambda: not Path(f"/proc/{first}").exists(), limit_s=30)


async def test_nobody_else_on_the_machine_can_read_its_key(tmp_path: Path, cloud: DeafCloud) -> None:
    async with started(tmp_path, cloud, first=60, silent=60) as state:
        assert OWN_KEY in (state / "guard.key").read_text()
        assert {file.name for file in state.iterdir() if file.stat().st_mode & 0o077} == set()


def test_the_longest_order_is_still_short_enough() -> None:
    dead_man = DeadMan(first=timedelta(days=30), silent=timedelta(days=30))

    assert len(first_steps("ssh-rsa " + "A" * 720, guard_steps("https://console.vast.ai", dead_man))) < LONGEST
