"""The embedded sandbox as a process: found, started, shared, and gone without a trace, however it ends."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import typer
from typer.testing import CliRunner

from orchestrator.cli.sandbox import sandbox
from orchestrator.sandbox import reaper
from orchestrator.sandbox.launch import (
    RunningSandbox,
    SandboxLaunchError,
    SandboxOptions,
    attached_sandbox,
    ensure_sandbox,
)
from tests.component.sandbox.renter import NoAnswerError, Renter, until
from tests.component.sandbox.test_machines import is_alive

OPTIONS = SandboxOptions(speed=20.0)


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[Path]:
    """A data folder; whatever sandbox runs with it is ended in the end."""
    folder = tmp_path / "data"
    yield folder
    if (folder / "sandbox.json").exists():
        os.kill(pid_of(folder), signal.SIGTERM)
        await until_over(folder)


def pid_of(data: Path) -> int:
    return int(json.loads((data / "sandbox.json").read_text())["pid"])


async def until_over(data: Path) -> None:
    """Wait until neither the sandbox nor its watchdog holds the folder."""

    async def is_over() -> bool:
        handle = os.open(data / "sandbox.lock", os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(handle)

    await until(is_over)


@asynccontextmanager
async def renting(running: RunningSandbox) -> AsyncIterator[Renter]:
    async with aiohttp.ClientSession() as http:
        yield Renter(running.url, running.key, http)


async def test_the_first_starts_it_and_the_second_finds_it(data: Path) -> None:
    """Takes a second: a real process starts."""
    first = await ensure_sandbox(data, options=OPTIONS)
    second = await ensure_sandbox(data, options=OPTIONS)

    assert first == second
    assert first.url.startswith("http://127.0.0.1:")
    assert stat.S_IMODE((data / "sandbox.json").stat().st_mode) == 0o600
    assert set(json.loads((data / "sandbox.json").read_text())) == {"url", "key", "pid", "mirrors", "faults"}


async def test_two_at_once_get_one_sandbox(data: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        several = [tasks.create_task(ensure_sandbox(data, options=OPTIONS)) for _ in range(3)]

    assert len({task.result() for task in several}) == 1


async def test_it_is_detached_and_has_neither_our_secrets_nor_a_key_in_its_arguments(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at the bot does not reach it, and `ps` shows no key."""
    monkeypatch.setenv("DISCORD_TOKEN", "secret")

    running = await ensure_sandbox(data, options=replace(OPTIONS, key="a-key-of-mine"))

    pid = pid_of(data)
    assert running.key == "a-key-of-mine"
    assert os.getsid(pid) == pid
    assert b"a-key-of-mine" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"DISCORD_TOKEN" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert "a-key-of-mine" not in (data / "sandbox.log").read_text()


async def test_sigterm_ends_the_machines_and_leaves_cleanly(data: Path) -> None:
    running = await ensure_sandbox(data, options=OPTIONS)
    async with renting(running) as renter:
        pid = await a_daemon(renter)

    os.kill(pid_of(data), signal.SIGTERM)
    await until_over(data)

    assert not is_alive(pid)
    assert not (data / "sandbox.json").exists()
    assert not (data / "machines").exists()


async def test_killed_it_still_takes_its_machines_along(data: Path) -> None:
    """SIGKILL leaves nobody to clean up but the watchdog."""
    running = await ensure_sandbox(data, options=OPTIONS)
    async with renting(running) as renter:
        pid = await a_daemon(renter)

    os.kill(pid_of(data), signal.SIGKILL)
    await until_over(data)

    assert not is_alive(pid)
    assert not (data / "machines").exists()
    assert await ensure_sandbox(data, options=OPTIONS) != running


async def test_the_watchdog_ends_only_what_carries_its_mark(tmp_path: Path) -> None:
    sleep = ["sleep", "1000"]
    with (
        subprocess.Popen(sleep, env={"GLOWPLUG_MACHINE": "mine.1."}) as marked,
        subprocess.Popen(sleep, env={"GLOWPLUG_MACHINE": "other.1."}) as foreign,
        subprocess.Popen(sleep, env={"NOT_GLOWPLUG_MACHINE": "mine.1."}) as unmarked,
    ):
        try:
            with subprocess.Popen(
                [sys.executable, "-I", "-S", reaper.__file__, str(tmp_path / "machines")], stdin=subprocess.PIPE
            ) as watchdog:
                watchdog.communicate(b"mine.\n", timeout=10)

            assert marked.wait(timeout=5) < 0
            assert foreign.poll() is None
            assert unmarked.poll() is None
        finally:
            for process in (marked, foreign, unmarked):
                process.kill()


