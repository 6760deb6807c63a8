"""The page on how to add a workflow, followed to the letter."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.adapters.comfyui import connect_url
from orchestrator.adapters.workflow_files import WorkflowFiles, WorkflowProblem
from orchestrator.cli.commands import app
from orchestrator.domain.ids import PromptId, WorkflowName
from orchestrator.domain.workflows import check_values, fill
from orchestrator.sandbox.comfyui.executor import Pace
from orchestrator.sandbox.comfyui.server import ServerSettings, open_server
from orchestrator.sandbox.models import make_models
from tests.contract.comfy_suite import ignore

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-workflow.md").read_text()
NAME = "flux-schnell-fp8"
SHIPPED = ROOT / "orchestrator" / "workflows" / "flux-schnell-lora" / "graph.json"


def blocks(language: str) -> list[str]:
    return [str(found) for found in re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]


def block(language: str) -> str:
    """The first one: what the page builds."""
    return blocks(language)[0]


async def test_the_workflow_of_the_page_is_read_and_paints(tmp_path: Path) -> None:
    folder = tmp_path / "workflows" / NAME
    folder.mkdir(parents=True)
    (folder / "graph.json").write_text(block("json"))
    (folder / "manifest.toml").write_text(block("toml"))
    make_models(tmp_path / "models")

    catalog = WorkflowFiles(ROOT / "orchestrator" / "workflows", tmp_path / "workflows")
    workflow = catalog.find(WorkflowName(NAME))

    assert workflow is not None
    assert catalog.all()[-1] == workflow
    values = check_values(workflow, {"prompt": "a fox", "aspect": "16:9", "steps": 1, "height": 144}, seed=1)
    settings = ServerSettings(listen="127.0.0.1", port=0, base=tmp_path, pace=Pace(sampling_s=0, loading_s=0))
    async with open_server(settings) as url, connect_url(url) as comfy:
        pictures = await comfy.paint(fill(workflow, values), PromptId("fox"), on_progress=ignore)
    assert len(pictures) == 1


def test_the_variant_of_the_page_is_the_one_that_is_shipped() -> None:
    variant = blocks("toml")[1]

    assert variant in SHIPPED.with_name("manifest.toml").read_text()
    assert (SHIPPED.parent / tomllib.loads(variant)["variants"][0]["graph"]).exists()


def added(graph: Path, data: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["workflows", "add", str(graph), *arguments], env={"GLOWPLUG_DATA": str(data)})
    return f"{done.stdout}{done.stderr}"


def test_an_export_becomes_a_workflow_once_its_files_are_filled_in(tmp_path: Path) -> None:
    export = tmp_path / "My Export.json"
    export.write_text(block("json").replace("flux1-schnell-fp8", "mine"))

    told = json.loads(added(export, tmp_path, "--json"))

    assert told["workflow"] == "my-export"
    assert told["missing"] == ["models: checkpoints/mine.safetensors needs its size and at least one url"]
    manifest = tmp_path / "workflows" / "my-export" / "manifest.toml"
    with pytest.raises(WorkflowProblem, match="urls"):
        WorkflowFiles(tmp_path / "workflows").all()
    filled = (
        manifest.read_text().replace("size = 0", "size = 17").replace("urls = []", 'urls = ["https://a.example/b"]')
    )
    manifest.write_text(filled)
    workflow = WorkflowFiles(tmp_path / "workflows").all()[0]
    assert [p.name for p in workflow.parameters] == [*told["parameters"]]
    assert check_values(workflow, {"prompt": "a fox", "aspect": "16:9"}, seed=1)["width"] == 1360


def test_an_export_of_known_files_can_be_used_at_once(tmp_path: Path) -> None:
    added(SHIPPED, tmp_path, "--name", "mine")

    workflow = WorkflowFiles(tmp_path / "workflows").find(WorkflowName("mine"))

    assert workflow is not None
    assert workflow.takes_lora
    assert "There is a workflow mine already" in added(SHIPPED, tmp_path, "--name", "mine")


def test_what_is_no_export_is_refused_with_what_to_do(tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    saved.write_text('{"nodes": [], "links": []}')

    assert "Export (API)" in added(saved, tmp_path)
    assert "is no name" in added(saved, tmp_path, "--name", "../up")
    assert not (tmp_path / "workflows").exists()
