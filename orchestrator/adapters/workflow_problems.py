"""What is wrong between a workflow's manifest and its graph, one sentence each; nothing later has to doubt them."""

import re
from collections.abc import Iterator

from orchestrator.domain.errors import RequestError
from orchestrator.domain.workflows import Parameter, ParameterKind, Workflow, check_values

LARGEST_STEP = 256
"""Pixels; a side that follows from the aspect is a multiple of it."""

_SHAPE = re.compile(r"[1-9][0-9]?:[1-9][0-9]?")


def problems_of(workflow: Workflow) -> Iterator[str]:
    """What is wrong between manifest and graph, one sentence each."""
    for parameter in workflow.parameters:
        yield from _parameter_problems(workflow, parameter)
    yield from _doubles("name", [p.name for p in workflow.parameters])
    yield from _doubles("flag", [p.flag for p in workflow.parameters if p.flag])
    yield from _doubles("bypass", [p.bypass.node for p in workflow.parameters if p.bypass])
    for key, node in workflow.graph.items():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and not value:
                yield f"graph.json: node {key} takes its {name} from an empty list"
            elif isinstance(value, list) and str(value[0]) not in workflow.graph:
                yield f"graph.json: node {key} takes its {name} from {value[0]}, which is not there"
    for name, file in workflow.loras.items():
        if not file.path.startswith("loras/"):
            yield f"loras.{name}: its path must begin with loras/"
    try:
        check_values(workflow, workflow.smoke, seed=0)
    except RequestError as error:
        yield f"smoke: {error}"


def _parameter_problems(workflow: Workflow, parameter: Parameter) -> Iterator[str]:
    wired = (*parameter.targets, *((parameter.bypass,) if parameter.bypass else ()))
    for target in wired:
        if target.input not in workflow.graph.get(target.node, {}).get("inputs", {}):
            yield f"parameter {parameter.name}: graph.json has no node {target.node} with an input {target.input}"
    if parameter.kind is ParameterKind.LORA and parameter.bypass is None:
        yield f"parameter {parameter.name}: a lora needs a bypass, such as lora.model"
    if parameter.kind is ParameterKind.CHOICE and parameter.default not in {None, *parameter.choices}:
        yield f"parameter {parameter.name}: its default is none of its choices"
    yield from _size_problems(parameter)


def _size_problems(parameter: Parameter) -> Iterator[str]:
    """Of the three that a size is made of, each has to be of its kind."""
    if parameter.name == "aspect":
        if parameter.kind is not ParameterKind.CHOICE:
            yield "parameter aspect: its kind must be choice"
        yield from (
            f"parameter aspect: {w} is no shape such as 16:9" for w in parameter.choices if not _SHAPE.fullmatch(w)
        )
    if parameter.name in {"width", "height"}:
        if parameter.kind is not ParameterKind.INTEGER:
            yield f"parameter {parameter.name}: its kind must be integer"
        if parameter.step > LARGEST_STEP:
            yield f"parameter {parameter.name}: its step must be {LARGEST_STEP} at most"


def _doubles(what: str, words: list[str]) -> Iterator[str]:
    for word in sorted({word for word in words if words.count(word) > 1}):
        yield f"two parameters have the {what} {word}"