async def test_machines_outlive_their_renter(data: Path) -> None:
    running = await ensure_sandbox(data, options=OPTIONS)
    async with renting(running) as renter:
        number = await renter.rent()

    async with renting(await ensure_sandbox(data, options=OPTIONS)) as later:
        assert (await later.until_status(number, "running"))["id"] == number


async def test_with_neither_client_nor_machine_it_ends_by_itself(data: Path) -> None:
    await ensure_sandbox(data, options=replace(OPTIONS, exit_when_idle_s=0.3))

    await until_over(data)

    assert not (data / "sandbox.json").exists()


async def test_a_machine_keeps_it_from_ending(data: Path) -> None:
    """Takes two seconds: it must have had the time to end, and not before it has a machine."""
    running = await ensure_sandbox(data, options=replace(OPTIONS, exit_when_idle_s=1.0))
    async with renting(running) as renter:
        await renter.rent()

    await asyncio.sleep(1.4)

    async with renting(running) as renter:
        assert (await renter.call("GET", "/sandbox/health")).status == 200


async def test_who_is_attached_keeps_it_however_quiet(data: Path) -> None:
    """Takes a second: it must have had the time to end."""
    async with attached_sandbox(data, options=replace(OPTIONS, exit_when_idle_s=0.3)) as running:
        await asyncio.sleep(0.7)
        async with renting(running) as renter:
            assert (await renter.call("GET", "/sandbox/health")).status == 200

    await until_over(data)


async def test_who_is_attached_gets_a_killed_one_back_where_it_was(data: Path) -> None:
    """Takes two seconds: the second start is not rushed."""
    async with attached_sandbox(data, options=OPTIONS) as running, renting(running) as renter:
        os.kill(pid_of(data), signal.SIGKILL)

        async def is_back() -> bool:
            try:
                return (await renter.call("GET", "/sandbox/bill")).status == 200
            except NoAnswerError:
                return False

        async def is_down() -> bool:
            return not await is_back()

        await until(is_down)
        assert await until(is_back)


async def test_a_running_one_takes_over_the_faults_that_are_asked_for(data: Path) -> None:
    await ensure_sandbox(data, options=OPTIONS)

    running = await ensure_sandbox(data, options=replace(OPTIONS, faults="market"))

    async with renting(running) as renter:
        assert (await renter.call("GET", "/sandbox/faults")).body["profile"] == "market"


async def test_an_old_address_is_no_sandbox(data: Path) -> None:
    """Left behind by a crash; somebody else may sit on the port by now."""
    data.mkdir()
    left = {"url": "http://127.0.0.1:9", "key": "x", "pid": os.getpid(), "mirrors": [], "faults": "none"}
    (data / "sandbox.json").write_text(json.dumps(left))

    assert (await ensure_sandbox(data, options=OPTIONS)).key != "x"


async def test_one_that_does_not_start_says_why(data: Path) -> None:
    with pytest.raises(SandboxLaunchError, match=r"(?s)ended with status 2.*invalid choice: 'typo'.*glowplug sandbox"):
        await ensure_sandbox(data, options=replace(OPTIONS, faults="typo"))


def test_a_second_one_for_the_same_folder_refuses(tmp_path: Path) -> None:
    """Takes a second: two processes start."""
    command = [sys.executable, "-m", "orchestrator.sandbox", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline().startswith("sandbox cloud on http://127.0.0.1:")
            second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        finally:
            first.terminate()
        assert first.wait(timeout=10) == 0

    assert second.returncode == 1
    assert "a sandbox already runs" in second.stderr


def test_a_given_key_is_not_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "orchestrator.sandbox", "--data", str(tmp_path), "--exit-when-idle", "0"]
    done = subprocess.run([*command, "--key", "my-key"], capture_output=True, text=True, timeout=30, check=True)

    assert "my-key" not in done.stdout + done.stderr
    assert done.stdout.endswith("(faults: none)\n")


def test_the_command_takes_the_same_options(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(sandbox)

    refused = CliRunner().invoke(app, ["--data", str(tmp_path), "--faults", "typo"])
    done = CliRunner().invoke(app, ["--data", str(tmp_path), "--faults", "market", "--exit-when-idle", "0"])

    assert refused.exit_code == 2
    assert done.exit_code == 0, done.output
    assert "(faults: market)" in done.output


def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(sandbox)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(app, ["--data", str(tmp_path), "--port", port])

    assert done.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.output


def test_what_a_killed_sandbox_and_watchdog_left_is_gone_after_the_next_start(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(sandbox)
    left = tmp_path / "machines" / "1" / "root"
    left.mkdir(parents=True)

    CliRunner().invoke(app, ["--data", str(tmp_path), "--exit-when-idle", "0"])

    assert not left.exists()


async def a_daemon(renter: Renter) -> int:
    """Leave a process on a new machine that has cut all ties."""
    number = await renter.rent()
    return int(await renter.say(number, "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"))
