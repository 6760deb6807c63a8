"""Puts one sandbox together and takes it apart again: lock, watchdog, cloud, mirrors, API."""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from orchestrator.adapters.system import SystemClock
from orchestrator.faults import Profile
from orchestrator.sandbox import reaper
from orchestrator.sandbox.account_api import AccountApi
from orchestrator.sandbox.apis import Apis, open_apis
from orchestrator.sandbox.cloud import Cloud
from orchestrator.sandbox.control_api import ControlApi, Mirror
from orchestrator.sandbox.gate import Gate, loopback_only
from orchestrator.sandbox.instances_api import InstancesApi
from orchestrator.sandbox.listening import SandboxError, bind, listening
from orchestrator.sandbox.machine import Ground
from orchestrator.sandbox.market import Market, usual_hosts
from orchestrator.sandbox.mirror import MIRROR_FAULTS, mirror_app
from orchestrator.sandbox.models import ModelFile, make_models
from orchestrator.sandbox.offers_api import OffersApi
from orchestrator.sandbox.options import DataFolder, SandboxOptions
from orchestrator.sandbox.processes import ended
from orchestrator.sandbox.studio import Studio
from orchestrator.sandbox.troubles import Troubles

MIRRORS = 2
MIRROR_BYTES_PER_S = 1_250_000
CONNECTION_BYTES_PER_S = 450_000
COMFYUI_START_S = 2.0
CONTRACTS_SINCE = 1_600_000_000
LOCK_LIMIT_S = 5.0
END_LIMIT_S = 10.0
LOOK_EVERY_S = 0.1
LARGEST_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running sandbox, seen from inside."""

    url: str
    key: str
    cloud: Cloud
    gate: Gate
    control: ControlApi
    apis: Apis

    def is_idle(self, seconds: float) -> bool:
        """Whether there has been neither a client nor a machine for so long."""
        quiet_s = time.monotonic() - self.gate.last_request
        return not self.cloud.machines and not self.control.attached and quiet_s >= seconds


@asynccontextmanager
async def open_sandbox(folder: DataFolder, options: SandboxOptions) -> AsyncIterator[Sandbox]:
    """
    Run a sandbox within the block; all machines are gone when it is left, and also when this process is killed.

    Raises:
        SandboxError: Another sandbox uses the folder, or the port is taken.
    """
    async with AsyncExitStack() as stack:
        folder.root.mkdir(parents=True, exist_ok=True)
        lock = await stack.enter_async_context(_locked(folder))
        models = await asyncio.to_thread(_furnish, folder)
        mark = secrets.token_hex(16)
        await stack.enter_async_context(_watched(folder.machines, mark, lock))
        bound = stack.enter_context(bind(options.port))
        mirrors = [await stack.enter_async_context(_mirror(folder.models, options.speed)) for _ in range(MIRRORS)]
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        cloud = _make_cloud(folder, options, mark=mark, tasks=tasks)
        stack.push_async_callback(_end_machines, cloud)
        gate = Gate(key=options.key or secrets.token_hex(32), cloud=cloud, has_limits=options.rate_limits)
        studio = Studio(speed=options.speed)
        apis = await stack.enter_async_context(open_apis(cloud, studio, gate.key))
        control = ControlApi(cloud=cloud, studio=studio, apis=apis, models=models, mirrors=mirrors)
        url = await stack.enter_async_context(listening(_make_app(gate, cloud, control), bound))
        stack.callback(control.end)
        sandbox = Sandbox(url=url, key=gate.key, cloud=cloud, gate=gate, control=control, apis=apis)
        stack.enter_context(_announced(folder.info, sandbox, mirrors, options.faults))
        yield sandbox


async def serve(root: Path, options: SandboxOptions) -> None:
    """Run a sandbox until SIGINT, SIGTERM, or until nobody needs it."""
    folder, stop = DataFolder(root), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_sandbox(folder, options) as sandbox:
        sys.stdout.write(f"sandbox cloud on {sandbox.url} (faults: {Profile(options.faults)})\n")
        if options.key is None:
            sys.stdout.write(f"its key is in {folder.info}\n")
        sys.stdout.flush()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(_stop_when_idle(sandbox, options.exit_when_idle_s, stop))
            await stop.wait()
            watching.cancel()


def run(root: Path, options: SandboxOptions) -> int:
    """Run :func:`serve` and give an exit status; what a person can mend is one sentence on standard error."""
    try:
        asyncio.run(serve(root.resolve(), options))
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _furnish(folder: DataFolder) -> tuple[ModelFile, ...]:
    """Make the model files, and room for machines that nobody else on this computer can look into."""
    shutil.rmtree(folder.machines, ignore_errors=True)
    folder.machines.mkdir(mode=0o700)
    return make_models(folder.models)


async def _stop_when_idle(sandbox: Sandbox, seconds: float | None, stop: asyncio.Event) -> None:
    while seconds is not None:
        await asyncio.sleep(LOOK_EVERY_S)
        if sandbox.is_idle(seconds):
            stop.set()


def _make_cloud(folder: DataFolder, options: SandboxOptions, *, mark: str, tasks: asyncio.TaskGroup) -> Cloud:
    clock, profile = SystemClock(), Profile(options.faults)

    def now() -> float:
        return clock.now().timestamp()

    return Cloud(
        ground=Ground(
            folder=folder.machines, mark=mark, speed=options.speed, comfyui=_comfyui_settings(options), now=now
        ),
        market=Market(
            seed=options.seed,
            hosts=options.hosts or usual_hosts(profile),
            each_host_once=options.each_host_once,
        ),
        troubles=Troubles(profile=profile, seed=options.seed, now=now),
        balance_usd=options.balance_usd,
        first_contract=int(now()) - CONTRACTS_SINCE,
        tasks=tasks,
        dice=random.Random(options.seed),
    )


def _comfyui_settings(options: SandboxOptions) -> Mapping[str, str]:
    settings = {"GLOWPLUG_COMFYUI_START_S": str(COMFYUI_START_S / options.speed)}
    if options.paint_ms is not None:
        settings["GLOWPLUG_PAINT_MS"] = str(options.paint_ms)
    return settings


def _make_app(gate: Gate, cloud: Cloud, control: ControlApi) -> web.Application:
    instances = InstancesApi(cloud)
    app = web.Application(middlewares=[loopback_only], client_max_size=LARGEST_BODY)
    for api in (OffersApi(cloud), instances, AccountApi(cloud, gate.key), control):
        for route in api.routes():
            app.router.add_route(route.method, route.path, gate.guard(route))
    app.router.add_get(r"/sandbox/logs/{name:[0-9a-f]+}.log", instances.show_log)
    return app


async def _end_machines(cloud: Cloud) -> None:
    """End them in good order; what is left after the limit is the watchdog's."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_LIMIT_S):
            await cloud.end_all()


