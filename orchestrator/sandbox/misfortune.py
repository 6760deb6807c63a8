"""The course that each of a machine's faults takes while it runs."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Protocol

from orchestrator.faults import Fault
from orchestrator.sandbox import reaper
from orchestrator.sandbox.image import COMFYUI_MODULE

LOOK_EVERY_S = 0.05
DOWNLOAD_BYTES = 2 * 1024 * 1024
"""So much new in a machine's root means that models arrive: programs, logs and what tries the disk are smaller."""
LONGEST_QUIET_S = 120.0


class Sufferer(Protocol):
    """The machine, as its misfortunes see it."""

    faults: set[Fault]

    @property
    def root(self) -> Path: ...
    @property
    def mark(self) -> str: ...

    async def wait(self, shortest_s: float, longest_s: float) -> None: ...
    def vanish(self) -> None: ...
    def lose_touch(self) -> None: ...
    def tell_comfyui(self, fault: Fault | None) -> None: ...
    def waver(self, status: str) -> None: ...
    def cut_connections(self) -> None: ...


async def suffer(machine: Sufferer, more: asyncio.Event) -> None:
    """Let every fault of *machine* take its course, also those that are added later and told by *more*."""
    begun: set[Fault] = set()
    async with asyncio.TaskGroup() as tasks:
        while True:
            for fault in sorted(machine.faults - begun):
                begun.add(fault)
                if fault in COURSES:
                    tasks.create_task(COURSES[fault](machine))
            more.clear()
            await more.wait()


async def _vanish(machine: Sufferer) -> None:
    machine.vanish()


async def _vanish_while_models_load(machine: Sufferer) -> None:
    """Also a machine to which nobody downloads anything is gone after a while."""
    before = await asyncio.to_thread(_bytes_below, machine.root)
    async with asyncio.TaskGroup() as tasks:
        quiet = tasks.create_task(machine.wait(LONGEST_QUIET_S, LONGEST_QUIET_S))
        while not quiet.done():
            await asyncio.sleep(LOOK_EVERY_S)
            if await asyncio.to_thread(_bytes_below, machine.root) - before > DOWNLOAD_BYTES:
                quiet.cancel()
                break
    machine.vanish()


async def _vanish_when_ready(machine: Sufferer) -> None:
    await _first_picture(machine)
    await machine.wait(0.5, 1.5)
    machine.vanish()


async def _vanish_while_painting(machine: Sufferer) -> None:
    """ComfyUI breaks off in the middle of a picture, and the machine with it."""
    await _first_picture(machine)
    machine.tell_comfyui(Fault.COMFYUI_DIES)
    await _until(lambda: not _comfyui_runs(machine.mark))
    machine.vanish()


async def _go_offline(machine: Sufferer) -> None:
    await machine.wait(2.0, 6.0)
    machine.lose_touch()


async def _flap(machine: Sufferer) -> None:
    await machine.wait(1.0, 2.0)
    machine.waver("unknown")
    await machine.wait(2.0, 3.0)
    machine.waver("running")


async def _drop_connections(machine: Sufferer) -> None:
    while True:
        await machine.wait(1.5, 3.0)
        machine.cut_connections()


COURSES: Mapping[Fault, Callable[[Sufferer], Coroutine[None, None, None]]] = {
    Fault.VANISHES: _vanish,
    Fault.VANISHES_WHILE_MODELS_LOAD: _vanish_while_models_load,
    Fault.VANISHES_WHEN_READY: _vanish_when_ready,
    Fault.VANISHES_WHILE_PAINTING: _vanish_while_painting,
    Fault.GOES_OFFLINE: _go_offline,
    Fault.STATUS_FLAPS: _flap,
    Fault.SSH_DROPS: _drop_connections,
}
"""Faults that come over a running machine. The others shape it from the start."""


async def _first_picture(machine: Sufferer) -> None:
    await _until(lambda: _has_picture(machine.root))


async def _until(is_so: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(is_so):  # noqa: ASYNC110  (other processes' doings come with no event)
        await asyncio.sleep(LOOK_EVERY_S)


def _has_picture(root: Path) -> bool:
    return any("input" not in picture.parts for picture in root.rglob("*.png"))


def _bytes_below(root: Path) -> int:
    total = 0
    for file in root.rglob("*"):
        try:
            total += file.lstat().st_blocks * 512  # what is there, not what was set aside
        except FileNotFoundError:
            continue
    return total


def _comfyui_runs(mark: str) -> bool:
    return any(COMFYUI_MODULE.encode() in _command_line(pid) for pid in reaper.marked(mark))


def _command_line(pid: int) -> bytes:
    try:
        return (reaper.PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""
