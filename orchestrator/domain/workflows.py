"""
A workflow: a ComfyUI graph with declared parameters, as data.

The files are read by ``adapters/workflow_files.py``; here are the values and the pure work on them:
checking what a person asked for, and filling it into the graph.
"""

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from orchestrator.domain.errors import GraphRejected, RequestError
from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.job import OwnLora, Value
from orchestrator.domain.offer import Requirements
from orchestrator.domain.sizes import MULTIPLE, completed

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
        default: None where the person must say (the prompt, the picture), where it is drawn (the seed), and for
            a width and a height that follow from the aspect.
        maximum: The greatest number, or the most characters of a text.
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
        size_bytes: Exact where *sha256* is known; without it an estimate, good for disk space and progress only.
        sha256: None only until a first verified upload has recorded it; never invented.
        urls: Mirrors of the same bytes, public or presigned.
        chunk: Length of each chunk but the last, a multiple of 32 KiB; 0 where chunks are not known.
        chunks: The sha256 of each, hexadecimal, in order: a machine finds a wrong one at once and fetches only that
            again, and hashes several at a time.
    """

    path: str
    size_bytes: int
    sha256: str | None
    urls: tuple[str, ...]
    chunk: int = 0
    chunks: tuple[str, ...] = ()


CHUNK_MULTIPLE = 32 * 1024
"""What the length of a chunk is a multiple of, in bytes: machines fetch blocks, and each lies in one chunk."""


def are_whole(size: int, chunk: int, chunks: Collection[str]) -> bool:
    """Whether *chunks* of *chunk* bytes make up a file of *size* bytes; no chunks are fine, too."""
    if not chunks:
        return chunk == 0
    return chunk > 0 and chunk % CHUNK_MULTIPLE == 0 and len(chunks) == -(-size // chunk)


def in_load_order(files: Iterable[ModelFile]) -> tuple[ModelFile, ...]:
    """First what ComfyUI reads first: the prompt is encoded while everything else still comes."""
    return tuple(sorted(files, key=lambda file: not is_text_encoder(file.path)))


def is_text_encoder(path: str) -> bool:
    """Whether a model file, by its path below ComfyUI's models, is in one of its folders for text encoders."""
    return path.partition("/")[0] in {"clip", "text_encoders"}


ENCODES = "CLIPTextEncode"
"""How the names of ComfyUI's nodes begin that encode a prompt."""

SHOWS_ANYTHING = "PreviewAny"
"""ComfyUI's node that puts out whatever it is given; it runs no graph without one that puts out something."""


def encoding_graph(graph: Graph) -> Graph:
    """
    Cut *graph* down to what encodes its prompts: empty where it has nothing of the kind.

    ComfyUI keeps the results of the nodes that it ran last, so the whole graph finds them done.
    """
    encoders = [name for name, node in graph.items() if str(node["class_type"]).startswith(ENCODES)]
    wanted, unseen = set(encoders), list(encoders)
    while unseen:
        inputs = graph[unseen.pop()]["inputs"].values()
        found = {str(value[0]) for value in inputs if isinstance(value, list) and value and str(value[0]) in graph}
        unseen += found - wanted
        wanted |= found
    shown = {
        f"{name} shown": {"class_type": SHOWS_ANYTHING, "inputs": {"source": [name, 0]}} for name in sorted(encoders)
    }
    return {name: node for name, node in graph.items() if name in wanted} | shown


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
class Variant:
    """
    The same workflow from lighter model files: fewer bytes to move, less memory, other pixels.

    Attributes:
        title: What a card says of it, such as ``fp8``.
        graph: The whole graph as it is run; parameters and LoRAs go where they go in the workflow's own.
        models: All files of it but LoRAs, which every variant shares.
    """

    name: str
    title: str
    graph: Graph
    models: tuple[ModelFile, ...]
    requirements: Requirements


