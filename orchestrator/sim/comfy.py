"""ComfyUI in memory: one queue, one prompt at a time, pictures that are its prompt's name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain.errors import (
    AttemptInterrupted,
    ComfyStuck,
    ComfyUnavailable,
    GraphRejected,
    HostUnreachable,
    OutOfVram,
)
from orchestrator.domain.ids import PromptId
from orchestrator.domain.workflows import Graph
from orchestrator.faults import Fault
from orchestrator.ports.comfy import Comfy, ComfyConnector, OnProgress, Painting, ServerStats

if TYPE_CHECKING:
    from orchestrator.sim.host import SimConnection, SimHosts
    from orchestrator.sim.machine import SimMachine

HANG = 360.0
"""As in the real adapter (``ComfyLimits.hang``): a queue that does not move for so long is given up."""

LOOK = 2.5
LATE = 30.0
SECONDS_A_STEP = 0.6
USUAL_STEPS = 4
ENCODING_S = 2.0
"""A prompt alone, with its encoders read for it."""
CURED = 0.5
"""How often it helps to start it again."""
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(slots=True, kw_only=True)
class Prompt:
    """
    Attributes:
        begins: When it runs; infinity where it never will.
        interrupted: By whom it matters not.
    """

    name: PromptId
    count: int
    steps: int
    begins: float
    ends: float
    interrupted: bool = False

    def done(self, now: float) -> int:
        """Sampler steps so far, over all its pictures."""
        total = self.steps * self.count
        if now <= self.begins:
            return 0
        return total if now >= self.ends else int(total * (now - self.begins) / (self.ends - self.begins))


class ComfyServer:
    """
    What runs on one machine, whoever is connected to it.

    Attributes:
        cause: Why it was started again, as the agent was told.
        is_cured: Being started again has helped for good.
    """

    def __init__(self, machine: "SimMachine") -> None:
        self.machine = machine
        self.prompts: dict[PromptId, Prompt] = {}
        self.is_up = False
        self.cause = ""
        self.is_cured = False

    def suffers(self, fault: Fault) -> bool:
        """Whether *fault* has come over it by now; a test picture may still go well."""
        machine = self.machine
        return fault in machine.faults and not self.is_cured and machine.pictures > machine.falters_after

    def begin_anew(self, cause: str) -> None:
        """Its process is ended; what it was about to paint is forgotten."""
        self.is_cured = self.machine.dice.random() < CURED
        self.cause = cause
        self.is_up = False
        self.prompts.clear()

    @property
    def now(self) -> float:
        return self.machine.timeline.now

    def queue(self, name: PromptId, graph: Graph) -> Prompt:
        """Take a prompt, after those that wait already."""
        known = self.prompts.get(name)
        if known is not None:
            return known
        count, steps = _sizes(graph)
        begins = max([self.now, *(p.ends for p in self.prompts.values() if not p.interrupted)])
        self.machine.pictures += 1
        if self.suffers(Fault.COMFYUI_HANGS):
            begins = float("inf")
        prompt = Prompt(
            name=name,
            count=count,
            steps=steps,
            begins=begins,
            ends=begins + count * self._seconds(steps),
        )
        self.prompts[name] = prompt
        self._suffer()
        return prompt

    def _seconds(self, steps: int) -> float:
        """For a picture."""
        host = self.machine.host
        if host.picture_s is not None:
            return host.picture_s * min(steps / USUAL_STEPS, 1.0)
        return (0.5 + steps * SECONDS_A_STEP) / host.speed

    def _suffer(self) -> None:
        machine = self.machine
        if machine.pictures <= 1 and machine.falters_after:  # on the others already the first one goes wrong
            if Fault.VANISHES_WHEN_READY in machine.faults:
                machine.timeline.after(machine.dice.uniform(5.0, 120.0), machine.vanish)
            if Fault.GOES_OFFLINE in machine.faults:
                machine.timeline.after(machine.dice.uniform(5.0, 600.0), machine.go_offline)
            return
        if Fault.VANISHES_WHILE_PAINTING in machine.faults:
            machine.timeline.after(0.5, machine.vanish)
        if Fault.COMFYUI_DIES in machine.faults and not self.is_cured:
            self.is_up = False

    def interrupt(self, name: PromptId) -> None:
        prompt = self.prompts.get(name)
        if prompt is not None and self.now < prompt.ends:
            prompt.interrupted = True


class SimComfies(ComfyConnector):
    """Opens connections through the tunnels of one life of the bot."""

    def __init__(self, hosts: "SimHosts") -> None:
        self._hosts = hosts

    @asynccontextmanager
    async def connect(self, socket: Path) -> AsyncIterator[Comfy]:
        host = self._hosts.behind(socket)
        comfy = SimComfy(host.machine.comfy, host)
        await comfy.stats()
        yield comfy


class SimComfy(Comfy):
    """One connection to one server."""

    def __init__(self, server: ComfyServer, host: "SimConnection") -> None:
        self._server = server
        self._host = host

    async def _reach(self, seconds: float = 0.0) -> None:
        """Wait for the server's side; whatever breaks below shows as the server's absence, as it does over HTTP."""
        try:
            await self._host.travel(seconds)
        except HostUnreachable as error:
            raise ComfyUnavailable(str(error)) from None
        if not self._server.is_up:
            raise ComfyUnavailable("ComfyUI has ended")

    async def paint(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        await self._reach()
        if graph.get("refuse"):
            raise GraphRejected("This graph is refused here; choose another workflow.")
        queued = self._server.queue(prompt, graph)
        await self._reach()
        return await self._follow(queued, on_progress)

    async def run(self, graph: Graph, prompt: PromptId) -> None:  # noqa: ARG002 - nothing is kept that anybody sees
        await self._reach(ENCODING_S)

    async def resume(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        return await self.paint(graph, prompt, on_progress=on_progress)

    async def _follow(self, prompt: Prompt, on_progress: OnProgress) -> tuple[bytes, ...]:
        quiet_since, told = self._server.now, -1
        while self._server.now < prompt.ends and not prompt.interrupted:
            await self._reach(
                min(
                    LOOK if self._server.now - quiet_since < LATE else 8 * LOOK,
                    max(prompt.ends - self._server.now, 0.05),
                )
            )
            if self._server.prompts.get(prompt.name) is not prompt:
                raise ComfyUnavailable("ComfyUI no longer knows the prompt")
            done = prompt.done(self._server.now)
            if done > told:
                quiet_since, told = self._server.now, done
                on_progress(Painting(done=done, total=prompt.steps * prompt.count))
            elif self._server.now - quiet_since > HANG:
                raise ComfyStuck("the queue does not move")
        if prompt.interrupted:
            raise AttemptInterrupted("interrupted")
        if self._server.suffers(Fault.COMFYUI_OOM):
            raise OutOfVram("out of memory")
        on_progress(Painting(done=prompt.steps * prompt.count, total=prompt.steps * prompt.count))
        await self._reach(0.3 * prompt.count)
        return tuple(PNG + f"{prompt.name}/{number}".encode() for number in range(prompt.count))

    async def interrupt(self, prompt: PromptId) -> None:
        await self._reach()
        self._server.interrupt(prompt)

    async def upload(self, picture: bytes, name: str) -> str:
        await self._reach(0.2 + len(picture) / 1e7)
        return name

    async def stats(self) -> ServerStats:
        await self._reach()
        host = self._server.machine.host
        return ServerStats(version="0.3.64", device=host.gpu, vram_total_bytes=host.vram_mib * 2**20)


def _sizes(graph: Graph) -> tuple[int, int]:
    """Pictures and sampler steps of a graph: the two inputs that cost time."""
    count, steps = 1, 4
    for node in graph.values():
        inputs = node.get("inputs", {})
        count = inputs.get("batch_size", inputs.get("amount", count))
        steps = inputs.get("steps", steps)
    return max(int(count), 1), max(int(steps), 1)
