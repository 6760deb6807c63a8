"""What a rented machine says over SSH: the first words of our agent there, and its lines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from orchestrator.control.machine_agent import ROOT_MARK, Event, MachineAgent, Progress, count_of, start_agent
from orchestrator.domain.stages import Step
from orchestrator.ports.host import Completed, Host
from tests.fuzz.harness import Feed, Subject
from tests.fuzz.mutate import Mutator

LINES: tuple[dict[str, Any], ...] = (
    {"event": "progress", "bytes": 1_000_000, "total": 33_000_000_000, "rate": 50_000_000},
    {"event": "step", "step": "clone", "state": "running"},
    {"event": "step", "step": "torch", "state": "done"},
    {"event": "done", "gpu": "NVIDIA GeForce RTX 4090", "vram_mib": 24564, "disk_free": 10**11, "missing": 10**9},
    {"event": "done", "port": 8188},
    {"event": "failed", "code": "disk_full", "detail": "1 MiB free, 33000 MiB to fetch"},
)


@dataclass
class SayingHost(Host):
    """A machine in memory that says what it is told to; it keeps the port's promise that lines are decoded."""

    lines: list[str] = field(default_factory=list)
    completed: Completed = field(default_factory=lambda: Completed(status=0, stdout="", stderr=""))

    @property
    def host_key(self) -> str:
        return ""

    @property
    def is_open(self) -> bool:
        return True

    async def run(self, command: str, *, stdin: bytes = b"", limit: timedelta) -> Completed:
        return self.completed

    @asynccontextmanager
    async def converse(self, command: str, *, stdin: bytes = b"") -> AsyncIterator[AsyncIterator[str]]:
        yield self._said()

    async def _said(self) -> AsyncIterator[str]:
        for line in self.lines:
            yield line

    async def tunnel(self, port: int) -> Path:
        return Path("nowhere")

    async def wait_closed(self) -> None:
        pass

    async def close(self) -> None:
        pass


def line(mutator: Mutator) -> str:
    """One line of the agent's, as SSH hands it over: decoded, without its end, no longer than a line may be."""
    raw = mutator.as_json(mutator.one_of(LINES))[: 2**16]
    return raw.replace(b"\n", b" ").decode(errors="replace")


@asynccontextmanager
async def _work() -> AsyncIterator[Feed]:
    async def feed(mutator: Mutator) -> object:
        host = SayingHost(lines=[line(mutator) for _ in range(mutator.dice.randrange(1, 5))])
        seen: list[Event] = []

        async def note(event: Event) -> None:
            seen.append(event)

        answer = await MachineAgent(host, "/root").work(Step.MODELS, {"op": "probe"}, note)
        for event in seen:
            if isinstance(event, Progress):
                assert all(0 <= count < 2**53 for count in (event.bytes_done, event.bytes_total, event.rate_bps))
        return [count_of(answer, name) for name in ("port", "vram_mib", "disk_free", "missing")]

    yield feed


@asynccontextmanager
async def _start() -> AsyncIterator[Feed]:
    async def feed(mutator: Mutator) -> object:
        said = mutator.damaged(f"Welcome\n{ROOT_MARK}/root\nstarted\n".encode()).decode(errors="replace")
        warned = mutator.damaged(b"sh: 1: cannot create /root/x: No space left on device\n").decode(errors="replace")
        status = mutator.one_of((0, 0, 0, 1, 127, -1, 255))
        host = SayingHost(completed=Completed(status=status, stdout=said, stderr=warned))
        return await start_agent(host, b"", timedelta(seconds=1))

    yield feed


SUBJECTS = (Subject(name="agent lines", opened=_work), Subject(name="agent start", opened=_start))
