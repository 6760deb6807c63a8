"""Workflows are data: read from folders, checked once, and run as they are."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.comfyui import connect_url
from orchestrator.adapters.workflow_files import WorkflowFiles, WorkflowProblem, read_workflows
from orchestrator.domain.ids import PromptId, WorkflowName
from orchestrator.domain.policy.variants import Pin, allowed, moved
from orchestrator.domain.workflows import Workflow, check_values, fill
from orchestrator.sandbox.comfyui.executor import Pace
from orchestrator.sandbox.comfyui.server import ServerSettings, open_server
from orchestrator.sandbox.models import make_models
from tests.contract.comfy_suite import ignore, small_png

SHIPPED = Path(__file__).parents[2] / "orchestrator" / "workflows"
OBJECT_INFO = json.loads((Path(__file__).parents[1] / "data" / "comfyui" / "object_info.json").read_text())
LINKED = {"MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE"}
WORKFLOWS = read_workflows(SHIPPED)
EVERY = [each for workflow in WORKFLOWS for each in allowed(workflow, Pin.AUTO)]


def called(workflow: Workflow) -> str:
    return f"{workflow.name} {workflow.variant}".strip()


def test_imagine_uses_the_first_workflow() -> None:
    assert WorkflowFiles(SHIPPED).all()[0].name == "flux-schnell-lora"


def test_a_workflow_is_found_by_name_or_not_at_all() -> None:
    catalog = WorkflowFiles(SHIPPED)

    found = catalog.find(WorkflowName("flux-schnell-img2img"))

    assert found is not None
    assert found.takes_image
    assert catalog.find(WorkflowName("flux")) is None


@pytest.mark.parametrize("workflow", EVERY, ids=called)
def test_each_graph_is_what_comfyui_knows(workflow: Workflow) -> None:
    """Every node exists, has each required input, and no input that ComfyUI has not heard of."""
    for key, node in workflow.graph.items():
        declared = OBJECT_INFO[node["class_type"]]["input"]
        known = {**declared["required"], **declared.get("optional", {})}
        assert set(declared["required"]) <= set(node["inputs"]) <= set(known), key
        for name, value in node["inputs"].items():
            assert isinstance(value, list) == (known[name][0] in LINKED if isinstance(known[name][0], str) else False)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_each_model_says_where_it_is_and_what_it_is(workflow: Workflow) -> None:
    for file in workflow.models:
        assert file.sha256
        assert len(file.urls) > 1
        assert all("/resolve/main/" not in url for url in file.urls), "a branch moves; pin a commit"
    assert sum(file.size_bytes for file in workflow.models) == 34_151_796_252
    assert workflow.requirements.disk_gib * 2**30 > sum(file.size_bytes for file in workflow.files) * 3 / 2


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_the_lightest_variant_is_half_the_bytes_and_fits_a_card_of_16_gb(workflow: Workflow) -> None:
    full, _, light = allowed(workflow, Pin.AUTO)

    assert moved(light) < 0.52 * moved(full)
    assert light.requirements.vram_mib == 16 * 1024
    assert (light.requirements.cuda, light.loras) == (full.requirements.cuda, full.loras)
    assert all(file.sha256 and "/resolve/main/" not in file.urls[0] for file in light.models)


def test_a_machine_that_is_prepared_for_one_of_our_workflows_has_the_files_of_the_other() -> None:
    first, *others = ([(each.variant, each.files) for each in allowed(workflow, Pin.AUTO)] for workflow in WORKFLOWS)

    assert others == [first] * len(others)


def test_a_file_of_several_variants_is_known_once() -> None:
    paths = [file.path for file in WORKFLOWS[0].every_file]

    assert len(paths) == len(set(paths)) == 7


def test_nothing_is_invented_about_a_file_that_nobody_has_measured() -> None:
    assert WORKFLOWS[0].loras["b0throps"].sha256 is None


@pytest.mark.parametrize("workflow", EVERY, ids=called)
async def test_each_workflow_paints_its_smoke_picture(workflow: Workflow, tmp_path: Path) -> None:
    """Takes half a second where two cores are shared: the painter really paints, with just its files."""
    for made in make_models(tmp_path / "models"):
        if made.path not in {file.path for file in workflow.files}:
            (tmp_path / "models" / made.path).unlink()
    pace = Pace(sampling_s=0, loading_s=0)
    settings = ServerSettings(listen="127.0.0.1", port=0, base=tmp_path, pace=pace)

    async with open_server(settings) as url, connect_url(url) as comfy:
        image = await comfy.upload(small_png(), "source.png")
        for number, lora in enumerate(["none", "b0throps"]):
            values = check_values(workflow, {**workflow.smoke, "lora": lora}, seed=1)
            graph = fill(workflow, values, image=image)
            pictures = await comfy.paint(graph, PromptId(str(number)), on_progress=ignore)
            assert len(pictures) == 1


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a workflow of somebody's own, to spoil."""
    shutil.copytree(SHIPPED / "flux-schnell-lora", tmp_path / "mine")
    return tmp_path / "mine"


