from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.vast.cloud import VastCloud
from tests.adapters.vast.scripted import KEY, ScriptedVast, serving

OpenVast = Callable[..., VastCloud]


@pytest.fixture
async def vast() -> AsyncIterator[ScriptedVast]:
    """Serve one account; requests and truthful answers must be what the specification allows."""
    async with serving() as scripted:
        yield scripted
    assert scripted.faults == []


@pytest.fixture
async def open_vast(vast: ScriptedVast) -> AsyncIterator[OpenVast]:
    """Build adapters that share one session."""
    async with aiohttp.ClientSession() as session:

        def build(*, key: str = KEY, limits: Limits | None = None, pace: float = 0, **more: object) -> VastCloud:
            settings = {"url": vast.url, **more}
            return VastCloud(key=key, session=session, limits=limits, pace=pace, **settings)  # type: ignore[arg-type]

        yield build


@pytest.fixture
def cloud(open_vast: OpenVast) -> VastCloud:
    return open_vast()
