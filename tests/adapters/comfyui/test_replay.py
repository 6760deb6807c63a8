"""Recorded traffic of a real ComfyUI, played back to the adapter."""

import asyncio
import json

import pytest

from orchestrator.domain.errors import AttemptInterrupted, ComfyUnavailable, GraphRejected
from orchestrator.domain.ids import PromptId
from orchestrator.ports.comfy import Painting
from tests.adapters.comfyui.conftest import Replay
from tests.adapters.comfyui.replay import recorded_graph, recording

PROMPT = PromptId("5b0b6a0e-0000-4000-8000-000000000001")


def ignore(_: Painting) -> None:
    """Progress does not matter here."""


@pytest.mark.parametrize(
    "name", ["flux_lora_first", "flux_lora_second_seed", "empty_image", "empty_image_repeat_cached", "client_prompt_id"]
)
async def test_each_recorded_run_gives_its_picture(replay: Replay, name: str) -> None:
    async with replay(name) as (comfy, server):
        pictures = await comfy.paint(recorded_graph(name), PROMPT, on_progress=ignore)

    assert (server.picture,) == pictures


async def test_a_prompt_costs_one_post_and_one_get(replay: Replay) -> None:
    """No look into queue or history while all goes well: each is a round trip through the tunnel."""
    async with replay("flux_lora_first") as (comfy, server):
        await comfy.paint(recorded_graph("flux_lora_first"), PROMPT, on_progress=ignore)

    assert server.requests == ["GET /ws", "POST /prompt", "GET /view"]


async def test_the_graph_goes_out_under_our_own_ids(replay: Replay) -> None:
    graph = recorded_graph("flux_lora_first")

    async with replay("flux_lora_first") as (comfy, server):
        await comfy.paint(graph, PROMPT, on_progress=ignore)

    body = server.bodies[0]
    assert (graph, PROMPT) == (body["prompt"], body["prompt_id"])
    assert body["client_id"]


async def test_progress_counts_sampler_steps_and_never_falls(replay: Replay) -> None:
    told: list[Painting] = []

    async with replay("flux_lora_first") as (comfy, _):
        await comfy.paint(recorded_graph("flux_lora_first"), PROMPT, on_progress=told.append)

    assert {4} == {painting.total for painting in told}
    assert sorted(painting.done for painting in told) == [painting.done for painting in told]
    assert told[-1] == Painting(done=4, total=4)


async def test_a_cached_run_ends_with_full_progress(replay: Replay) -> None:
    told: list[Painting] = []
    graph = recorded_graph("flux_lora_first")

    async with replay("empty_image_repeat_cached") as (comfy, _):
        await comfy.paint(graph, PROMPT, on_progress=told.append)

    assert told[-1] == Painting(done=4, total=4)


async def test_a_recorded_interrupt_ends_the_attempt(replay: Replay) -> None:
    async with replay("interrupted") as (comfy, _):
        with pytest.raises(AttemptInterrupted):
            await comfy.paint(recorded_graph("interrupted"), PROMPT, on_progress=ignore)


async def test_prompts_on_one_socket_are_told_apart(replay: Replay) -> None:
    graph = recorded_graph("flux_lora_second_seed")
    first, second = PromptId("one"), PromptId("two")

    async with replay("flux_lora_second_seed") as (comfy, server), asyncio.TaskGroup() as group:
        group.create_task(comfy.paint(graph, first, on_progress=ignore))
        group.create_task(comfy.paint(graph, second, on_progress=ignore))

    assert {first, second} == set(server.painted)
    assert server.requests.count("GET /ws") == 1


async def test_stats_are_those_recorded(replay: Replay) -> None:
    recorded = recording("system_stats")

    async with replay("empty_image") as (comfy, _):
        stats = await comfy.stats()

    assert recorded["system"]["comfyui_version"] == stats.version
    assert recorded["devices"][0]["vram_total"] == stats.vram_total_bytes


async def test_an_uploaded_picture_arrives_whole(replay: Replay) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(200_000)

    async with replay("empty_image") as (comfy, server):
        name = await comfy.upload(picture, "source.png")

    assert ("source.png", [("source.png", picture)]) == (name, server.uploads)


def executed(*names: str) -> str:
    """Another output node that saved some pictures."""
    pictures = [{"filename": name, "subfolder": "", "type": "output"} for name in names]
    data = {"prompt_id": PROMPT, "node": "more", "output": {"images": pictures}}
    return json.dumps({"type": "executed", "data": data})


async def test_all_pictures_of_a_prompt_are_fetched_in_their_order(replay: Replay) -> None:
    async with replay("flux_lora_second_seed") as (comfy, server):
        server.switches.noise = (executed("a.png", "b.png"), executed("b.png", "c.png"))

        pictures = await comfy.paint(recorded_graph("flux_lora_second_seed"), PROMPT, on_progress=ignore)

    assert [picture[-5:] for picture in pictures[:3]] == [b"a.png", b"b.png", b"c.png"]
    assert len(pictures) == 4


async def test_one_picture_that_does_not_come_is_an_error_of_ours(replay: Replay) -> None:
    async with replay("flux_lora_second_seed") as (comfy, server):
        server.switches.noise = (executed("a.png", "gone.png"),)

        with pytest.raises(ComfyUnavailable, match="/view answered 404"):
            await comfy.paint(recorded_graph("flux_lora_second_seed"), PROMPT, on_progress=ignore)


async def test_pictures_of_which_no_message_told_are_in_the_history(replay: Replay) -> None:
    async with replay("empty_image") as (comfy, server):
        server.switches.leave_out.add("executed")

        pictures = await comfy.paint(recorded_graph("empty_image"), PROMPT, on_progress=ignore)

    assert (server.picture,) == pictures


async def test_a_graph_that_ends_without_a_picture_is_told_to_the_person(replay: Replay) -> None:
    async with replay("empty_image") as (comfy, server):
        server.switches.leave_out.add("executed")
        server.switches.forgets = True

        with pytest.raises(GraphRejected, match="without a picture"):
            await comfy.paint(recorded_graph("empty_image"), PROMPT, on_progress=ignore)
