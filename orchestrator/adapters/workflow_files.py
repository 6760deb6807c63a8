"""
Workflows read from folders: ``<name>/graph.json`` and ``<name>/manifest.toml``.

A mistake in them is found here, at the start, and told with the file and the place; nothing later has to doubt them.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from orchestrator.adapters.workflow_problems import problems_of
from orchestrator.domain.errors import OrchestratorError, Remedy
from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.job import Value
from orchestrator.domain.offer import Requirements
from orchestrator.domain.workflows import (
    CHUNK_MULTIPLE,
    Graph,
    Install,
    ModelFile,
    Parameter,
    ParameterKind,
    Runtime,
    Target,
    Variant,
    Workflow,
    are_whole,
)
from orchestrator.ports.workflows import WorkflowCatalog

MIB_PER_GIB = 1024
FILE_LIMIT = 1024 * 1024
"""Bytes; a graph of a thousand nodes has about a third of it."""

ModelPath = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$", max_length=200)]
"""Below ComfyUI's ``models`` folder; plain names only, because it becomes a path on a rented machine."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s\"'<>]+$", max_length=4096)]
"""Kept to the letter: a presigned address is good for nothing once it is rewritten."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=32)]
VariantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=32)]
GraphFile = Annotated[str, StringConstraints(pattern=r"^graph(\.[a-z0-9-]+)?\.json$", max_length=64)]
"""Beside the manifest, such as ``graph.fp8.json``."""
NodeInput = Annotated[str, StringConstraints(pattern=r"^[^.]+\.[^.]+$")]
"""``node.input``, as in ``sampler.seed``."""


LONGEST_TOLD = 1500
NO_GRAPH = 'not a graph in API format (in ComfyUI: "Export (API)")'


class WorkflowProblem(OrchestratorError):
    """A workflow's files are wrong: whoever wrote them reads which file, where and why."""

    remedy = Remedy.OPERATOR

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


MOST_CHUNKS = 10_000
"""Of one file; a store takes no more parts of an upload, and a machine's agent reads a request of 4 MiB."""

MOST_VARIANTS = 8