FULL = ""
"""What the workflow's own files are called where a variant is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """
    A graph and everything that is needed to run it.

    Attributes:
        family: The model family, such as ``flux-schnell``; an API that has it can make the plain pictures of this
            workflow. Empty for a workflow that only its own graph can make.
        loras: The LoRA files that the LoRA parameter may name, by name.
        smoke: Parameter values of the small picture that proves a machine.
        variants: The same from lighter files, the heaviest first; the workflow's own files are heavier than any.
        variant: Which of them these files, this graph and these requirements are; :data:`FULL` for the workflow's own.
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
    family: str = ""
    variants: tuple[Variant, ...] = ()
    variant: str = FULL

    @property
    def takes_image(self) -> bool:
        return any(p.kind is ParameterKind.IMAGE for p in self.parameters)

    @property
    def takes_lora(self) -> bool:
        return any(p.kind is ParameterKind.LORA for p in self.parameters)

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """Everything a machine downloads: models as the manifest has them, then LoRAs by name."""
        return (*self.models, *(self.loras[name] for name in sorted(self.loras)))

    @property
    def every_file(self) -> tuple[ModelFile, ...]:
        """What any of its variants downloads, each file once."""
        known: dict[str, ModelFile] = {}
        for file in (*self.files, *(file for variant in self.variants for file in variant.models)):
            known.setdefault(file.path, file)
        return tuple(known.values())

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    def as_variant(self, name: str) -> "Workflow":
        """This workflow with the graph, files and requirements of one variant; one that it does not have is itself."""
        found = next((variant for variant in self.variants if variant.name == name), None)
        if found is None:
            return self
        return replace(
            self, graph=found.graph, models=found.models, requirements=found.requirements, variant=found.name
        )

    def title_of(self, variant: str) -> str:
        """What a card says of *variant*; nothing of the full one, nor of one that is no longer there."""
        return next((each.title for each in self.variants if each.name == variant), "")

    def with_files(self, known: Callable[[ModelFile], ModelFile]) -> "Workflow":
        """The same, with what *known* says of each file in place of what it said so far."""
        return replace(
            self,
            models=tuple(known(file) for file in self.models),
            loras={name: known(file) for name, file in self.loras.items()},
            variants=tuple(
                replace(variant, models=tuple(known(file) for file in variant.models)) for variant in self.variants
            ),
        )


