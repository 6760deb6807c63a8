"""
Finds the embedded sandbox of a data folder, or starts it. The bot and the commands call this.

It is a process of its own: it outlives whoever started it, for as long as it has machines, and a minute beyond.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from orchestrator.faults import Profile
from orchestrator.sandbox.image import PACKAGE_PARENT
from orchestrator.sandbox.options import KEY_VARIABLE, DataFolder, SandboxOptions

__all__ = ["RunningSandbox", "SandboxLaunchError", "SandboxOptions", "attached_sandbox", "ensure_sandbox"]

START_LIMIT_S = 20.0
ANSWER_LIMIT_S = 5.0
LOOK_EVERY_S = 0.05
RETRY_EVERY_S = 1.0
IDLE_S = 60.0
LOG_LINES = 15
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What the sandbox's process inherits of our environment: no token, no key."""


class SandboxLaunchError(Exception):
    """The sandbox did not come up; the text says what it said last and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSandbox:
    """Where a sandbox is, and the account key it takes."""

    url: str
    key: str
    faults: str = Profile.NONE


async def ensure_sandbox(data: Path, *, options: SandboxOptions) -> RunningSandbox:
    """
    Find the sandbox of *data* or start one, detached from us: Ctrl-C here does not reach it.

    Whoever else does the same at the same time gets the same sandbox. One that runs already keeps its machines,
    hosts and speed, and takes over the fault profile that is asked for.

    Raises:
        SandboxLaunchError: It does not answer within 20 s.
    """
    folder = DataFolder(await asyncio.to_thread(data.resolve))
    await asyncio.to_thread(folder.root.mkdir, parents=True, exist_ok=True)
    async with _alone(folder.start_lock), aiohttp.ClientSession() as http:
        running = await _find(folder, http)
        if running is None:
            running = await _start(folder, options, http)
        if running.faults != options.faults:
            running = await _choose_faults(running, options.faults, http)
        return running


@asynccontextmanager
async def attached_sandbox(data: Path, *, options: SandboxOptions) -> AsyncIterator[RunningSandbox]:
    """
    Have a sandbox for as long as the block runs: it does not end by itself, however quiet it is.

    One that ends all the same, killed for instance, is started again at the same address with the same key.
    """
    running = await ensure_sandbox(data, options=options)
    async with asyncio.TaskGroup() as tasks:
        staying = tasks.create_task(_stay_attached(running, data, options))
        try:
            yield running
        finally:
            staying.cancel()


async def _stay_attached(running: RunningSandbox, data: Path, options: SandboxOptions) -> None:
    port = int(running.url.rpartition(":")[2])
    while True:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with aiohttp.ClientSession() as http:
                await _hold(running, http)
        await asyncio.sleep(RETRY_EVERY_S)
        with contextlib.suppress(SandboxLaunchError):  # its log tells; the next round tries again
            await ensure_sandbox(data, options=replace(options, port=port, key=running.key))


async def _hold(running: RunningSandbox, http: aiohttp.ClientSession) -> None:
    """Hold a connection open until the other side ends it."""
    endless = aiohttp.ClientTimeout(total=None, sock_read=ANSWER_LIMIT_S)
    async with http.get(f"{running.url}/sandbox/attach", headers=_auth(running.key), timeout=endless) as answer:
        async for _ in answer.content.iter_any():
            pass


async def _find(folder: DataFolder, http: aiohttp.ClientSession) -> RunningSandbox | None:
    """Read where the sandbox should be and prove that it is there and takes the key."""
    try:
        known = json.loads(await asyncio.to_thread(folder.info.read_text))
        running = RunningSandbox(url=known["url"], key=known["key"], faults=known["faults"])
        os.kill(int(known["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if await _answers(running, http) else None


async def _answers(running: RunningSandbox, http: aiohttp.ClientSession) -> bool:
    limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
    try:
        async with http.get(f"{running.url}/sandbox/faults", headers=_auth(running.key), timeout=limit) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _start(folder: DataFolder, options: SandboxOptions, http: aiohttp.ClientSession) -> RunningSandbox:
    child = await asyncio.to_thread(_spawn, folder, options)
    try:
        running = await _first_answer(folder, child, http)
        if running is None:
            raise SandboxLaunchError(await asyncio.to_thread(_what_went_wrong, folder, child))
        return running
    finally:
        if child.poll() is None:
            child.returncode = 0  # it is meant to outlive us, which is no reason for a warning


async def _first_answer(
    folder: DataFolder, child: subprocess.Popen[bytes], http: aiohttp.ClientSession
) -> RunningSandbox | None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until and child.poll() is None:
        running = await _find(folder, http)
        if running is not None:
            return running
        await asyncio.sleep(LOOK_EVERY_S)
    return None


def _what_went_wrong(folder: DataFolder, child: subprocess.Popen[bytes]) -> str:
    """End what has not come up, and say what it said last."""
    status = child.poll()
    if status is None:
        child.kill()
        child.wait()
    how = f"did not answer within {START_LIMIT_S:.0f} s" if status is None else f"ended with status {status}"
    return (
        f"the sandbox cloud {how}; its last words, from {folder.log}:\n{_tail(folder.log)}\n"
        f"Try `glowplug sandbox --data {folder.root}` to see it start."
    )


def _spawn(folder: DataFolder, options: SandboxOptions) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = str(PACKAGE_PARENT)
    if options.key:
        environment[KEY_VARIABLE] = options.key  # an argument would be there for all to read
    handle = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as log:
        return subprocess.Popen(  # noqa: S603  (a program of our own)
            [sys.executable, "-m", "orchestrator.sandbox", *_arguments(folder, options)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder.root,
            env=environment,
            start_new_session=True,
        )


def _arguments(folder: DataFolder, options: SandboxOptions) -> list[str]:
    idle = IDLE_S if options.exit_when_idle_s is None else options.exit_when_idle_s
    named = {
        "--data": folder.root,
        "--port": options.port,
        "--faults": options.faults,
        "--seed": options.seed,
        "--hosts": options.hosts,
        "--speed": options.speed,
        "--paint-ms": options.paint_ms,
        "--balance": options.balance_usd,
        "--exit-when-idle": idle,
    }
    given = [text for name, value in named.items() if value is not None for text in (name, str(value))]
    return [*given, "--rate-limits"] if options.rate_limits else given


async def _choose_faults(running: RunningSandbox, faults: str, http: aiohttp.ClientSession) -> RunningSandbox:
    limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
    body = {"profile": faults}
    async with http.put(
        f"{running.url}/sandbox/profile", json=body, headers=_auth(running.key), timeout=limit
    ) as answer:
        if answer.status != 200:
            raise SandboxLaunchError(f"there is no fault profile {faults!r}; use one of {', '.join(Profile)}")
    return replace(running, faults=faults)


@asynccontextmanager
async def _alone(file: Path) -> AsyncIterator[None]:
    """Keep others from starting a sandbox at the same time; a crash of the holder frees the lock."""
    until = time.monotonic() + START_LIMIT_S + ANSWER_LIMIT_S
    with _opened(file) as handle:
        while not _try_lock(handle):
            if time.monotonic() > until:
                raise SandboxLaunchError(f"somebody else has been starting a sandbox for long; see who holds {file}")
            await asyncio.sleep(LOOK_EVERY_S)
        yield


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int]:
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    except OSError:
        return "(no log)"


def _auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