LARGEST = 2**53
Size = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
"""A number that a graph, JSON and a database all keep as it is."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _ParameterEntry(_Strict):
    name: Name
    kind: ParameterKind
    title: str = Field(min_length=1)
    flag: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$|^$")] = ""
    default: Value | None = None
    minimum: Size | None = None
    maximum: Size | None = None
    step: Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)] = 0
    choices: tuple[str, ...] = ()
    targets: tuple[NodeInput, ...] = ()
    bypass: NodeInput | None = None

    def value(self) -> Parameter:
        return Parameter(
            name=self.name,
            kind=self.kind,
            title=self.title,
            default=self.default,
            minimum=self.minimum,
            maximum=self.maximum,
            step=self.step,
            choices=self.choices,
            targets=tuple(_target(text) for text in self.targets),
            flag=self.flag,
            bypass=_target(self.bypass) if self.bypass else None,
        )


class ModelEntry(_Strict):
    """One model file, in a manifest and in an index of models."""

    path: ModelPath
    size: int = Field(gt=0, le=LARGEST)
    sha256: Sha256 | None = None
    urls: tuple[WebAddress, ...] = Field(min_length=1)
    chunk: int = Field(default=0, ge=0, le=LARGEST)
    chunks: tuple[Sha256, ...] = Field(default=(), max_length=MOST_CHUNKS)

    @model_validator(mode="after")
    def _chunks_make_up_the_file(self) -> Self:
        if not are_whole(self.size, self.chunk, self.chunks):
            raise ValueError(f"chunks must cover the file, and chunk be a multiple of {CHUNK_MULTIPLE} bytes")
        return self

    def value(self) -> ModelFile:
        return ModelFile(
            path=self.path,
            size_bytes=self.size,
            sha256=self.sha256,
            urls=self.urls,
            chunk=self.chunk,
            chunks=self.chunks,
        )


class _InstallEntry(_Strict):
    repository: WebAddress
    commit: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")
    torch: tuple[str, ...]
    index_url: WebAddress | Literal[""] = ""

    def value(self) -> Install:
        return Install(repository=self.repository, commit=self.commit, torch=self.torch, index_url=self.index_url)


class _RuntimeEntry(_Strict):
    image: str = Field(min_length=1)
    start: str = Field(pattern=r"^[A-Za-z0-9./_-]+$")
    install: _InstallEntry | None = None

    def value(self) -> Runtime:
        return Runtime(image=self.image, start=self.start, install=self.install.value() if self.install else None)


class _RequirementsEntry(_Strict):
    vram_gib: float = Field(gt=0, le=10_000, allow_inf_nan=False)
    disk_gib: int = Field(gt=0, le=1_000_000)
    cuda: float = Field(default=0.0, ge=0, le=1000, allow_inf_nan=False)
    inet_down_mbps: int = Field(default=0, ge=0, le=10_000_000)
    compute_capability: float = Field(default=0.0, ge=0, le=1000, allow_inf_nan=False)

    def value(self) -> Requirements:
        return Requirements(
            vram_mib=round(self.vram_gib * MIB_PER_GIB),
            disk_gib=self.disk_gib,
            cuda=self.cuda,
            inet_down_mbps=self.inet_down_mbps,
            compute_capability=self.compute_capability,
        )


class _VariantRequirementsEntry(_Strict):
    """What differs; everything else is as the workflow needs it."""

    vram_gib: float | None = Field(default=None, gt=0, le=10_000, allow_inf_nan=False)
    disk_gib: int | None = Field(default=None, gt=0, le=1_000_000)

    def value(self, of: Requirements) -> Requirements:
        vram = of.vram_mib if self.vram_gib is None else round(self.vram_gib * MIB_PER_GIB)
        return replace(of, vram_mib=vram, disk_gib=of.disk_gib if self.disk_gib is None else self.disk_gib)


class _VariantEntry(_Strict):
    name: VariantName
    title: str = Field(min_length=1, max_length=32)
    graph: GraphFile = "graph.json"
    without: tuple[ModelPath, ...] = ()
    requirements: _VariantRequirementsEntry = _VariantRequirementsEntry()
    models: tuple[ModelEntry, ...] = ()

    def value(self, folder: Path, manifest: "_Manifest") -> Variant:
        kept = (entry for entry in manifest.models if entry.path not in self.without)
        return Variant(
            name=self.name,
            title=self.title,
            graph=read_graph(folder / self.graph),
            models=tuple(entry.value() for entry in (*kept, *self.models)),
            requirements=self.requirements.value(manifest.requirements.value()),
        )


class _Manifest(_Strict):
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    order: int = 100
    requirements: _RequirementsEntry
    runtime: _RuntimeEntry
    smoke: Mapping[str, Value]
    family: str = Field("", pattern=r"^[a-z0-9.-]{0,32}$")
    parameters: tuple[_ParameterEntry, ...] = Field(min_length=1)
    models: tuple[ModelEntry, ...] = ()
    loras: Mapping[str, ModelEntry] = Field(default_factory=dict)
    variants: tuple[_VariantEntry, ...] = Field(default=(), max_length=MOST_VARIANTS)

    @model_validator(mode="after")
    def _variants_change_what_is_there(self) -> Self:
        own = {entry.path for entry in self.models}
        for variant in self.variants:
            for path in sorted(set(variant.without) - own):
                raise ValueError(f"variant {variant.name}: without names {path}, which is none of the models")
            for path in sorted({entry.path for entry in variant.models} & own):
                raise ValueError(f"variant {variant.name}: {path} is one of the workflow's models already")
        return self


class _Node(BaseModel):
    class_type: str
    inputs: dict[str, Any]


@dataclass(frozen=True)
class FixedCatalog(WorkflowCatalog):
    """Workflows that are known already, in their order."""

    workflows: tuple[Workflow, ...]

    def all(self) -> tuple[Workflow, ...]:
        return self.workflows

    def find(self, name: WorkflowName) -> Workflow | None:
        return next((w for w in self.workflows if w.name == name), None)


class WorkflowFiles(WorkflowCatalog):
    """
    The workflows in some folders, read at the first question and kept.

    Where two folders have a workflow of one name, the later folder's counts: so a person changes a workflow of ours.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    @cached_property
    def _catalog(self) -> FixedCatalog:
        return FixedCatalog(read_workflows(*self._folders))

    def all(self) -> tuple[Workflow, ...]:
        """Read the folders the first time.

        Raises:
            WorkflowProblem: A file is wrong; all problems of it are told at once.
        """
        return self._catalog.all()

    def find(self, name: WorkflowName) -> Workflow | None:
        return self._catalog.find(name)


