"""
ComfyUI's errors -> ours.

What it says before a run (HTTP 400, as recorded) is about the graph and becomes one sentence that a person can
act on. What goes wrong during a run is told apart by whether another machine might do better.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.domain.errors import ComfyError, ComfyUnavailable, GraphRejected, OutOfVram

LONGEST_QUOTE = 120
MOST_CHOICES = 12

OUT_OF_VRAM = re.compile(r"outofmemory|out of memory|allocation on device", re.IGNORECASE)
MACHINE_TYPES = re.compile(
    r"^(torch\.)?(AcceleratorError|DeferredCudaCallError)$"
    r"|(OSError|IOError|EOFError|MemoryError|FileNotFoundError|PermissionError|TimeoutError|BrokenPipeError)$"
    r"|Connection\w*Error$|SafetensorError$|UnpicklingError$|BadZipFile$"
)
"""Exceptions of a sick machine: its disk, its memory, a file that came incomplete."""
MACHINE_WORDS = re.compile(
    r"cuda|cudnn|cublas|nccl|hip error|nvml|nvidia|driver|no kernel image|device-side|triton"
    r"|can't allocate memory|cannot allocate memory|safetensor|invalid header|header too|incomplete metadata"
    r"|no such file|filename '.*' not found|no space left|input/output error|corrupt|unexpected end|checksum",
    re.IGNORECASE,
)

SENTENCES: Mapping[str, str] = {
    "value_smaller_than_min": "{input} must be at least {least}, not {received}.",
    "value_bigger_than_max": "{input} must be at most {most}, not {received}.",
    "required_input_missing": "The graph gives its node {node} no {input}; set it there.",
    "invalid_input_type": '{input} of the node {node} cannot be "{received}".',
    "bad_linked_input": "The graph joins {input} of its node {node} to something else: {details}.",
    "return_type_mismatch": "The graph joins {input} of its node {node} to something else: {details}.",
}
OTHER_SENTENCE = "The node {node} of the graph is refused: {message} ({details})."


def failure_of(data: Mapping[str, Any]) -> ComfyError:
    """
    Say what an ``execution_error`` means.

    Out of graphics memory wants a bigger card; a broken driver or file wants another machine; what is left is the
    graph's own fault and would happen everywhere.
    """
    kind, message = _text(data.get("exception_type")), _text(data.get("exception_message"))
    node = quoted(data.get("node_type"), 60) or "a node"
    told = f"{node}: {quoted(kind, 60)}: {quoted(message)}"
    if kind.endswith("MemoryError") and not kind.endswith("OutOfMemoryError"):
        return ComfyUnavailable(told)
    if OUT_OF_VRAM.search(kind) or OUT_OF_VRAM.search(message):
        return OutOfVram(told)
    if MACHINE_TYPES.search(kind) or MACHINE_WORDS.search(message):
        return ComfyUnavailable(told)
    return GraphRejected(f"The node {node} of the workflow failed: {quoted(message) or quoted(kind)}")


def rejection_of(answer: object) -> ComfyError:
    """Say what a 400 of ``POST /prompt`` means."""
    if not isinstance(answer, dict) or "error" not in answer:
        return ComfyUnavailable("ComfyUI answered 400 and gave no reason")
    complaints = sorted(_node_complaints(answer.get("node_errors")), key=lambda it: it.rank)
    if not complaints:
        return GraphRejected(_graph_sentence(answer["error"]))
    others = len(complaints) - 1
    more = f" ({others} more {'mistakes' if others > 1 else 'mistake'} in the graph.)" if others else ""
    return GraphRejected(complaints[0].sentence() + more)


class _Complaint:
    """One error of one node, in ComfyUI's words."""

    def __init__(self, node_type: str, error: Mapping[str, Any]) -> None:
        extra = error.get("extra_info")
        self._extra: Mapping[str, Any] = extra if isinstance(extra, dict) else {}
        self._node = quoted(node_type, 60) or "a node"
        self._kind = _text(error.get("type"))
        self._message = quoted(error.get("message"))
        self._details = quoted(error.get("details"))
        self._input = quoted(self._extra.get("input_name"), 60) or self._details
        self._received = quoted(self._extra.get("received_value"))

    @property
    def rank(self) -> int:
        """What is missing comes before what is set wrongly: the second often follows from the first."""
        order = ["value_not_in_list", "custom_validation_failed", "required_input_missing"]
        return order.index(self._kind) if self._kind in order else len(order)

    def sentence(self) -> str:
        if self._kind == "value_not_in_list":
            return self._not_in_list()
        if self._kind == "custom_validation_failed" and "image" in self._details.lower():
            return f"The picture to start from is not on this machine ({self._details}); send it again."
        return SENTENCES.get(self._kind, OTHER_SENTENCE).format(
            node=self._node,
            input=self._input,
            received=self._received,
            message=self._message,
            details=self._details,
            least=self._limit("min"),
            most=self._limit("max"),
        )

    def _not_in_list(self) -> str:
        if self._input == "lora_name":
            return f'The LoRA "{self._received}" is not on this machine; {self._choices("there are")}.'
        if self._input.rstrip("0123456789").endswith("_name") and "." in self._received:
            where = f"{self._input} of {self._node}"
            return f'The model "{self._received}" ({where}) is not on this machine; {self._choices("there are")}.'
        return f'{self._input} cannot be "{self._received}"; {self._choices("it may be")}.'

    def _choices(self, lead: str) -> str:
        config = self._extra.get("input_config")
        first = config[0] if isinstance(config, list) and config else None
        known = [quoted(word, 60) for word in first] if isinstance(first, list) else []
        if not known:
            return "no other is there" if isinstance(first, list) else "there are others"
        return f"{lead} {', '.join(known[:MOST_CHOICES])}{' and more' if len(known) > MOST_CHOICES else ''}"

    def _limit(self, name: str) -> str:
        config = self._extra.get("input_config")
        limits = config[1] if isinstance(config, list) and len(config) > 1 else None
        return quoted(limits.get(name), 30) if isinstance(limits, dict) and name in limits else self._message


def _node_complaints(node_errors: object) -> Iterator[_Complaint]:
    for node in node_errors.values() if isinstance(node_errors, dict) else ():
        errors = node.get("errors") if isinstance(node, dict) else None
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, dict):
                yield _Complaint(_text(node.get("class_type")), error)


def _graph_sentence(error: object) -> str:
    if not isinstance(error, dict):
        return f"ComfyUI refuses the graph: {quoted(error)}"
    kind, message = _text(error.get("type")), _text(error.get("message"))
    missing = re.search(r"node (?:type )?'?([\w .+-]{1,60}?)'? (?:does not exist|not found)", message, re.IGNORECASE)
    if missing:
        return f"The node {missing[1]} is not installed on this machine; install it or change the workflow."
    if kind == "prompt_no_outputs":
        return "The graph puts no picture out; give it a SaveImage node."
    details = quoted(error.get("details"))
    return f"ComfyUI refuses the graph: {quoted(message)}{f' ({details})' if details else ''}"


def quoted(value: object, longest: int = LONGEST_QUOTE) -> str:
    """A stranger's words, fit for a person's eyes: one line, printable, not too long."""
    words = " ".join("".join(c if c.isprintable() else " " for c in _text(value)).split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _text(value: object) -> str:
    return "" if value is None else str(value)[:10_000]
