"""What a cold start does ahead for the person who waits, on a machine that is real but for its GPU."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from yarl import URL

from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.adapters.system import RandomIds, SystemClock
from orchestrator.control.ahead import Ahead, Waiting
from orchestrator.control.machine_agent import OnEvent, Progress
from orchestrator.domain.job import Job, OwnLora
from orchestrator.domain.stages import StageState, Step
from orchestrator.domain.workflows import check_values, encoding_graph, fill
from orchestrator.ports.host import Host
from orchestrator.sandbox.mirror import mirror_app
from orchestrator.sandbox.models import make_models
from tests.component.preparing import FAST, Stagehand, models_that_wait_for, stagehand
from tests.contract.samples import a_job

SOON = timedelta(seconds=5)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stagehand]:
    make_models(tmp_path / "models")
    async with stagehand(tmp_path, tmp_path / "models") as stage:
        yield stage


@pytest.fixture
async def host(stage: Stagehand) -> AsyncIterator[Host]:
    host = await stage.login()
    yield host
    await host.close()


def job_of(stage: Stagehand, *, lora: OwnLora | None = None, prompt: str = "a lighthouse") -> Job:
    values = check_values(stage.workflow, {"prompt": prompt}, seed=1)
    return replace(a_job(), workflow=stage.workflow.name, values=values, own_lora=lora)


def with_waiting(job: Job) -> Waiting:
    async def waiting() -> Job:
        return job

    return waiting


async def test_who_waits_is_given_the_first_picture_and_no_other_is_made(stage: Stagehand, host: Host) -> None:
    await stage.prepare(host, waiting=with_waiting(job_of(stage)))

    assert not stage.moves(Step.SMOKE)


async def test_prompt_is_encoded_while_the_larger_models_come_and_not_again_for_the_picture(
    stage: Stagehand, host: Host
) -> None:
    job = job_of(stage)
    async with models_that_wait_for(stage, Step.ENCODE):
        prepared = await stage.prepare(host, waiting=with_waiting(job))

    encoded, models = stage.last(Step.ENCODE), stage.last(Step.MODELS)
    assert encoded.state is StageState.DONE
    assert encoded.ended_at is not None
    assert models.ended_at is not None
    assert encoded.ended_at < models.ended_at

    graph = fill(stage.workflow, job.values)
    async with ComfyUiConnector().connect(await host.tunnel(prepared.comfyui_port)) as comfy:
        prompt = RandomIds(SystemClock()).prompt()
        assert await comfy.paint(graph, prompt, on_progress=lambda _: None)
    history = await host.run(f"curl -s 127.0.0.1:{prepared.comfyui_port}/history/{prompt}", limit=SOON)
    assert '"execution_cached", {"nodes": ["clip", "positive", "negative"]' in history.stdout


def lora_at(stage: Stagehand, url: str = "") -> OwnLora:
    """The LoRA that somebody has added: the file of one that the workflow has, at *url* if that is given."""
    known = next(iter(stage.workflow.loras.values()))
    assert known.sha256 is not None
    return OwnLora(
        name="mine",
        path="loras/mine.safetensors",
        url=url or known.urls[0],
        size_bytes=known.size_bytes,
        sha256=known.sha256,
        triggers="",
    )


def ahead_of(stage: Stagehand, host: Host, *, room: int = 0) -> Ahead:
    """For a person who waits with a LoRA of theirs."""
    return Ahead(
        host=host,
        workflow=stage.workflow,
        comfy=ComfyUiConnector(),
        ids=RandomIds(SystemClock()),
        waiting=with_waiting(job_of(stage, lora=lora_at(stage))),
        limit=SOON,
        room=room,
    )


def let_comfyui_wait_for(stage: Stagehand, path: str) -> None:
    """Have the machine's ComfyUI answer only when that model is there."""
    comfyui = stage.machine.programs / "comfyui"
    painter = comfyui.rename(comfyui.with_name("painter"))
    there = stage.machine.root / "comfyui" / "models" / path
    comfyui.write_text(f'#!/bin/sh\nwhile [ ! -e "{there}" ]; do sleep 0.05; done\nexec "{painter}" "$@"\n')
    comfyui.chmod(0o755)


async def test_lora_of_who_waits_is_fetched_beside_the_models(stage: Stagehand, host: Host) -> None:
    elsewhere = mirror_app(stage.models, bytes_per_s=FAST, bytes_per_s_per_connection=FAST)
    async with TestServer(elsewhere) as server, models_that_wait_for(stage, Step.LORA):
        own = lora_at(stage, str(server.make_url(URL(lora_at(stage).url).path)))
        let_comfyui_wait_for(stage, own.path)

        prepared = await stage.prepare(host, waiting=with_waiting(job_of(stage, lora=own)))

    lora, models = stage.last(Step.LORA), stage.last(Step.MODELS)
    assert lora.state is StageState.DONE
    assert lora.ended_at is not None
    assert models.ended_at is not None
    assert lora.ended_at < models.ended_at
    assert prepared.bytes_down >= own.size_bytes + sum(file.size_bytes for file in stage.workflow.files)


async def test_nothing_is_encoded_where_one_checkpoint_has_everything(stage: Stagehand, host: Host) -> None:
    ahead = ahead_of(stage, host)
    ahead.workflow = stage.workflow.as_variant("fp8")

    assert not await ahead.encode(port=1)


async def test_only_what_came_of_a_lora_came_by_the_link(stage: Stagehand, host: Host) -> None:
    """Some of it was there before, and some came twice, since it had the wrong checksum."""
    ahead = ahead_of(stage, host, room=2**30)

    async def fetch(_: Mapping[str, object], on_event: OnEvent) -> int:
        for done in (100, 130, 110, 150):
            await on_event(Progress(bytes_done=done, bytes_total=150, rate_bps=1))
        return 70

    ahead.note(Progress(bytes_done=0, bytes_total=1, rate_bps=0))

    assert await ahead.fetch_lora(fetch, SOON)
    assert ahead.came == ahead.fetched == 70


async def test_no_lora_takes_the_room_that_a_machine_needs(stage: Stagehand, host: Host) -> None:
    ahead = ahead_of(stage, host, room=lora_at(stage).size_bytes - 1)

    async def fetch(_: Mapping[str, object], on_event: OnEvent) -> int:
        raise AssertionError("it was asked for")

    ahead.note(Progress(bytes_done=0, bytes_total=1, rate_bps=0))

    assert not await ahead.fetch_lora(fetch, SOON)


async def test_lora_that_is_gone_costs_nothing(stage: Stagehand, host: Host) -> None:
    gone = lora_at(stage, f"{lora_at(stage).url}.gone")

    await stage.prepare(host, waiting=with_waiting(job_of(stage, lora=gone)))

    assert not stage.moves(Step.LORA)


async def test_models_do_not_wait_for_the_link_of_a_lora_that_says_nothing(stage: Stagehand, host: Host) -> None:
    writers: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        stuck = lora_at(stage, f"http://127.0.0.1:{port}/mine.safetensors")

        await stage.prepare(
            host,
            waiting=with_waiting(job_of(stage, lora=stuck)),
            silence=timedelta(seconds=4),
            link_silence=timedelta(seconds=15),
        )
        for writer in writers:
            writer.close()
            await writer.wait_closed()

    assert not stage.moves(Step.LORA)


async def test_of_a_graph_only_what_encodes_prompts_is_run_ahead(stage: Stagehand) -> None:
    graph = fill(stage.workflow, job_of(stage).values)

    assert set(encoding_graph(graph)) == {"clip", "positive", "negative", "positive shown", "negative shown"}
    assert encoding_graph({"1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}) == {}
