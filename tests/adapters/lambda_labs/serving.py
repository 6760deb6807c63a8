"""The sandbox's Lambda Cloud, held against the specification while it is asked."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Middleware

from orchestrator.sandbox.lambda_labs import ACCOUNT, app
from orchestrator.sandbox.lambda_labs.account import Account
from orchestrator.sandbox.replies import Handler
from tests.adapters.lambda_labs.specification import faults_of_answer, faults_of_request
from tests.adapters.sandbox_cloud import now_of_this_computer, sandbox_cloud

KEY = "secret_glowplug-suite_5a4db0c5a4db0c5a4db0c5a4db0c5a4d.xYz"
SPEED = 200.0
HOSTS = 70
"""So that each type has one machine in each region, and there are enough of them."""


@dataclass(frozen=True, kw_only=True)
class Lambda:
    """
    A running fake.

    Attributes:
        faults: What the specification has against requests, and against answers that nobody was told to spoil.
    """

    url: str
    account: Account
    faults: list[str]


@asynccontextmanager
async def serving(
    *, has_limits: bool = False, now: Callable[[], float] = now_of_this_computer
) -> AsyncIterator[Lambda]:
    async with sandbox_cloud(hosts=HOSTS, speed=SPEED, now=now) as cloud:
        fake, faults = app(cloud, KEY, has_limits=has_limits), list[str]()
        fake.middlewares.insert(0, _held(faults))
        async with TestServer(fake, shutdown_timeout=0.1) as server:
            yield Lambda(url=str(server.make_url("")).rstrip("/"), account=fake[ACCOUNT], faults=faults)


def _held(faults: list[str]) -> Middleware:
    @web.middleware
    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        operation, text = request.match_info.route.name or "", await request.text()
        faults.extend(faults_of_request(operation, request.query, json.loads(text) if text else None))
        answer = await handler(request)
        if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
            with contextlib.suppress(ValueError):  # it was told to spoil it
                faults.extend(faults_of_answer(operation, answer.status, json.loads(answer.body)))
        return answer

    return hold
