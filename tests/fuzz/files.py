"""Files that people write and mirrors serve: workflows, and indexes of models."""

import json
import tempfile
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from orchestrator.adapters.models_index import overlaid, parse_index
from orchestrator.adapters.workflow_files import read_workflow, read_workflows
from orchestrator.domain.policy.variants import Pin, allowed
from orchestrator.domain.workflows import Workflow, check_values, fill
from tests.adapters.test_models_index import INDEX
from tests.fuzz.harness import Feed, Subject
from tests.fuzz.mutate import Mutator

SHIPPED = Path(__file__).parents[2] / "orchestrator" / "workflows"
FOLDERS = sorted(path.parent for path in SHIPPED.glob("*/manifest.toml"))
KEPT = {"prompt", "aspect", "width", "height", "seed", "lora"}


def _short(manifest: dict[str, Any]) -> dict[str, Any]:
    """One parameter of each kind: to read TOML is what takes the time here."""
    parameters = [entry for entry in manifest["parameters"] if entry["name"] in KEPT]
    smoke = {name: value for name, value in manifest["smoke"].items() if name in KEPT}
    models = manifest["models"][:1]
    variant = {**manifest["variants"][-1], "without": [models[0]["path"]]}
    return {**manifest, "parameters": parameters, "models": models, "smoke": smoke, "variants": [variant]}


MANIFESTS = [_short(tomllib.loads((folder / "manifest.toml").read_text())) for folder in FOLDERS]
GRAPHS = [
    {name: json.loads((folder / name).read_text()) for name in ("graph.json", "graph.fp8.json")} for folder in FOLDERS
]
"""Of each workflow, by the file's name."""


def toml(document: Any) -> str:
    """A table as TOML, everything inside in one line; what TOML has no word for comes out wrong, as it should."""
    return "\n".join(f"{json.dumps(name)} = {_inline(value)}" for name, value in document.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)} = {_inline(each)}' for name, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


def runs(workflow: Workflow) -> object:
    """What was read can be used: nothing later doubts it."""
    values = check_values(workflow, workflow.smoke, seed=0)
    return [fill(each, values, image="a.png") for each in allowed(workflow, Pin.AUTO)]


@asynccontextmanager
async def _workflows() -> AsyncIterator[Feed]:
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / folder.name for folder in FOLDERS]
        for which, folder in enumerate(folders):
            folder.mkdir()
            for graph, nodes in GRAPHS[which].items():
                (folder / graph).write_text(json.dumps(nodes))

        async def feed(mutator: Mutator) -> object:
            which = mutator.dice.randrange(len(FOLDERS))
            spoils_graph = mutator.chance(2)
            manifest = MANIFESTS[which] if spoils_graph and mutator.chance(2) else mutator.value(MANIFESTS[which])
            raw = toml(manifest if isinstance(manifest, dict) else {"x": manifest}).encode("utf-8", "surrogatepass")
            raw = mutator.damaged(raw) if mutator.chance(6) else raw
            (folders[which] / "manifest.toml").write_bytes(raw)
            graph = mutator.dice.choice(sorted(GRAPHS[which]))
            with _spoilt(folders[which] / graph, mutator.as_json(GRAPHS[which][graph]) if spoils_graph else b""):
                _, workflow = read_workflow(folders[which])
            return runs(workflow)

        yield feed


@contextmanager
def _spoilt(file: Path, content: bytes) -> Iterator[None]:
    """*file* with other *content*, if there is any, until the block ends."""
    if not content:
        yield
        return
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(before)


@asynccontextmanager
async def _index() -> AsyncIterator[Feed]:
    workflows = read_workflows(SHIPPED)

    async def feed(mutator: Mutator) -> object:
        files = parse_index(mutator.as_json(INDEX), "index.json")
        for file in files:
            assert ".." not in file.path.split("/")
            assert not file.path.startswith("/")
        return [runs(workflow) for workflow in overlaid(workflows, files)]

    yield feed


SUBJECTS = (Subject(name="workflow files", opened=_workflows), Subject(name="models index", opened=_index))