def closest(word: str, known: list[str]) -> str:
    """The known word that *word* was most likely meant to be, or an empty string."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.5)), "")


def check_values(
    workflow: Workflow, given: Mapping[str, Value], *, seed: int, added: Collection[str] = ()
) -> dict[str, Value]:
    """
    Hold what a person asked for against the manifest, fill in the defaults, and settle the size.

    Checking what came out of it gives the same again, so the values of an old job can be asked for once more.

    Args:
        seed: Used where the person gave none.
        added: Names of LoRAs that may be named beside those of the workflow.

    Raises:
        RequestError: Names the parameter and what it may be.
    """
    for name in given:
        if workflow.parameter(name) is None:
            known = [p.name for p in workflow.parameters]
            raise RequestError("unknown_parameter", name=name, workflow=workflow.name, closest=closest(name, known))
    asked = {"seed": seed, **given}
    derived = {name for name in ("width", "height") if name not in given and _follows_aspect(workflow, name)}
    checked = {
        p.name: _checked(workflow, p, asked.get(p.name, p.default), added)
        for p in workflow.parameters
        if p.kind is not ParameterKind.IMAGE and p.name not in derived
    }
    return checked | _sizes(workflow, checked, derived)


def _follows_aspect(workflow: Workflow, name: str) -> bool:
    side = workflow.parameter(name)
    return side is not None and side.default is None and workflow.parameter("aspect") is not None


def _sizes(workflow: Workflow, checked: Mapping[str, Value], derived: set[str]) -> dict[str, Value]:
    """The sides that nobody gave, held to the same limits as if somebody had."""
    if not derived:
        return {}
    multiple = max(int(p.step) for p in workflow.parameters if p.name in derived) or MULTIPLE
    told = {name: int(checked[name]) if name in checked else None for name in ("width", "height")}
    width, height = completed(told["width"], told["height"], str(checked["aspect"]), multiple=multiple)
    sides = {"width": width, "height": height}
    return {p.name: _checked(workflow, p, sides[p.name]) for p in workflow.parameters if p.name in derived}


def _checked(workflow: Workflow, parameter: Parameter, value: Value | None, added: Collection[str] = ()) -> Value:
    if value is None:
        raise RequestError("missing_parameter", name=parameter.name)
    match parameter.kind:
        case ParameterKind.INTEGER | ParameterKind.NUMBER:
            return _checked_number(parameter, value)
        case ParameterKind.CHOICE:
            return _checked_choice(parameter, str(value))
        case ParameterKind.LORA:
            return _checked_lora(workflow, str(value), added)
        case _:
            return _checked_text(parameter, str(value))


def _checked_text(parameter: Parameter, value: str) -> str:
    if parameter.default is None and not value.strip():
        raise RequestError("missing_parameter", name=parameter.name)
    if parameter.maximum is not None and len(value) > parameter.maximum:
        raise RequestError("too_long", name=parameter.name, length=len(value), allowed=f"{parameter.maximum:g}")
    return value


def _checked_number(parameter: Parameter, value: Value) -> Value:
    low, high = parameter.minimum, parameter.maximum
    allowed = f"{low:.16g} to {high:.16g}" if low is not None and high is not None else "a number"
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise RequestError("not_a_number", name=parameter.name, value=str(value), allowed=allowed) from None
    too_low, too_high = low is not None and number < low, high is not None and number > high
    if not math.isfinite(number) or too_low or too_high:
        raise RequestError("out_of_range", name=parameter.name, value=str(value), allowed=allowed)
    if parameter.step and abs(number / parameter.step - round(number / parameter.step)) > 1e-6:
        raise RequestError("not_a_multiple", name=parameter.name, value=str(value), step=parameter.step)
    if parameter.kind is ParameterKind.INTEGER:
        if number != int(number):
            raise RequestError("not_a_whole_number", name=parameter.name, value=str(value), allowed=allowed)
        return int(value) if isinstance(value, int) else int(number)
    return number


def check_strength(workflow: Workflow, strength: float) -> None:
    """
    Hold the strength of a LoRA against what *workflow* allows.

    Raises:
        RequestError: It is too little or too much.
    """
    parameter = workflow.parameter("strength")
    if parameter is not None:
        _checked_number(parameter, strength)


def _checked_choice(parameter: Parameter, value: str) -> str:
    if value not in parameter.choices:
        allowed = ", ".join(parameter.choices)
        raise RequestError("not_a_choice", name=parameter.name, value=value, allowed=allowed)
    return value


def _checked_lora(workflow: Workflow, value: str, added: Collection[str]) -> str:
    known = sorted({*workflow.loras, *added})
    if value == NO_LORA or value in known:
        return value
    raise RequestError("unknown_lora", name=value, closest=closest(value, known), known=", ".join(known))


def fill(workflow: Workflow, values: Mapping[str, Value], *, image: str = "", own_lora: OwnLora | None = None) -> Graph:
    """
    Put checked values into a copy of the graph.

    A job may be older than the manifest: a parameter that it does not know keeps its default.

    Args:
        image: ComfyUI's name of the uploaded picture, for workflows that take one.
        own_lora: The LoRA that the job names, where the workflow does not have it; its triggers go before the prompt.

    Raises:
        GraphRejected: The job names a LoRA that the workflow no longer has.
    """
    graph: Graph = {name: {**node, "inputs": dict(node["inputs"])} for name, node in workflow.graph.items()}
    for parameter in workflow.parameters:
        value = image if parameter.kind is ParameterKind.IMAGE else values.get(parameter.name, parameter.default)
        if parameter.kind is ParameterKind.LORA:
            if value in {None, NO_LORA}:
                _take_out(graph, parameter.bypass)
                continue
            value = _lora_file(workflow, str(value), own_lora)
        if own_lora is not None and parameter.name == "prompt":
            value = with_triggers(str(value), own_lora.triggers)
        if value is not None:
            _put(graph, parameter.targets, value)
    return graph


def with_triggers(prompt: str, triggers: str) -> str:
    """*triggers* before *prompt*, unless it has them already."""
    return prompt if triggers.casefold() in prompt.casefold() else f"{triggers}, {prompt}"


def _lora_file(workflow: Workflow, name: str, own_lora: OwnLora | None) -> str:
    """What ComfyUI calls a LoRA: its path below ``loras``."""
    if own_lora is not None and own_lora.name == name:
        return own_lora.path.removeprefix("loras/")
    if name not in workflow.loras:
        raise GraphRejected(f'The LoRA "{name}" is no longer offered; choose another one.')
    return workflow.loras[name].path.removeprefix("loras/")


def _put(graph: Graph, targets: tuple[Target, ...], value: Value) -> None:
    for target in targets:
        if target.node in graph:  # a node that was taken out has no inputs to set
            graph[target.node]["inputs"][target.input] = value


def _take_out(graph: Graph, bypass: Target | None) -> None:
    """Remove a node and give its consumers what it would have been given."""
    if bypass is None:
        return
    source = graph.pop(bypass.node)["inputs"][bypass.input]
    for node in graph.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and value[0] == bypass.node:
                node["inputs"][name] = source
