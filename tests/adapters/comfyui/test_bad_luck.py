"""Lost answers, lost sockets, servers that hang, lie or flood: nothing is painted twice and nothing waits for ever."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest
from aiohttp import web

from orchestrator.adapters.comfyui import ComfyUiConnector, connect_url
from orchestrator.domain.errors import AttemptInterrupted, ComfyUnavailable
from orchestrator.domain.ids import PromptId
from tests.adapters.comfyui.conftest import HASTY, PATIENT, SMALL, WATCHFUL, Replay
from tests.adapters.comfyui.replay import PNG, ReplayServer, recorded_graph, serving_at_a_port
from tests.adapters.comfyui.test_replay import PROMPT, ignore

GRAPH = recorded_graph("flux_lora_second_seed")
FLUX = "flux_lora_second_seed"


async def _given_up(attempt: Awaitable[object]) -> str:
    with pytest.raises(ComfyUnavailable) as given_up:
        await attempt
    return str(given_up.value)


async def test_a_prompt_whose_answer_was_lost_is_not_queued_again(replay: Replay) -> None:
    async with replay(FLUX) as (comfy, server):
        server.switches.lose_answers = 1

        pictures = await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert ([PROMPT], (server.picture,)) == (server.painted, pictures)


async def test_a_prompt_that_never_arrived_is_queued_again(replay: Replay) -> None:
    async with replay(FLUX) as (comfy, server):
        server.switches.lose_prompts = 1

        pictures = await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert ([PROMPT], (server.picture,)) == (server.painted, pictures)


async def test_a_server_that_loses_each_prompt_is_given_up(replay: Replay) -> None:
    async with replay(FLUX) as (comfy, server):
        server.switches.lose_prompts = 5

        with pytest.raises(ComfyUnavailable):
            await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert len(server.bodies) == 2


async def test_messages_lost_with_the_socket_are_made_up_for_by_the_history(replay: Replay) -> None:
    async with replay(FLUX) as (comfy, server):
        server.switches.drop_socket_at = 6

        pictures = await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert ([PROMPT], (server.picture,)) == (server.painted, pictures)


async def test_messages_go_on_over_the_new_socket(replay: Replay) -> None:
    async with replay(FLUX) as (comfy, server):
        server.switches.drop_socket_at = 6
        server.switches.waits_for_return = True

        pictures = await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert (server.picture,) == pictures
    assert server.requests.count("GET /ws") == 2


async def test_a_picture_whose_message_was_lost_is_waited_for_in_the_history(replay: Replay) -> None:
    """The end may be told before the history has it; the message that named the picture is gone."""
    async with replay(FLUX) as (comfy, server), asyncio.TaskGroup() as group:
        server.switches.drop_socket_at = 6
        server.switches.waits_for_return = True
        server.switches.leave_out.add("executed")
        server.switches.lingers = True
        attempt = group.create_task(comfy.paint(GRAPH, PROMPT, on_progress=ignore))
        await server.held.wait()
        while server.requests.count("GET /queue") < 3:
            await asyncio.sleep(0.005)
        assert not attempt.done()
        server.released.set()

    assert (server.picture,) == attempt.result()


async def test_a_prompt_that_ends_and_never_leaves_the_queue_is_given_up(replay: Replay) -> None:
    async with replay(FLUX, HASTY) as (comfy, server):
        server.switches.leave_out.add("executed")
        server.switches.lingers = True

        with pytest.raises(ComfyUnavailable, match="does not leave the queue"):
            await comfy.paint(GRAPH, PROMPT, on_progress=ignore)


async def test_an_idle_connection_finds_its_socket_again(replay: Replay) -> None:
    async with replay(FLUX) as (comfy, server):
        await comfy.paint(GRAPH, PromptId("one"), on_progress=ignore)
        await server.close_sockets()

        pictures = await comfy.paint(GRAPH, PromptId("two"), on_progress=ignore)

    assert (server.picture,) == pictures


async def test_a_running_prompt_of_which_nothing_is_heard_is_given_up(replay: Replay) -> None:
    async with replay(FLUX, WATCHFUL) as (comfy, server):
        server.switches.hold_at = 4

        with pytest.raises(ComfyUnavailable, match="nothing was heard"):
            await comfy.paint(GRAPH, PROMPT, on_progress=ignore)


async def test_a_pending_prompt_may_wait_for_as_long_as_it_takes(replay: Replay) -> None:
    """Only a running prompt can hang: what stands in the queue is silent by nature."""
    async with replay(FLUX, WATCHFUL) as (comfy, server), asyncio.TaskGroup() as group:
        server.switches.hold_at = 4
        async with ComfyUiConnector(WATCHFUL).connect(server.socket) as other:
            first = group.create_task(_given_up(other.paint(GRAPH, PromptId("one"), on_progress=ignore)))
            await server.held.wait()
            second = group.create_task(comfy.paint(GRAPH, PromptId("two"), on_progress=ignore))
            await first
            looks = len(server.requests)
            while len(server.requests) < looks + 10:
                await asyncio.sleep(0.005)
            assert not second.done()
            second.cancel()


async def test_a_prompt_that_a_restart_forgot_is_not_waited_for(replay: Replay) -> None:
    async with replay(FLUX) as (comfy, server):
        server.switches.drop_socket_at = 6
        server.switches.forgets = True

        with pytest.raises(ComfyUnavailable, match="no longer knows"):
            await comfy.paint(GRAPH, PROMPT, on_progress=ignore)


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with ComfyUiConnector(HASTY).connect(tmp_path / "nobody.sock") as comfy:
        with pytest.raises(ComfyUnavailable):
            await comfy.paint(GRAPH, PROMPT, on_progress=ignore)
        with pytest.raises(ComfyUnavailable):
            await comfy.stats()


async def test_a_prompt_on_a_connection_that_is_closed_ends_at_once(replay: Replay) -> None:
    async with replay(FLUX) as (_, server), asyncio.TaskGroup() as group:
        server.switches.hold_at = 4
        async with ComfyUiConnector(PATIENT).connect(server.socket) as comfy:
            attempt = group.create_task(_given_up(comfy.paint(GRAPH, PROMPT, on_progress=ignore)))
            await server.held.wait()
        assert "closed" in await attempt
        with pytest.raises(ComfyUnavailable, match="closed"):
            await comfy.stats()


async def test_an_error_of_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(AttemptInterrupted):
        async with ComfyUiConnector(HASTY).connect(tmp_path / "nobody.sock"):
            raise AttemptInterrupted


async def test_a_failing_server_is_not_asked_twice(replay: Replay) -> None:
    """A 500 is an answer: the prompt was not taken, and whoever called decides about another try."""
    async with replay(FLUX) as (comfy, server):
        server.switches.answers["/prompt"] = web.Response(status=500, text="Internal Server Error")

        with pytest.raises(ComfyUnavailable, match="500"):
            await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert server.requests.count("POST /prompt") == 1


@pytest.mark.parametrize("text", ["<html>", "[" * 100_000, '{"a": 1}', "[]", '{"queue_running": [[1]]}'])
async def test_nonsense_instead_of_the_queue_is_unavailable(replay: Replay, text: str) -> None:
    async with replay(FLUX) as (comfy, server):
        server.switches.answers["/queue"] = web.Response(text=text)

        with pytest.raises(ComfyUnavailable):
            await comfy.resume(GRAPH, PROMPT, on_progress=ignore)


async def test_noise_on_the_socket_is_passed_over(replay: Replay) -> None:
    noise = ("{", "[]", '"x"', '{"type": 1, "data": {"prompt_id": 7}}', '{"type": "progress", "data": null}')
    about_us = f'{{"type": "progress", "data": {{"prompt_id": "{PROMPT}", "node": ["x"], "value": NaN, "max": "y"}}}}'

    async with replay(FLUX) as (comfy, server):
        server.switches.noise = (*noise, about_us, b"\0\0\0\1\0\0\0\1preview")

        pictures = await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert (server.picture,) == pictures


async def test_a_message_too_large_costs_the_socket_but_not_the_picture(replay: Replay) -> None:
    async with replay(FLUX, SMALL) as (comfy, server):
        server.switches.noise = ('"' + "x" * 60_000 + '"',)

        pictures = await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert (server.picture,) == pictures


@pytest.mark.parametrize("content", [b"<html>gone</html>", b"", PNG + bytes(60_000)])
async def test_what_is_no_picture_or_too_large_is_not_taken(replay: Replay, content: bytes) -> None:
    async with replay(FLUX, SMALL) as (comfy, server):
        server.switches.answers["/view"] = web.Response(body=content, content_type="image/png")

        with pytest.raises(ComfyUnavailable, match="/view"):
            await comfy.paint(GRAPH, PROMPT, on_progress=ignore)


@pytest.mark.parametrize("path", ["/view", "/ws"])
async def test_a_redirect_is_not_followed(replay: Replay, path: str) -> None:
    """A rented machine has no say in whom this process talks to."""
    async with replay(FLUX, HASTY) as (comfy, server):
        server.switches.answers[path] = web.Response(status=302, headers={"Location": "/system_stats"})

        with pytest.raises(ComfyUnavailable):
            await comfy.paint(GRAPH, PROMPT, on_progress=ignore)

    assert "GET /system_stats" not in server.requests


async def test_a_server_that_takes_a_request_and_says_nothing_is_given_up(replay: Replay) -> None:
    async with replay(FLUX, HASTY) as (comfy, server):
        server.switches.mute.add("/system_stats")

        with pytest.raises(ComfyUnavailable, match="no answer in time"):
            await comfy.stats()


async def test_a_bearer_is_sent_with_everything_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server = ReplayServer("empty_image")
    async with serving_at_a_port(server) as url, connect_url(url, token="s3cret-s3cret", limits=PATIENT) as comfy:
        await comfy.paint(recorded_graph("empty_image"), PROMPT, on_progress=ignore)
        server.switches.answers["/system_stats"] = web.Response(status=401)
        with pytest.raises(ComfyUnavailable) as refused:
            await comfy.stats()

    assert {"Bearer s3cret-s3cret"} == {headers["Authorization"] for headers in server.headers}
    assert "s3cret" not in f"{refused.value!r}{caplog.text}"
