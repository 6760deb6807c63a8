"""A manifest's first draft: what was guessed of a graph, as TOML that its operator completes."""

import json
from collections.abc import Iterable, Iterator, Mapping

from orchestrator.domain.guessing import Guess
from orchestrator.domain.offer import Requirements
from orchestrator.domain.workflows import ModelFile, Parameter, Runtime, Target

MIB_PER_GIB = 1024


def manifest_of(
    title: str, guessed: Guess, *, known: Mapping[str, ModelFile], runtime: Runtime, requirements: Requirements
) -> str:
    """
    Write the manifest.

    Args:
        known: Files by path of which size, checksum and addresses are known already; the others are left to fill in.
        runtime: That of another workflow: what boots one boots most.
        requirements: Likewise; a guess that the operator is told of.
    """
    parts = [
        *(f"# {sentence}" for sentence in guessed.unknown),
        f"title = {_text(title)}",
        'description = "Added from an export of ComfyUI."',
        "order = 100 # the first workflow is what /imagine uses",
        *_requirements(requirements),
        *_runtime(runtime),
        *_smoke(guessed.parameters),
        *(line for parameter in guessed.parameters for line in _parameter(parameter)),
        *(line for path in guessed.models if path != guessed.lora for line in _model("[[models]]", path, known)),
        *(_model(f"[loras.{_text(_stem(guessed.lora))}]", guessed.lora, known) if guessed.lora else ()),
    ]
    return "\n".join(parts) + "\n"


def to_fill_in(guessed: Guess, known: Mapping[str, ModelFile]) -> tuple[str, ...]:
    """All that the operator has to look at, a sentence each."""
    models = [f"models: {path} needs its size and at least one url" for path in guessed.models if path not in known]
    return (*guessed.unknown, *models)


def _requirements(requirements: Requirements) -> Iterator[str]:
    yield "\n[requirements] # a guess, taken from another workflow"
    yield f"vram_gib = {requirements.vram_mib / MIB_PER_GIB:g}"
    yield f"disk_gib = {requirements.disk_gib}"
    yield f"cuda = {requirements.cuda:g}"
    yield f"compute_capability = {requirements.compute_capability:g}"
    yield f"inet_down_mbps = {requirements.inet_down_mbps}"


def _runtime(runtime: Runtime) -> Iterator[str]:
    yield "\n[runtime]"
    yield f"image = {_text(runtime.image)}"
    yield f"start = {_text(runtime.start)}"
    if runtime.install is not None:
        install = runtime.install
        yield "\n[runtime.install]"
        yield f"repository = {_text(install.repository)}"
        yield f"commit = {_text(install.commit)}"
        yield f"torch = {_list(install.torch)}"
        yield f"index_url = {_text(install.index_url)}"


def _smoke(parameters: Iterable[Parameter]) -> Iterator[str]:
    """The smallest picture that proves a machine."""
    small = {"prompt": '"a candle"', "width": "256", "height": "256", "steps": "1"}
    yield "\n[smoke]"
    yield from (f"{p.name} = {small[p.name]}" for p in parameters if p.name in small)


def _parameter(parameter: Parameter) -> Iterator[str]:
    yield "\n[[parameters]]"
    yield f"name = {_text(parameter.name)}"
    yield f"kind = {_text(parameter.kind)}"
    yield f"title = {_text(parameter.title)}"
    if parameter.flag:
        yield f"flag = {_text(parameter.flag)}"
    if parameter.default is not None:
        yield f"default = {json.dumps(parameter.default)}"
    for name, bound in (("minimum", parameter.minimum), ("maximum", parameter.maximum)):
        if bound is not None:
            yield f"{name} = {bound}"
    if parameter.step:
        yield f"step = {parameter.step:g}"
    if parameter.choices:
        yield f"choices = {_list(parameter.choices)}"
    if parameter.targets:
        yield f"targets = {_list(_wire(target) for target in parameter.targets)}"
    if parameter.bypass is not None:
        yield f"bypass = {_text(_wire(parameter.bypass))}"


def _model(header: str, path: str, known: Mapping[str, ModelFile]) -> Iterator[str]:
    file = known.get(path)
    yield f"\n{header}"
    yield f"path = {_text(path)}"
    if file is None:
        yield "size = 0 # bytes: fill in"
        yield "urls = [] # fill in"
        return
    yield f"size = {file.size_bytes}"
    if file.sha256 is not None:
        yield f"sha256 = {_text(file.sha256)}"
    yield f"urls = {_list(file.urls)}"
    if file.chunks:
        yield f"chunk = {file.chunk}"
        yield f"chunks = {_list(file.chunks)}"


def _stem(path: str) -> str:
    """``loras/style/ink.safetensors`` -> ``ink``."""
    return path.rpartition("/")[2].rpartition(".")[0].lower()


def _wire(target: Target) -> str:
    return f"{target.node}.{target.input}"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(_text(text) for text in texts)}]"


def _text(text: str) -> str:
    """As TOML's basic string, which reads JSON's escapes; it also wants DEL escaped (TOML 1.0, "String")."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
