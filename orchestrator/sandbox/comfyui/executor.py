"""Runs prompts one after another and tells their clients, in the order that the real server was recorded with."""

import asyncio
import hashlib
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchestrator.sandbox.comfyui.definitions import FILE_INPUTS
from orchestrator.sandbox.comfyui.folders import BrokenModelError, Folders
from orchestrator.sandbox.comfyui.graph import Graph, execution_order, links, signatures
from orchestrator.sandbox.comfyui.nodes import run_node
from orchestrator.sandbox.comfyui.prompts import Prompt, Prompts
from orchestrator.sandbox.comfyui.sockets import Sockets
from orchestrator.sandbox.comfyui.values import Inputs, Interrupted, NodeFailed, Result, out_of_memory

ENCODER_SHARE = 0.3
"""Of the bytes of Flux: what its text encoders are."""

LATE_SHARE = 0.2
"""How often the history is written only after success was told, as measured on the real server (12 of 60)."""


def is_picture(node: dict[str, Any]) -> bool:
    """Whether a node puts out a picture."""
    return node["class_type"] in {"SaveImage", "PreviewImage"}


class PaintFault(StrEnum):
    NONE = ""
    DIES = "dies"  # the process ends in the middle of the run
    HANGS = "hangs"  # takes the prompt and never gets on with it
    OOM = "oom"  # the card runs out of memory while sampling
    MUTE = "mute"  # paints, and tells nobody how it gets on


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    sampling_s: float
    """One prompt's sampling, over all its steps."""
    loading_s: float
    """Loading all models of the first prompt; later ones load at the same bytes per second."""
    history_late_s: float = 0.02
    """How late the history is, when it is. Which prompts it hits is decided by their ids."""


class Executor:
    """Keeps what outlives a run: the results of the last graph, and which models are loaded."""

    def __init__(
        self,
        prompts: Prompts,
        sockets: Sockets,
        folders: Folders,
        *,
        pace: Pace,
        fault_file: Path | None,
        keeps_metadata: bool,
    ) -> None:
        self.folders = folders
        self.pace = pace
        self.keeps_metadata = keeps_metadata
        self.sockets = sockets
        self.results: dict[str, Result] = {}
        self.current_node: str | None = None
        self._prompts = prompts
        self._fault_file = fault_file
        self._loaded: set[tuple[Path, int]] = set()
        self._bytes_per_s = 0.0

    async def run_forever(self) -> None:
        """Run prompt after prompt, until cancelled."""
        while True:
            prompt = await self._prompts.next()
            fault = self._read_fault()
            if fault is PaintFault.HANGS:
                await asyncio.Event().wait()
            run = _Run(self, prompt, fault)
            await run.run()
            if run.succeeded and random.Random(prompt.prompt_id).random() < LATE_SHARE:
                await asyncio.sleep(self.pace.history_late_s)
            self.current_node = None
            self._prompts.finish(prompt, run.history_entry())
            run.tell("executing", {"node": None, "prompt_id": prompt.prompt_id})

    def set_loading_rate(self, graph: Graph, *, is_cut: bool) -> None:
        """
        Let the first graph that names models say how many bytes `loading_s` stands for.

        Args:
            is_cut: It makes no picture: prompts are encoded with it, and the other models may not be there yet.
        """
        if self._bytes_per_s:
            return
        total = 0
        for node in graph.values():
            for name, value in node["inputs"].items():
                if name in FILE_INPUTS and isinstance(value, str):
                    total += self._size(FILE_INPUTS[name], value)
        self._bytes_per_s = total / max(self.pace.loading_s * (ENCODER_SHARE if is_cut else 1.0), 1e-6)

    async def load(self, file: Path, size: int) -> None:
        if (file, size) not in self._loaded:
            self._loaded.add((file, size))
            await asyncio.sleep(size / self._bytes_per_s if self._bytes_per_s else 0)

    def _size(self, kind: str, name: str) -> int:
        try:
            return self.folders.model(kind, name).stat().st_size
        except BrokenModelError:
            return 0

    def _read_fault(self) -> PaintFault:
        """A number behind its name says for how many prompts more."""
        try:
            name, *left = self._fault_file.read_text().split() if self._fault_file else [""]
            fault = PaintFault(name)
        except (FileNotFoundError, ValueError):
            return PaintFault.NONE
        if left and self._fault_file:
            self._fault_file.write_text(f"{name} {int(left[0]) - 1}" if int(left[0]) > 1 else "")
        return fault