def spoil(folder: Path, old: str, new: str) -> str:
    """Change the manifest, and return what reading it says."""
    manifest = folder / "manifest.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    return problem(folder)


def problem(folder: Path) -> str:
    with pytest.raises(WorkflowProblem) as error:
        read_workflows(folder.parent)
    assert str(folder) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('targets = ["sampler.seed"]', 'targets = ["sampler.sead"]', "no node sampler with an input sead"),
        ('bypass = "lora.model"', "", "a lora needs a bypass"),
        ('flag = "seed"', 'flag = "steps"', "two parameters have the flag steps"),
        ('name = "negative"', 'name = "prompt"', "two parameters have the name prompt"),
        ('kind = "text"', 'kind = "words"', "parameters.0.kind"),
        ("vram_gib = 22", "vram_gb = 22", "vram_gb: Extra inputs are not permitted"),
        ('title = "Flux schnell"', "", "title: Field required"),
        ("steps = 1\n", "steps = 99\n", "smoke: out_of_range"),
        ('default = "1:1"', 'default = "5:4"', "its default is none of its choices"),
        ('path = "vae/ae.safetensors"', 'path = "../ae.safetensors"', "models.3.path"),
        ('path = "vae/ae.safetensors"', 'path = "vae/$(reboot)"', "models.3.path"),
        ('path = "loras/b0throps', 'path = "vae/b0throps', "its path must begin with loras/"),
        ('sha256 = "9403', 'sha256 = "zz03', "models.0.sha256"),
        ('sha256 = "9403', 'chunk = 33554432\nsha256 = "9403', "chunks must cover the file"),
        ("https://models.", "file://models.", "models.0.urls.0"),
        ("[smoke]", "[smoke", "manifest.toml"),
        ("vram_gib = 22", "vram_gib = 1e308", "requirements.vram_gib"),
        ("vram_gib = 22", "vram_gib = nan", "requirements.vram_gib"),
        ("vram_gib = 22", f"vram_gib = {'9' * 5000}", "4300 digits"),
        ("vram_gib = 22", f"vram_gib = {'[' * 3000}", "manifest.toml"),
        ('choices = ["1:1", ', 'choices = ["1:1", "1:0", ', "aspect: 1:0 is no shape"),
        ('choices = ["1:1", ', 'choices = ["1:1", "999999999:1", ', "is no shape"),
        ('kind = "choice"', 'kind = "text"', "aspect: its kind must be choice"),
        ('name = "width"\nkind = "integer"', 'name = "width"\nkind = "text"', "width: its kind must be integer"),
        ('name = "fp8"', 'name = "fp8-text"', "two variants have the name fp8-text"),
        ('name = "fp8"', 'name = ""', "variants.1.name"),
        ('graph = "graph.fp8.json"', 'graph = "../graph.json"', "variants.1.graph"),
        ('graph = "graph.fp8.json"', 'graph = "graph.fp4.json"', "graph.fp4.json: [Errno 2]"),
        (
            'graph = "graph.fp8.json"',
            "",
            "variant fp8: it goes without unet/flux1-schnell.safetensors, which node unet of graph.json loads",
        ),
        (
            'without = ["clip/t5xxl_fp16.safetensors"]',
            'without = ["clip/t6.safetensors"]',
            "variant fp8-text: without names clip/t6.safetensors, which is none of the models",
        ),
        (
            'path = "checkpoints/flux1-schnell-fp8.safetensors"',
            'path = "vae/ae.safetensors"',
            "variant fp8: vae/ae.safetensors is one of the workflow's models already",
        ),
        (
            'path = "checkpoints/flux1-schnell-fp8.safetensors"',
            'path = "clip/t5xxl_fp8_e4m3fn.safetensors"',
            "variant fp8: clip/t5xxl_fp8_e4m3fn.safetensors is another file elsewhere in this manifest",
        ),
        ("vram_gib = 16", "vram_gib = 24", "variant fp8: it needs more memory than variant fp8-text"),
        ("disk_gib = 45", "disk_gib = 90", "variant fp8: it needs more disk than variant fp8-text"),
        (
            "size = 4893934904",
            "size = 9893934904",
            "variant fp8-text: its files are no smaller than those of the workf",
        ),
        (
            "size = 17236328572",
            "size = 37236328572",
            "variant fp8: its files are no smaller than those of variant fp8-t",
        ),
        ("vram_gib = 16", "cuda = 12.0", "variants.1.requirements.cuda: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_its_place(own: Path, old: str, new: str, told: str) -> None:
    assert told in spoil(own, old, new)


def test_all_mistakes_are_told_at_once(own: Path) -> None:
    text = spoil(own, 'targets = ["sampler.seed"]', 'targets = ["a.b", "c.d"]')

    assert "a with an input b" in text
    assert "c with an input d" in text


@pytest.mark.parametrize(
    "graph", ["[]", "{", "[" * 100_000, "9" * 5000, '{"nodes": [1]}', '{"a": {"class_type": "X"}}']
)
def test_a_graph_in_another_format_says_how_to_export_it(own: Path, graph: str) -> None:
    (own / "graph.json").write_text(graph)

    assert "API" in problem(own)


def test_a_link_into_nothing_is_found(own: Path) -> None:
    graph: dict[str, Any] = json.loads((own / "graph.json").read_text())
    del graph["vae"]
    (own / "graph.json").write_text(json.dumps(graph))

    assert "node decode takes its vae from vae, which is not there" in problem(own)


def test_a_link_to_no_node_is_found(own: Path) -> None:
    graph: dict[str, Any] = json.loads((own / "graph.json").read_text())
    graph["decode"]["inputs"]["vae"] = []
    (own / "graph.json").write_text(json.dumps(graph))

    assert "node decode takes its vae from an empty list" in problem(own)


def test_what_a_parameter_sets_must_be_in_the_graph_of_each_variant(own: Path) -> None:
    lighter = own / "graph.fp8.json"
    lighter.write_text(lighter.read_text().replace('"sampler": {', '"painter": {'))

    told = problem(own)

    assert "parameter seed: graph.fp8.json has no node sampler with an input seed" in told
    assert "graph.fp8.json: node decode takes its samples from sampler, which is not there" in told
    assert "parameter seed: graph.json" not in told


def test_what_is_told_of_a_file_is_one_short_line_whatever_is_in_it(own: Path) -> None:
    (own / "graph.json").write_text(json.dumps({f"\x1b[2J\n{n}": {"class_type": 1} for n in range(5000)}))

    told = problem(own)

    assert told.isprintable()
    assert len(told) < 2000


def test_a_missing_graph_is_told(own: Path) -> None:
    (own / "graph.json").unlink()

    assert "graph.json" in problem(own)


def test_a_file_that_cannot_be_a_graph_is_not_read(own: Path) -> None:
    (own / "graph.json").write_bytes(b" " * 2_000_000)

    assert "larger" in problem(own)


def test_a_persons_own_version_replaces_ours(own: Path) -> None:
    own.rename(own.parent / "flux-schnell-lora")
    manifest = own.parent / "flux-schnell-lora" / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('title = "Flux schnell"', 'title = "Mine"'))

    catalog = WorkflowFiles(SHIPPED, own.parent)

    assert [workflow.title for workflow in catalog.all()] == ["Mine", "Flux schnell, from a picture"]
