from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from orchestrator.adapters.clouds.lambda_labs.cloud import LambdaCloud
from tests.adapters.lambda_labs.serving import KEY, Lambda, serving

OpenLambda = Callable[..., LambdaCloud]


@pytest.fixture
async def server() -> AsyncIterator[Lambda]:
    """Serve one account; requests and truthful answers must be what the specification allows."""
    async with serving() as server:
        yield server
    assert server.faults == []


@pytest.fixture
async def open_lambda(server: Lambda) -> AsyncIterator[OpenLambda]:
    """Build adapters that share one session."""
    async with aiohttp.ClientSession() as session:

        def build(*, key: str = KEY, pace: float = 0) -> LambdaCloud:
            return LambdaCloud(url=server.url, key=key, session=session, pace=pace)

        yield build


@pytest.fixture
def cloud(open_lambda: OpenLambda) -> LambdaCloud:
    return open_lambda()