@dataclass(slots=True)
class _NodeState:
    value: float = 0.0
    most: float = 1.0
    state: str = "running"


@dataclass(slots=True)
class _Run:
    """One prompt's way through its graph."""

    executor: Executor
    prompt: Prompt
    fault: PaintFault
    succeeded: bool = False
    _messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _states: dict[str, _NodeState] = field(default_factory=dict)
    _results: dict[str, Result] = field(default_factory=dict)
    _executed: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Execute the graph; how it ended is in the messages."""
        graph = self.prompt.graph
        self.executor.set_loading_rate(graph, is_cut=not any(is_picture(node) for node in graph.values()))
        self._note("execution_start", {})
        signs = signatures(graph, self._marks())
        known = self.executor.results
        self._results = {node_id: known[sign] for node_id, sign in signs.items() if sign in known}
        self._note("execution_cached", {"nodes": list(self._results)})
        cached = frozenset(self._results)
        for node_id in execution_order(graph, self.prompt.outputs, cached):
            ended = self._tell_cached(node_id) if node_id in cached else await self._ended_at(node_id)
            if ended:
                break
        else:
            self.succeeded = True
            self._note("execution_success", {})
        self.executor.results = {signs[node_id]: result for node_id, result in self._results.items()}

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Tell the client that queued this prompt; nobody, when it gave no name."""
        if self.prompt.client is not None and self.fault is not PaintFault.MUTE:
            self.executor.sockets.tell(kind, data, self.prompt.client)

    def history_entry(self) -> dict[str, Any]:
        shown = {it: result.ui for it, result in self._results.items() if result.ui is not None}
        done = {node_id: ui for node_id, ui in shown.items() if node_id in self._states}
        return {
            "prompt": self.prompt.as_json(),
            "outputs": done,
            "status": {
                "status_str": "success" if self.succeeded else "error",
                "completed": self.succeeded,
                "messages": [[kind, data] for kind, data in self._messages],
            },
            "meta": {it: {"node_id": it, "display_node": it, "parent_node": None, "real_node_id": it} for it in done},
        }

    def _marks(self) -> dict[str, str]:
        """Tell apart pictures of one name: a changed file is a changed node."""
        marks = {}
        for node_id, node in self.prompt.graph.items():
            if node["class_type"] == "LoadImage":
                file = self.executor.folders.picture("input", "", str(node["inputs"].get("image")))
                marks[node_id] = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        return marks

    def _tell_cached(self, node_id: str) -> bool:
        self._tell_executed(node_id, self._results[node_id])
        self._states[node_id] = _NodeState(1, 1, "finished")
        self._tell_states()
        return False

    async def _ended_at(self, node_id: str) -> bool:
        """Execute one node; True when the run ends with it."""
        node = self.prompt.graph[node_id]
        inputs = self._inputs(node)
        about = {"node_id": node_id, "node_type": node["class_type"], "executed": list(self._executed)}
        state = self._states[node_id] = _NodeState()
        self.executor.current_node = node_id
        try:
            self._stop_if_asked()
            self._tell_states()
            self.tell("executing", {"node": node_id, "display_node": node_id, "prompt_id": self.prompt.prompt_id})
            turn = _Turn(self.executor, self.prompt, self.fault, self._progress_of(node_id))
            result = await run_node(node["class_type"], turn, Inputs(inputs))
        except Interrupted:
            self._note("execution_interrupted", about, to_all=True)
            return True
        except NodeFailed as failure:
            self._note("execution_error", about | _failure(failure, node["inputs"], inputs, list(self._results)))
            return True
        self._results[node_id] = result
        self._executed.append(node_id)
        self._tell_executed(node_id, result)
        state.value, state.state = state.most, "finished"
        self._tell_states()
        return False

    def _inputs(self, node: dict[str, Any]) -> dict[str, Any]:
        linked = {name: self._results[source].outputs[slot] for name, (source, slot) in links(node).items()}
        return {**node["inputs"], **linked}

    def _stop_if_asked(self) -> None:
        if self.prompt.interrupted:
            raise Interrupted

    def _progress_of(self, node_id: str) -> Callable[[int, int], None]:
        def progress(value: int, most: int) -> None:
            self._stop_if_asked()
            state = self._states[node_id]
            state.value, state.most = value, most
            self._tell_states()
            data = {"value": value, "max": most, "prompt_id": self.prompt.prompt_id, "node": node_id}
            self.tell("progress", data)

        return progress

    def _tell_executed(self, node_id: str, result: Result) -> None:
        if result.ui is not None:
            data = {"node": node_id, "display_node": node_id, "output": result.ui, "prompt_id": self.prompt.prompt_id}
            self.tell("executed", data)

    def _tell_states(self) -> None:
        nodes = {
            node_id: {
                "value": state.value,
                "max": state.most,
                "state": state.state,
                "node_id": node_id,
                "prompt_id": self.prompt.prompt_id,
                "display_node_id": node_id,
                "parent_node_id": None,
                "real_node_id": node_id,
            }
            for node_id, state in self._states.items()
        }
        self.tell("progress_state", {"prompt_id": self.prompt.prompt_id, "nodes": nodes})

    def _note(self, kind: str, data: dict[str, Any], *, to_all: bool = False) -> None:
        """Tell, and keep for the history."""
        first = {"prompt_id": self.prompt.prompt_id}
        timed = {**(data | first if kind == "execution_cached" else first | data), "timestamp": time.time_ns() // 10**6}
        self._messages.append((kind, timed))
        if to_all and self.prompt.client is None:
            self.executor.sockets.tell(kind, timed)
        self.tell(kind, timed)


@dataclass(slots=True)
class _Turn:
    """What one node may ask for (see :class:`orchestrator.sandbox.comfyui.nodes.Turn`)."""

    executor: Executor
    prompt: Prompt
    fault: PaintFault
    _progress: Callable[[int, int], None]

    @property
    def folders(self) -> Folders:
        return self.executor.folders

    @property
    def sampling_s(self) -> float:
        return self.executor.pace.sampling_s

    @property
    def metadata(self) -> dict[str, str]:
        if not self.executor.keeps_metadata:
            return {}
        extra = self.prompt.extra_data.get("extra_pnginfo") or {}
        return {"prompt": json.dumps(self.prompt.graph), **{name: json.dumps(it) for name, it in extra.items()}}

    def progress(self, value: int, most: int) -> None:
        self.die_if_told()
        self._progress(value, most)

    async def load(self, file: Path, size: int) -> None:
        await self.executor.load(file, size)

    def sampling_starts(self) -> None:
        if self.fault is PaintFault.OOM:
            raise out_of_memory()

    def die_if_told(self) -> None:
        if self.fault is PaintFault.DIES:
            os._exit(1)


def _failure(
    failure: NodeFailed, declared: dict[str, Any], inputs: dict[str, Any], finished: list[str]
) -> dict[str, Any]:
    return {
        "exception_message": str(failure),
        "exception_type": failure.kind,
        "traceback": [f'  File "execution.py", in execute\n    {failure.kind}: {failure}\n'],
        "current_inputs": {
            name: [inputs[name] if isinstance(inputs[name], int | float | str) else str(type(inputs[name]).__name__)]
            for name in declared
        },
        "current_outputs": finished,
    }
