"""Our agent on a machine in memory: it answers as ``payload/agent.py`` does, with what would have happened."""

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from orchestrator.control.machine_agent import MODELS_FOLDER
from orchestrator.faults import Fault
from orchestrator.sim.lora_files import DEAD
from orchestrator.sim.machine import SimMachine

COMFYUI_PORT = 8188
TELL_EVERY = 10.0
NO_PROGRESS = 20.0
GIB = 2**30
AFTERWARDS_S = 2.0
"""From the last byte until the machine counts as ready, and who waits has the first picture begun."""
COMFYUI_SHARE = 0.02

FAILURES: Mapping[Fault, str] = {
    Fault.DISK_FULL: "disk_full",
    Fault.BAD_CHECKSUM: "bad_checksum",
    Fault.MIRROR_DIES: "no_progress",
    Fault.MIRROR_HTML: "bad_checksum",
    Fault.MIRROR_WRONG_RANGE: "bad_checksum",
}
"""How a download ends that cannot succeed."""

DETOURS = {Fault.MIRROR_RESETS: 1.5, Fault.MIRROR_IGNORES_RANGE: 2.0}
"""How much longer one takes that the agent saves."""


class SimAgent:
    def __init__(self, machine: SimMachine, travel: Callable[[float], Awaitable[None]]) -> None:
        self._machine = machine
        self._travel = travel

    def answer(self, request: Mapping[str, Any]) -> AsyncIterator[str]:
        match request["op"]:
            case "probe":
                return self._probe(request)
            case "install":
                return self._install()
            case "comfyui":
                return self._comfyui()
            case "restart":
                return self._restart(request["cause"])
            case _:
                return self._fetch(request)

    async def _probe(self, request: Mapping[str, Any]) -> AsyncIterator[str]:
        machine = self._machine
        await self._travel(machine.dice.uniform(0.5, 2.0))
        samples = {} if "link_bytes" not in request else await self._sample(request)
        lies = Fault.WRONG_GPU in machine.faults
        yield _done(
            gpu="NVIDIA GeForce GTX 1060" if lies else f"NVIDIA {machine.host.gpu}",
            vram_mib=6_144 if lies else machine.host.vram_mib,
            disk_free=400 * GIB,
            missing=sum(file["size"] for file in request["files"]),
            has_start=machine.host.number % 2 == 0 or machine.host.cold_start_s is not None,
            driver="550.54.15",
            **samples,
        )

    async def _sample(self, request: Mapping[str, Any]) -> Mapping[str, int]:
        """What a few seconds show of its link; its disk is as fast as any."""
        rate = self._machine.bps
        seconds = min(request["link_bytes"] / rate, request["sample_s"])
        await self._travel(seconds)
        return {"link_bps": int(rate), "link_bytes": int(rate * seconds), "disk_bps": 500_000_000}

    async def _install(self) -> AsyncIterator[str]:
        for step, seconds in (("clone", 8.0), ("torch", 46.0), ("requirements", 20.0)):
            yield _said(event="step", step=step, state="running")
            await self._travel(seconds / self._machine.host.speed)
            yield _said(event="step", step=step, state="done")
        yield _done()

    async def _comfyui(self) -> AsyncIterator[str]:
        machine = self._machine
        if not machine.comfy.is_up:
            await self._travel(self._comfyui_takes())
            machine.comfy.is_up = True
        yield _done(port=COMFYUI_PORT)

    def _comfyui_takes(self) -> float:
        machine = self._machine
        if machine.host.cold_start_s is None:
            return machine.dice.uniform(6.0, 25.0)
        return COMFYUI_SHARE * machine.host.cold_start_s

    def _bps(self, total: int) -> float:
        """Of the first fetch: as fast as its link, or so that a cold start takes as long as was given."""
        machine = self._machine
        if machine.host.cold_start_s is None:
            return machine.bps
        ready_at = machine.ordered_at + machine.host.cold_start_s
        slower = machine.host.bps / machine.bps
        return total / max(ready_at - machine.timeline.now - AFTERWARDS_S, 1.0) / slower

    async def _restart(self, cause: str) -> AsyncIterator[str]:
        comfy = self._machine.comfy
        if comfy.cause != cause or not comfy.is_up:
            comfy.begin_anew(cause)
        async for line in self._comfyui():
            yield line

    async def _fetch(self, request: Mapping[str, Any]) -> AsyncIterator[str]:
        """The work goes on whoever listens, so what is there follows from when it began."""
        machine = self._machine
        total = sum(file["size"] for file in request["files"])
        if machine.models_bytes and total != machine.models_bytes:
            async for line in self._fetch_more(request["files"], total):
                yield line
            return
        machine.models_bytes = total
        rate = self._bps(total) / math.prod(slower for fault, slower in DETOURS.items() if fault in machine.faults)
        if machine.download_began is None:
            machine.download_began = machine.timeline.now
            if Fault.VANISHES_WHILE_MODELS_LOAD in machine.faults:
                machine.timeline.after(machine.dice.uniform(0.1, 0.9) * total / rate, machine.vanish)
        failure = next((code for fault, code in FAILURES.items() if fault in machine.faults), None)
        while True:
            spent = machine.timeline.now - machine.download_began
            machine.bytes_down = min(int(spent * rate), total)
            name = _comes_at(machine.bytes_down, request["files"])
            yield _said(event="progress", bytes=machine.bytes_down, total=total, rate=int(rate), file=name)
            if failure is not None and machine.bytes_down > total // 3:
                yield _said(event="failed", code=failure, detail="as it was meant to")
                return
            if machine.bytes_down == total:
                break
            await self._travel(min(TELL_EVERY, (total - machine.bytes_down) / rate + 0.01))
        yield _done(bytes=total)

    async def _fetch_more(self, files: list[Mapping[str, Any]], total: int) -> AsyncIterator[str]:
        """A LoRA, onto a machine that has its models."""
        machine = self._machine
        if any(DEAD in url for file in files for url in file["urls"]):
            await self._travel(NO_PROGRESS)
            yield _said(event="failed", code="no_progress", detail="as it was meant to")
            return
        missing = [file for file in files if file["path"] not in machine.further]
        fetched = sum(file["size"] for file in missing)
        yield _said(event="progress", bytes=total - fetched, total=total, rate=int(machine.bps))
        if fetched:
            await self._travel(fetched / machine.bps)
        machine.further.update(file["path"] for file in missing)
        yield _done(bytes=fetched)


def _comes_at(bytes_down: int, files: list[Mapping[str, Any]]) -> str:
    """The file that is being fetched by then, one after another."""
    for file in files:
        bytes_down -= file["size"]
        if bytes_down < 0:
            return f"{MODELS_FOLDER}/{file['path']}"
    return ""


def _said(**said: object) -> str:
    return json.dumps(said)


def _done(**said: object) -> str:
    return _said(event="done", **said)
