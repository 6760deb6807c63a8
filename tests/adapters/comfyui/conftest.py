from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.comfyui import ComfyLimits, ComfyUiConnector
from orchestrator.ports.comfy import Comfy
from tests.adapters.comfyui.replay import ReplayServer, serving

Replayed = tuple[Comfy, ReplayServer]
Replay = Callable[..., AbstractAsyncContextManager[Replayed]]

PATIENT = ComfyLimits(
    reopen_pause=timedelta(seconds=0.01), settle=timedelta(seconds=0.01), poll=timedelta(seconds=0.02)
)
"""For what works in the end, however slow this computer is."""

HASTY = replace(
    PATIENT,
    answer=timedelta(seconds=0.3),
    transfer=timedelta(seconds=0.3),
    opening=timedelta(seconds=0.3),
)
"""For servers that do not answer."""

WATCHFUL = replace(
    PATIENT,
    silence=timedelta(seconds=0.02),
    hang=timedelta(seconds=0.1),
    foreign=timedelta(seconds=0.1),
)
"""For prompts that hang."""

SMALL = replace(PATIENT, json_bytes=50_000, message_bytes=50_000, picture_bytes=50_000, prompt_bytes=120_000)
"""For servers that flood."""


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """A recording behind a Unix socket, and a connection to it."""

    @asynccontextmanager
    async def open_replay(name: str, limits: ComfyLimits = PATIENT) -> AsyncIterator[Replayed]:
        socket = tmp_path / "comfyui.sock"
        async with serving(ReplayServer(name), socket) as server, ComfyUiConnector(limits).connect(socket) as comfy:
            yield comfy, server

    return open_replay
