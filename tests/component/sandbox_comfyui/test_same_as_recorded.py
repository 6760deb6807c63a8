"""The sandbox's ComfyUI says what the real one was recorded saying: every field, every message, in the same order."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sandbox.comfyui.executor import Pace
from tests.component.sandbox_comfyui.painter_client import PainterClient, bare_painter, painter, until
from tests.component.sandbox_comfyui.recordings import graph_of, recorded, same_for_everybody, shape


async def test_first_run_of_the_whole_graph(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        said = await client.run(graph_of("flux_lora_first"))

    assert same_for_everybody(said) == same_for_everybody(recorded("flux_lora_first"))


async def test_second_seed_runs_only_what_hangs_on_the_seed(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        await client.run(graph_of("flux_lora_first"))
        said = await client.run(graph_of("flux_lora_second_seed"))

    assert same_for_everybody(said) == same_for_everybody(recorded("flux_lora_second_seed"))


async def test_identical_graph_is_served_from_the_cache(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        first = await client.run(graph_of("empty_image"))
        again = await client.run(graph_of("empty_image_repeat_cached"))

    assert same_for_everybody(first) == same_for_everybody(recorded("empty_image"))
    assert same_for_everybody(again) == same_for_everybody(recorded("empty_image_repeat_cached"))
    assert first[-1]["params"] == again[-1]["params"]


async def test_prompt_id_of_the_client_is_kept_and_may_come_twice(tmp_path: Path) -> None:
    chosen = "11111111-2222-3333-4444-555555555555"
    async with painter(tmp_path) as client:
        first = await client.run(graph_of("client_prompt_id"), prompt_id=chosen)
        again = await client.run(graph_of("client_prompt_id_again"), prompt_id=chosen)
        history = await client.get("/history")

    assert same_for_everybody(first) == same_for_everybody(recorded("client_prompt_id"))
    assert same_for_everybody(again) == same_for_everybody(recorded("client_prompt_id_again"))
    assert list(history) == [chosen]
    assert history[chosen]["outputs"] != first[-2]["response"][chosen]["outputs"]


async def test_interrupted_run(tmp_path: Path) -> None:
    async with painter(tmp_path, pace=Pace(sampling_s=0.4, loading_s=0)) as client:
        await client.run(graph_of("flux_lora_second_seed"))
        async with client.listening() as socket:
            exchange = await client.queue(graph_of("interrupted"))
            prompt_id = exchange["response"]["body"]["prompt_id"]
            messages = [await until(socket, "status")]
            while messages[-1]["type"] != "executing":
                messages.append(await socket.receive_json())
            assert await client.post("/interrupt", {"prompt_id": prompt_id}) == (200, "")
            while messages[-1]["data"].get("node", "") is not None:
                messages.append(await socket.receive_json())
        said = [exchange, *({"t": 0, "ws": message} for message in messages), *await client.results(prompt_id)]

    assert same_for_everybody(said) == same_for_everybody(recorded("interrupted"))


@pytest.mark.parametrize("case", ["missing_input", "missing_node", "bad_value", "no_output"])
async def test_refusal(tmp_path: Path, case: str) -> None:
    async with painter(tmp_path) as client:
        said = [await client.queue(graph_of(case))]

    assert same_for_everybody(said) == same_for_everybody(recorded(case))


async def test_missing_model_is_refused_with_the_list_of_those_that_are_there(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        said = [await client.queue(graph_of("missing_model"))]

    assert same_for_everybody(said) == same_for_everybody(recorded("missing_model"))


async def test_queue_delete_clear_and_interrupt(tmp_path: Path) -> None:
    async with painter(tmp_path, pace=Pace(sampling_s=60, loading_s=0)) as client:
        said = await _queue_session(client)

    assert _named(said) == _named(recorded("queue"))


async def _queue_session(client: PainterClient) -> dict[str, Any]:
    """Do what the recording was made of: four prompts, one deleted, the rest cleared, the first interrupted."""
    async with client.listening() as socket:
        entries = recorded("queue")["queue"]
        graphs = [entry[2] for entry in (*entries["queue_running"], *entries["queue_pending"])]
        answers = [(await client.queue(graph))["response"]["body"] for graph in graphs]
        await until(socket, "execution_start")
        queue = await client.get("/queue")
        deleted = await client.post("/queue", {"delete": [answers[1]["prompt_id"]]})
        left = await client.get("/queue")
        assert [entry[1] for entry in left["queue_pending"]] == [answer["prompt_id"] for answer in answers[2:]]
        cleared = await client.post("/queue", {"clear": True})
        after = await client.get("/queue")
        interrupted = await client.post("/interrupt", {"prompt_id": answers[0]["prompt_id"]})
    return {
        "prompt_responses": answers,
        "queue": queue,
        "delete": list(deleted),
        "clear": list(cleared),
        "queue_after": after,
        "interrupt": list(interrupted),
    }


def _named(session: dict[str, Any]) -> Any:
    """Count prompts from the first one of the session, and name them so."""
    first = session["prompt_responses"][0]["number"]
    text = json.dumps(session).replace(session["queue"]["queue_running"][0][3]["client_id"], "<client>")
    for answer in session["prompt_responses"]:
        place = answer["number"] - first
        text = text.replace(answer["prompt_id"], f"<id {place}>").replace(f'"number": {answer["number"]},', "")
        text = text.replace(f'[{answer["number"]}, "<id', '["<id')
    return json.loads(text)


async def test_system_stats_have_the_recorded_shape(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        said = await client.get("/system_stats")

    assert shape(said) == shape(recorded("system_stats"))


async def test_object_info_has_the_recorded_nodes_with_texts_left_out(tmp_path: Path) -> None:
    expected = _without_texts(recorded("object_info"))
    async with bare_painter(tmp_path) as client:
        said = await client.get("/object_info")
        one = await client.get("/object_info/KSampler")
        none = await client.get("/object_info/NoSuchNode")

    assert said.pop("PreviewAny")["output_node"]  # it is in ComfyUI's core, and nobody asked it when this was recorded
    assert said == expected
    assert one == {"KSampler": expected["KSampler"]}
    assert none == {}


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_texts(it) for name, it in value.items() if name not in {"tooltip", "output_tooltips"}}
        return kept | ({"description": ""} if "description" in kept else {})
    return [_without_texts(it) for it in value] if isinstance(value, list) else value
