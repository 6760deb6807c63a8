"""Whoever plays ComfyUI keeps the promises of the port: the recorded server and the sandbox's painter."""

import asyncio
import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.adapters.comfyui import ComfyUiConnector, connect_url
from orchestrator.domain.workflows import Graph
from orchestrator.sandbox.comfyui.executor import Pace
from orchestrator.sandbox.comfyui.server import ServerSettings, open_server
from orchestrator.sandbox.models import make_models
from tests.adapters.comfyui.conftest import PATIENT
from tests.adapters.comfyui.replay import ReplayServer, recorded_graph, serving
from tests.contract.comfy_suite import ComfyContract, Subject

FLUX = "flux_lora_second_seed"
SLOW_S = 15.0
STEPS = 50


def seeded(seed: int, **changes: int) -> Graph:
    graph = copy.deepcopy(recorded_graph(FLUX))
    graph["sampler"]["inputs"].update(seed=seed, **changes)
    return graph


def without_a_model() -> Graph:
    graph = seeded(1)
    graph["unet"]["inputs"]["unet_name"] = "nope.safetensors"
    return graph


class TestRecordedServer(ComfyContract):
    @pytest.fixture
    async def subject(self, tmp_path: Path) -> AsyncIterator[Subject]:
        socket = tmp_path / "comfyui.sock"
        async with serving(ReplayServer(FLUX), socket) as server, ComfyUiConnector(PATIENT).connect(socket) as comfy:

            def slow(seed: int) -> Graph:
                server.switches.hold_at = 4
                return seeded(seed)

            async def let_go() -> None:
                server.released.set()

            async def started() -> None:
                await server.held.wait()

            yield Subject(
                comfy=comfy,
                good=seeded,
                refused=without_a_model(),
                slow=slow,
                started=started,
                let_go=let_go,
            )


class TestPainter(ComfyContract):
    @pytest.fixture
    async def subject(self, tmp_path: Path) -> AsyncIterator[Subject]:
        make_models(tmp_path / "models")
        pace = Pace(sampling_s=0.0, loading_s=0.0)
        settings = ServerSettings(listen="127.0.0.1", port=0, base=tmp_path, pace=pace)
        async with (
            open_server(settings) as url,
            aiohttp.ClientSession() as http,
            connect_url(url, limits=PATIENT) as comfy,
        ):
            let_go_of = asyncio.Event()

            def slow(seed: int) -> Graph:
                if not let_go_of.is_set():
                    _set_pace(pace, SLOW_S)
                return seeded(seed, steps=STEPS)

            async def let_go() -> None:
                let_go_of.set()
                _set_pace(pace, 0.0)

            async def started() -> None:
                while not (await _json(http, f"{url}/queue"))["queue_running"]:
                    await asyncio.sleep(0.01)

            yield Subject(
                comfy=comfy,
                good=seeded,
                refused=without_a_model(),
                slow=slow,
                started=started,
                let_go=let_go,
            )


def _set_pace(pace: Pace, sampling_s: float) -> None:
    """The painter reads its pace at each step, so a run can be let go in the middle; nobody but a test wants that."""
    object.__setattr__(pace, "sampling_s", sampling_s)


async def _json(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url) as response:
        return await response.json()
