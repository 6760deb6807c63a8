"""What live tests need: the settings, with real vendors alone, and a cap."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from orchestrator.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings().model_copy(update={"data": tmp_path, "sandbox_url": ""})


@pytest.fixture
def cap_usd() -> float:
    if "GLOWPLUG_LIVE_CAP_USD" not in os.environ:
        pytest.skip("GLOWPLUG_LIVE_CAP_USD does not say how many dollars may be spent at each vendor")
    return float(os.environ["GLOWPLUG_LIVE_CAP_USD"])


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
