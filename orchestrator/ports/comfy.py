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
    history before they give up, so that nothing is painted twice. Several prompts may be followed at once.
    """

    async def paint(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        """
        Queue *graph* under our own id, follow it to its end and fetch its pictures as they were saved.

        The id must be new: it is queued without looking whether ComfyUI knows it. Where it may have been queued
        before, by a process that is gone or over a connection that is lost, call :meth:`resume`.
        Cancelling the await leaves the prompt where it is: call :meth:`interrupt`.

        Args:
            on_progress: Called from the awaiting task, with numbers that never fall.

        Raises:
            GraphRejected: It will never run here or elsewhere.
            OutOfVram: It needs a bigger card.
            AttemptInterrupted: Somebody interrupted or deleted it.
            ComfyUnavailable: The server is gone, hangs or answers nonsense. The prompt may still be painted.
        """
        ...

    async def run(self, graph: Graph, prompt: PromptId) -> None:
        """
        Run *graph*, which saves no picture, under a new id: ComfyUI keeps what its nodes gave for the next prompt.

        Raises:
            The same as :meth:`paint`.
        """
        ...

    async def resume(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        """
        Follow a prompt that may be queued, running or done already; queue it only if ComfyUI does not know it.

        Progress of a prompt that another connection has queued is not told: ComfyUI sends it to that one only.

        Raises:
            The same as :meth:`paint`.
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
