"""RunPod's job API of the sandbox, served on loopback with a witness beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import aiohttp
from aiohttp.test_utils import TestServer

from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.inference.runpod_serverless.public import RunPodPublic
from orchestrator.adapters.inference.runpod_serverless.worker import RunPodServerless
from orchestrator.sandbox.runpod_serverless import app
from orchestrator.sandbox.runpod_serverless.desk import Desk
from orchestrator.sandbox.runpod_serverless.server import DESK
from tests.adapters.runpod_serverless.specification import Witness
from tests.adapters.sketchbook import Sketchbook

KEY = "rpa_THEKEYOFTHISACCOUNT0000000000000000"
ENDPOINT = "e1ndp0int"
SPEED = 1000.0
SHORT = timedelta(seconds=0.3)
QUICK = Limits(
    poll=timedelta(seconds=0.01),
    longest_poll=timedelta(seconds=0.03),
    queue=timedelta(seconds=1),
    json_bytes=2**16,
)
IMPATIENT = replace(QUICK, order=SHORT, answer=SHORT, transfer=SHORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    url: str
    desk: Desk
    witness: Witness
    session: aiohttp.ClientSession

    def worker(self, *, key: str = KEY, limits: Limits = QUICK) -> RunPodServerless:
        return RunPodServerless(url=self.url, endpoint=ENDPOINT, key=key, session=self.session, limits=limits)

    def public(self, *, key: str = KEY, limits: Limits = QUICK) -> RunPodPublic:
        return RunPodPublic(url=self.url, key=key, session=self.session, limits=limits)


@asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    """Serve inside the block; afterwards, whatever was said must be what the pages allow."""
    made, witness = app(Sketchbook(speed=SPEED), KEY), Witness()
    made.middlewares.append(witness.listen)
    async with (
        TestServer(made, handler_cancellation=True, shutdown_timeout=0.2) as server,
        aiohttp.ClientSession() as session,
    ):
        yield Service(url=f"http://127.0.0.1:{server.port}", desk=made[DESK], witness=witness, session=session)
    assert not witness.faults, witness.faults
