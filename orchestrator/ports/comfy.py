"""One ComfyUI server."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.domain.ids import PromptId
from orchestrator.domain.workflows import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Painting:
    """How far one prompt is: *done* of *total* sampler steps, over all its pictures."""

    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStats:
    version: str
    device: str
    vram_total_bytes: int


OnProgress = Callable[[Painting], None]


class Comfy(Protocol):
    """
    One running ComfyUI, with a socket of ours open to it.

    ``POST /prompt`` is not idempotent there: when its answer is lost, implementations look into the queue and the
    history before they give up, so that nothing is painted twice.
    """

    async def paint(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        """
        Queue *graph* under our own id, follow it to its end and fetch its pictures as they were saved.

        When a prompt of that id is already queued, running or done, it is followed instead of queued again.
        Cancelling the await leaves the prompt where it is: call :meth:`interrupt`.

        Raises:
            GraphRejected: It will never run here or elsewhere.
            OutOfVram: It needs a bigger card.
            AttemptInterrupted: Somebody interrupted or deleted it.
            ComfyUnavailable: The server is gone, hangs or answers nonsense.
        """
        ...

    async def interrupt(self, prompt: PromptId) -> None:
        """Stop that prompt, running or pending, and no other; silent when there is none."""
        ...

    async def upload(self, picture: bytes, name: str) -> str:
        """Store an input picture; returns the name by which a graph loads it."""
        ...

    async def stats(self) -> ServerStats: ...


class ComfyConnector(Protocol):
    def connect(self, socket: Path) -> AbstractAsyncContextManager[Comfy]:
        """Talk to the ComfyUI behind a Unix socket, which is the end of a tunnel."""
        ...
