"""What is wrong between a workflow's manifest and its graph, one sentence each; nothing later has to doubt them."""

import re
from collections.abc import Iterator, Mapping

from orchestrator.domain.errors import RequestError
from orchestrator.domain.workflows import Parameter, ParameterKind, Variant, Workflow, check_values

LARGEST_STEP = 256
"""Pixels; a side that follows from the aspect is a multiple of it."""

_SHAPE = re.compile(r"[1-9][0-9]?:[1-9][0-9]?")


OWN_GRAPH = "graph.json"


def problems_of(workflow: Workflow, graphs: Mapping[str, str]) -> Iterator[str]:
    """
    What is wrong between manifest and graph, one sentence each.

    Args:
        graphs: The name of each variant's graph file.
    """
    for parameter in workflow.parameters:
        yield from _parameter_problems(parameter)
    yield from _graph_problems(workflow, OWN_GRAPH)
    yield from _doubles("name", [p.name for p in workflow.parameters])
    yield from _doubles("flag", [p.flag for p in workflow.parameters if p.flag])
    yield from _doubles("bypass", [p.bypass.node for p in workflow.parameters if p.bypass])
    for name, file in workflow.loras.items():
        if not file.path.startswith("loras/"):
            yield f"loras.{name}: its path must begin with loras/"
    try:
        check_values(workflow, workflow.smoke, seed=0)
    except RequestError as error:
        yield f"smoke: {error}"
    yield from _variant_problems(workflow, graphs)


def _graph_problems(workflow: Workflow, graph: str) -> Iterator[str]:
    """Whether everything that the manifest sets is in this graph, and the graph is whole."""
    for parameter in workflow.parameters:
        for target in (*parameter.targets, *((parameter.bypass,) if parameter.bypass else ())):
            if target.input not in workflow.graph.get(target.node, {}).get("inputs", {}):
                yield f"parameter {parameter.name}: {graph} has no node {target.node} with an input {target.input}"
    for key, node in workflow.graph.items():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and not value:
                yield f"{graph}: node {key} takes its {name} from an empty list"
            elif isinstance(value, list) and str(value[0]) not in workflow.graph:
                yield f"{graph}: node {key} takes its {name} from {value[0]}, which is not there"


def _variant_problems(workflow: Workflow, graphs: Mapping[str, str]) -> Iterator[str]:
    for name in _repeated([variant.name for variant in workflow.variants]):
        yield f"two variants have the name {name}"
    for file in dict.fromkeys(graphs.values()):
        if file != OWN_GRAPH:
            name = next(variant for variant, graph in graphs.items() if graph == file)
            yield from _graph_problems(workflow.as_variant(name), file)
    before = workflow
    for variant in workflow.variants:
        here = workflow.as_variant(variant.name)
        yield from _file_problems(workflow, variant, graphs[variant.name])
        yield from _order_problems(before, here)
        before = here


def _file_problems(workflow: Workflow, variant: Variant, graph: str) -> Iterator[str]:
    """What its graph loads must be there, and a path must mean the same file wherever it stands."""
    known = {file.path: file for file in workflow.every_file}
    yield from (
        f"variant {variant.name}: {file.path} is another file elsewhere in this manifest"
        for file in variant.models
        if known[file.path] != file
    )
    there = {_called(file.path) for file in variant.models}
    gone = {_called(file.path): file.path for file in workflow.models if _called(file.path) not in there}
    for key, node in variant.graph.items():
        for value in node["inputs"].values():
            if isinstance(value, str) and value in gone:
                yield f"variant {variant.name}: it goes without {gone[value]}, which node {key} of {graph} loads"


def _called(path: str) -> str:
    """What a graph calls a file: its path below the folder of its kind."""
    return path.partition("/")[2]


def _order_problems(before: Workflow, here: Workflow) -> Iterator[str]:
    """They stand from the heaviest to the lightest: whoever chooses takes the first that will do."""
    than = f"variant {before.variant}" if before.variant else "the workflow itself"
    if here.requirements.vram_mib > before.requirements.vram_mib:
        yield f"variant {here.variant}: it needs more memory than {than}; put the heaviest first"
    if here.requirements.disk_gib > before.requirements.disk_gib:
        yield f"variant {here.variant}: it needs more disk than {than}; put the heaviest first"
    if _bytes(here) >= _bytes(before):
        yield f"variant {here.variant}: its files are no smaller than those of {than}; put the heaviest first"


def _bytes(workflow: Workflow) -> int:
    return sum(file.size_bytes for file in workflow.models)


def _parameter_problems(parameter: Parameter) -> Iterator[str]:
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
    for word in _repeated(words):
        yield f"two parameters have the {what} {word}"


def _repeated(words: list[str]) -> list[str]:
    return sorted({word for word in words if words.count(word) > 1})
