"""The queue of prompts and the history of those that ran."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from orchestrator.sandbox.comfyui.graph import Graph


@dataclass(slots=True, kw_only=True)
class Prompt:
    number: float
    prompt_id: str
    graph: Graph
    extra_data: dict[str, Any]
    outputs: tuple[str, ...]
    interrupted: bool = field(default=False)

    @property
    def client(self) -> str | None:
        client = self.extra_data.get("client_id")
        return None if client is None else str(client)

    def as_json(self) -> list[Any]:
        return [self.number, self.prompt_id, self.graph, self.extra_data, list(self.outputs)]


class Prompts:
    """One prompt runs, the others wait by number. Ids may come twice: the later run overwrites the earlier entry."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.history: dict[str, dict[str, Any]] = {}
        self.running: Prompt | None = None
        self._pending: list[Prompt] = []
        self._arrived = asyncio.Event()
        self._on_change = on_change
        self._next_number = 0

    @property
    def remaining(self) -> int:
        return len(self._pending) + (self.running is not None)

    def take_number(self) -> int:
        """Count one more prompt; also those that are refused count."""
        self._next_number += 1
        return self._next_number - 1

    def put(self, prompt: Prompt) -> None:
        self._pending.append(prompt)
        self._pending.sort(key=lambda waiting: waiting.number)
        self._arrived.set()
        self._on_change()

    async def next(self) -> Prompt:
        """Wait for a prompt and make it the running one."""
        while not self._pending:
            self._arrived.clear()
            await self._arrived.wait()
        self.running = self._pending.pop(0)
        self._on_change()
        return self.running

    def finish(self, prompt: Prompt, entry: dict[str, Any]) -> None:
        self.history.pop(prompt.prompt_id, None)
        self.history[prompt.prompt_id] = entry
        self.running = None
        self._on_change()

    def delete(self, prompt_ids: Collection[str]) -> None:
        """Forget waiting prompts; silent about those that run or are unknown."""
        kept = [waiting for waiting in self._pending if waiting.prompt_id not in prompt_ids]
        if len(kept) < len(self._pending):
            self._pending = kept
            self._on_change()

    def clear(self) -> None:
        self._pending = []
        self._on_change()

    def interrupt(self, prompt_id: str | None) -> None:
        """Stop the running prompt if it is the one meant; None means whichever runs."""
        if self.running is not None and prompt_id in {None, self.running.prompt_id}:
            self.running.interrupted = True

    def as_json(self) -> dict[str, Any]:
        running = [] if self.running is None else [self.running.as_json()]
        return {"queue_running": running, "queue_pending": [waiting.as_json() for waiting in self._pending]}