def read_workflows(*folders: Path) -> tuple[Workflow, ...]:
    """
    Read every workflow in *folders*, by their order and then by name.

    Raises:
        WorkflowProblem: Which file, where and why.
    """
    found = {path.parent.name: path.parent for folder in folders for path in sorted(folder.glob("*/manifest.toml"))}
    read = [(*read_workflow(folder),) for _, folder in sorted(found.items())]
    return tuple(workflow for _, workflow in sorted(read, key=lambda entry: (entry[0], entry[1].name)))


def read_workflow(folder: Path) -> tuple[int, Workflow]:
    """Read one workflow and its place in the order.

    Raises:
        WorkflowProblem: Which file, where and why.
    """
    manifest = _manifest(folder / "manifest.toml")
    workflow = Workflow(
        name=WorkflowName(folder.name),
        title=manifest.title,
        description=manifest.description,
        graph=read_graph(folder / "graph.json"),
        parameters=tuple(entry.value() for entry in manifest.parameters),
        models=tuple(entry.value() for entry in manifest.models),
        loras={name: entry.value() for name, entry in manifest.loras.items()},
        requirements=manifest.requirements.value(),
        runtime=manifest.runtime.value(),
        smoke=dict(manifest.smoke),
        family=manifest.family,
        variants=tuple(entry.value(folder, manifest) for entry in manifest.variants),
    )
    problems = tuple(problems_of(workflow, {entry.name: entry.graph for entry in manifest.variants}))
    if problems:
        raise WorkflowProblem(f"{folder / 'manifest.toml'}: " + "; ".join(problems))
    return manifest.order, workflow


def _manifest(path: Path) -> _Manifest:
    try:
        return _Manifest.model_validate(tomllib.loads(_text(path)))
    except ValidationError as error:
        raise WorkflowProblem(f"{path}: {told(error)}") from error
    except (ValueError, RecursionError) as error:  # no TOML, a number of thousands of digits, tables without end
        raise WorkflowProblem(f"{path}: {error}") from error


def read_graph(path: Path) -> Graph:
    """
    Read a graph in API format.

    Raises:
        WorkflowProblem: It is none.
    """
    try:
        nodes = json.loads(_text(path))
        checked = {str(key): _Node.model_validate(node) for key, node in nodes.items()}
    except ValidationError as error:
        raise WorkflowProblem(f"{path}: {NO_GRAPH}: {told(error)}") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise WorkflowProblem(f"{path}: {NO_GRAPH}: {error}") from error
    return {key: {"class_type": node.class_type, "inputs": node.inputs} for key, node in checked.items()}


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise WorkflowProblem(f"{path}: larger than {FILE_LIMIT} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowProblem(f"{path}: {error}") from error


def told(error: ValidationError) -> str:
    """Every problem that pydantic found, each with its place, in one line."""
    parts = [f"{'.'.join(str(step) for step in it['loc']) or 'file'}: {it['msg']}" for it in error.errors()]
    return "; ".join(parts)


def one_line(text: str) -> str:
    """*text* fit for a log: what a file holds may be anything, and so may the names in it."""
    words = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * LONGEST_TOLD]).split())
    return words if len(words) <= LONGEST_TOLD else f"{words[:LONGEST_TOLD]} ..."


def _target(text: str) -> Target:
    node, _, name = text.partition(".")
    return Target(node=node, input=name)
