"""The page on how to add a workflow, followed to the letter."""

import re
import shutil
from pathlib import Path

from orchestrator.adapters.comfyui import connect_url
from orchestrator.adapters.workflow_files import WorkflowFiles
from orchestrator.domain.ids import PromptId, WorkflowName
from orchestrator.domain.workflows import check_values, fill
from orchestrator.sandbox.comfyui.executor import Pace
from orchestrator.sandbox.comfyui.server import ServerSettings, open_server
from orchestrator.sandbox.models import make_models
from tests.contract.comfy_suite import ignore

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-workflow.md").read_text()
NAME = "flux-schnell-fp8"


def block(language: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


async def test_the_workflow_of_the_page_is_read_and_paints(tmp_path: Path) -> None:
    folder = tmp_path / "workflows" / NAME
    folder.mkdir(parents=True)
    (folder / "graph.json").write_text(block("json"))
    (folder / "manifest.toml").write_text(block("toml"))
    models = tmp_path / "models"
    make_models(models)
    (models / "checkpoints").mkdir()
    shutil.copy(models / "vae" / "ae.safetensors", models / "checkpoints" / "flux1-schnell-fp8.safetensors")

    catalog = WorkflowFiles(ROOT / "orchestrator" / "workflows", tmp_path / "workflows")
    workflow = catalog.find(WorkflowName(NAME))

    assert workflow is not None
    assert catalog.all()[-1] == workflow
    values = check_values(workflow, {"prompt": "a fox", "aspect": "16:9", "steps": 1, "height": 144}, seed=1)
    settings = ServerSettings(listen="127.0.0.1", port=0, base=tmp_path, pace=Pace(sampling_s=0, loading_s=0))
    async with open_server(settings) as url, connect_url(url) as comfy:
        pictures = await comfy.paint(fill(workflow, values), PromptId("fox"), on_progress=ignore)
    assert len(pictures) == 1
