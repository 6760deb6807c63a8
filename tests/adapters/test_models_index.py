"""An index of model files laid over the workflows."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from orchestrator.adapters.models_index import IndexProblem, mirrors_of, overlaid, parse_index, with_index
from orchestrator.adapters.workflow_files import FixedCatalog, read_workflows
from orchestrator.domain.workflows import ModelFile, ParameterKind

SHIPPED = read_workflows(Path(__file__).parents[2] / "orchestrator" / "workflows")
SHA = "0" * 64
INDEX = {
    "files": [
        {"path": "vae/ae.safetensors", "size": 5, "sha256": SHA, "urls": ["http://127.0.0.1/ae?sig=a%2Fb"]},
        {"path": "loras/ink.safetensors", "size": 6, "sha256": SHA, "urls": ["http://127.0.0.1/ink"]},
        {"path": "loras/b0throps.safetensors", "size": 7, "sha256": SHA, "urls": ["http://127.0.0.1/b0"]},
        {"path": "checkpoints/other.safetensors", "size": 8, "sha256": SHA, "urls": ["http://127.0.0.1/other"]},
    ]
}


def files() -> tuple[ModelFile, ...]:
    return parse_index(json.dumps(INDEX).encode(), "index.json")


def test_what_the_index_knows_replaces_what_the_workflow_says() -> None:
    workflow = overlaid(SHIPPED, files())[0]

    vae = next(file for file in workflow.models if file.path == "vae/ae.safetensors")
    assert vae == ModelFile(
        path="vae/ae.safetensors", size_bytes=5, sha256=SHA, urls=("http://127.0.0.1/ae?sig=a%2Fb",)
    )
    assert workflow.loras["b0throps"].sha256 == SHA


def test_it_is_laid_over_the_files_of_lighter_variants_too() -> None:
    light = SHIPPED[0].variants[-1].models[0]
    known = replace(light, urls=("http://127.0.0.1:81/fp8",))

    workflow = overlaid(SHIPPED, [known])[0]

    assert workflow.as_variant("fp8").models == (known,)
    assert mirrors_of(FixedCatalog((workflow,))) == {("127.0.0.1", 81)}


def test_what_it_lacks_stays_and_what_no_workflow_needs_is_left_out() -> None:
    workflow = overlaid(SHIPPED, files())[0]

    assert workflow.models[0] == SHIPPED[0].models[0]
    assert not any("other" in file.path for file in workflow.files)


def test_further_loras_are_offered_wherever_one_can_be_chosen() -> None:
    for workflow in overlaid(SHIPPED, files()):
        assert sorted(workflow.loras) == ["b0throps", "ink"]


def test_a_workflow_without_a_choice_of_lora_gets_none() -> None:
    choices = tuple(p for p in SHIPPED[0].parameters if p.kind is not ParameterKind.LORA)
    plain = replace(SHIPPED[0], parameters=choices, loras={})

    assert not overlaid([plain], files())[0].loras


def test_a_lora_in_a_folder_has_it_in_its_name() -> None:
    lora = ModelFile(path="loras/style/wash.safetensors", size_bytes=1, sha256=SHA, urls=())

    assert "style/wash" in overlaid(SHIPPED, [lora])[0].loras


def test_the_workflows_given_are_left_as_they_are() -> None:
    before = repr(SHIPPED)

    overlaid(SHIPPED, files())

    assert repr(SHIPPED) == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<html>", "JSON"),
        (b'{"files": [{"path": "a"}]}', "files.0"),
        (b'{"files": [{"path": "vae/../../x", "size": 1, "urls": ["http://a"]}]}', "files.0.path"),
        (b'{"files": [{"path": "vae/x", "size": 1, "urls": ["ftp://a"]}]}', "files.0.urls.0"),
        (b'{"files": [{"path": "vae/x", "size": 1, "urls": []}]}', "files.0.urls"),
    ],
)
def test_an_index_that_is_wrong_says_where(content: bytes, told: str) -> None:
    with pytest.raises(IndexProblem, match=told):
        parse_index(content, "index.json")


@asynccontextmanager
async def served(response: web.Response, seen: list[str]) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return response

    app = web.Application()
    app.router.add_get("/sandbox/models", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/sandbox/models"
    finally:
        await runner.cleanup()


async def test_an_index_is_fetched_with_its_key() -> None:
    seen: list[str] = []
    async with served(web.json_response(INDEX), seen) as url, aiohttp.ClientSession() as http:
        catalog = await with_index(FixedCatalog(SHIPPED), http, url, key="k3y")

    assert seen == ["Bearer k3y"]
    assert "ink" in catalog.all()[0].loras


async def test_an_index_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps(INDEX))
    async with aiohttp.ClientSession() as http:
        catalog = await with_index(FixedCatalog(SHIPPED), http, str(tmp_path / "index.json"), key="")
        with pytest.raises(IndexProblem, match="No such file"):
            await with_index(catalog, http, str(tmp_path / "none.json"), key="")

    assert "ink" in catalog.all()[0].loras


@pytest.mark.parametrize(
    "response",
    [
        web.Response(status=401),
        web.Response(status=302, headers={"Location": "/sandbox/models"}),
        web.Response(body=b" " * 5_000_000),
    ],
    ids=["refused", "redirected", "too large"],
)
async def test_an_index_that_cannot_be_had_says_why_without_the_key(response: web.Response) -> None:
    async with served(response, []) as url, aiohttp.ClientSession() as http:
        with pytest.raises(IndexProblem) as told:
            await with_index(FixedCatalog(SHIPPED), http, url, key="k3y")

    assert "k3y" not in str(told.value)


async def test_nobody_there_is_told_too() -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(IndexProblem, match="does not answer"):
            await with_index(FixedCatalog(SHIPPED), http, "http://127.0.0.1:1/", key="")