@asynccontextmanager
async def _mirror(models: Path, speed: float) -> AsyncIterator[Mirror]:
    app = mirror_app(
        models,
        bytes_per_s=int(MIRROR_BYTES_PER_S * speed),
        bytes_per_s_per_connection=int(CONNECTION_BYTES_PER_S * speed),
    )
    async with listening(app, bind(0)) as url:
        yield Mirror(url, app[MIRROR_FAULTS])


@asynccontextmanager
async def _locked(folder: DataFolder) -> AsyncIterator[int]:
    """
    Hold the folder for this sandbox.

    The watchdog inherits the lock: a killed sandbox's folder is free only once the watchdog has tidied it up.
    """
    handle = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _lock(handle, folder)
        yield handle
    finally:
        os.close(handle)


async def _lock(handle: int, folder: DataFolder) -> None:
    until = time.monotonic() + LOCK_LIMIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if _is_used(folder) or time.monotonic() > until:
                told = f"a sandbox already runs with {folder.root}; use another --data, or end that one first"
                raise SandboxError(told) from error
            await asyncio.sleep(LOOK_EVERY_S)
        else:
            return


def _is_used(folder: DataFolder) -> bool:
    """Whether the sandbox that says to be here is alive: otherwise it is its watchdog that holds the lock."""
    try:
        os.kill(int(json.loads(folder.info.read_text())["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return False
    return True


@asynccontextmanager
async def _watched(machines: Path, mark: str, lock: int) -> AsyncIterator[None]:
    """Have a process beside this one that ends the machines' processes when this one is gone, however it went."""
    watchdog = _start_watchdog(machines, lock)
    pipe = watchdog.stdin
    assert pipe is not None  # noqa: S101  (it was asked for)
    try:
        pipe.write(f"{mark}\n".encode())
        pipe.flush()
        yield
    finally:
        pipe.close()
        await ended(watchdog)


def _start_watchdog(machines: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, where neither Ctrl-C nor our end reaches it."""
    return subprocess.Popen(  # noqa: S603  (a program of our own)
        [sys.executable, "-I", "-S", reaper.__file__, str(machines)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        start_new_session=True,
        pass_fds=[lock],
    )


@contextlib.contextmanager
def _announced(file: Path, sandbox: Sandbox, mirrors: Sequence[Mirror], faults: str) -> Iterator[None]:
    """Tell whoever may read the data folder where the sandbox is; from the first byte on nobody else may."""
    known = {
        "url": sandbox.url,
        "key": sandbox.key,
        "pid": os.getpid(),
        "mirrors": [mirror.url for mirror in mirrors],
        "faults": faults,
    }
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.part")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as target:
        json.dump(known, target)
    unfinished.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
