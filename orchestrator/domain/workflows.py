"""
A workflow: a ComfyUI graph with declared parameters, as data.

The files are read by ``adapters/workflow_files.py``; here are the values and the pure work on them:
checking what a person asked for, and filling it into the graph.
"""

import copy
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.domain.errors import RequestError
from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.job import Value
from orchestrator.domain.offer import Requirements

Graph = dict[str, dict[str, Any]]
"""ComfyUI's API format: node id -> {"class_type", "inputs"}."""

NO_LORA = "none"


class ParameterKind(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    LORA = "lora"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One input of one node of the graph."""

    node: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """
    One thing a person can set.

    Attributes:
        default: None where the person must say (the prompt, the picture) or where it is drawn (the seed).
        targets: Where the value goes in the graph; one value may go to several places.
        step: Integers and numbers are multiples of it; 0 allows any.
        flag: What sets it in a prompt, without the dashes; empty for the prompt itself.
        bypass: Node to take out of the graph when a LoRA parameter is ``none``; its consumers get
            its own input *bypass.input* instead.
    """

    name: str
    kind: ParameterKind
    title: str
    default: Value | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float = 0
    choices: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    flag: str = ""
    bypass: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """
    One file that ComfyUI loads, below its ``models`` folder.

    Attributes:
        sha256: None only until a first verified upload has recorded it; never invented.
        urls: Mirrors of the same bytes, public or presigned.
    """

    path: str
    size_bytes: int
    sha256: str | None
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """How ComfyUI is put onto a machine whose image lacks it."""

    repository: str
    commit: str
    torch: tuple[str, ...]
    """What pip installs first, such as ``torch>=2.4``."""
    index_url: str = ""
    """Where pip finds PyTorch's builds; empty for its default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """
    What a machine boots into.

    Attributes:
        image: The container image to order.
        start: The command in that image that starts ComfyUI; where the machine has it, nothing is installed.
        install: What to do where it has not; None makes such a machine useless.
    """

    image: str
    start: str
    install: Install | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """
    A graph and everything that is needed to run it.

    Attributes:
        loras: The LoRA files that the LoRA parameter may name, by name.
        smoke: Parameter values of the small picture that proves a machine.
        first_pictures: Node ids of the graph that put pictures out.
    """

    name: WorkflowName
    title: str
    description: str
    graph: Graph
    parameters: tuple[Parameter, ...]
    models: tuple[ModelFile, ...]
    loras: Mapping[str, ModelFile]
    requirements: Requirements
    runtime: Runtime
    smoke: Mapping[str, Value] = field(default_factory=dict)

    @property
    def takes_image(self) -> bool:
        return any(p.kind is ParameterKind.IMAGE for p in self.parameters)

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """Everything a machine downloads, in the order in which ComfyUI loads it."""
        return (*self.models, *(self.loras[name] for name in sorted(self.loras)))

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)


def closest(word: str, known: list[str]) -> str:
    """The known word that *word* was most likely meant to be, or an empty string."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.5)), "")


def check_values(workflow: Workflow, given: Mapping[str, Value], *, seed: int) -> dict[str, Value]:
    """
    Hold what a person asked for against the manifest and fill in the defaults.

    Args:
        seed: Used where the person gave none.

    Raises:
        RequestError: Names the parameter and what it may be.
    """
    for name in given:
        if workflow.parameter(name) is None:
            known = [p.name for p in workflow.parameters]
            raise RequestError("unknown_parameter", name=name, workflow=workflow.name, closest=closest(name, known))
    return {
        p.name: _checked(workflow, p, given.get(p.name, seed if p.name == "seed" else p.default))
        for p in workflow.parameters
        if p.kind is not ParameterKind.IMAGE
    }


def _checked(workflow: Workflow, parameter: Parameter, value: Value | None) -> Value:
    if value is None or (parameter.kind is ParameterKind.TEXT and parameter.default is None and not str(value).strip()):
        raise RequestError("missing_parameter", name=parameter.name)
    match parameter.kind:
        case ParameterKind.INTEGER | ParameterKind.NUMBER:
            return _checked_number(parameter, value)
        case ParameterKind.CHOICE:
            return _checked_choice(parameter, str(value))
        case ParameterKind.LORA:
            return _checked_lora(workflow, str(value))
        case _:
            return str(value)


def _checked_number(parameter: Parameter, value: Value) -> Value:
    low, high = parameter.minimum, parameter.maximum
    allowed = f"{low:g} to {high:g}" if low is not None and high is not None else "a number"
    try:
        number = float(value)
    except ValueError:
        raise RequestError("not_a_number", name=parameter.name, value=str(value), allowed=allowed) from None
    too_low, too_high = low is not None and number < low, high is not None and number > high
    if number != number or too_low or too_high:  # noqa: PLR0124 - the one way to see a NaN without importing math
        raise RequestError("out_of_range", name=parameter.name, value=str(value), allowed=allowed)
    if parameter.step and abs(number / parameter.step - round(number / parameter.step)) > 1e-6:
        raise RequestError("not_a_multiple", name=parameter.name, value=str(value), step=parameter.step)
    if parameter.kind is ParameterKind.INTEGER:
        if number != int(number):
            raise RequestError("not_a_whole_number", name=parameter.name, value=str(value), allowed=allowed)
        return int(value) if isinstance(value, int) else int(number)
    return number


def _checked_choice(parameter: Parameter, value: str) -> str:
    if value not in parameter.choices:
        allowed = ", ".join(parameter.choices)
        raise RequestError("not_a_choice", name=parameter.name, value=value, allowed=allowed)
    return value


def _checked_lora(workflow: Workflow, value: str) -> str:
    if value == NO_LORA or value in workflow.loras:
        return value
    known = sorted(workflow.loras)
    raise RequestError("unknown_lora", name=value, closest=closest(value, known), known=", ".join(known))


def fill(workflow: Workflow, values: Mapping[str, Value], *, image: str = "") -> Graph:
    """
    Put checked values into a copy of the graph.

    Args:
        image: ComfyUI's name of the uploaded picture, for workflows that take one.
    """
    graph: Graph = copy.deepcopy(workflow.graph)
    for parameter in workflow.parameters:
        value = image if parameter.kind is ParameterKind.IMAGE else values[parameter.name]
        if parameter.kind is ParameterKind.LORA:
            if value == NO_LORA:
                _take_out(graph, parameter.bypass)
                continue
            value = workflow.loras[str(value)].path.removeprefix("loras/")
        for target in parameter.targets:
            if target.node in graph:
                graph[target.node]["inputs"][target.input] = value
    return graph


def _take_out(graph: Graph, bypass: Target | None) -> None:
    """Remove a node and give its consumers what it would have been given."""
    if bypass is None:
        return
    source = graph.pop(bypass.node)["inputs"][bypass.input]
    for node in graph.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and value[0] == bypass.node:
                node["inputs"][name] = source
