"""The sandbox's RunPod on loopback, held against the specification with each request and each answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.runpod.cloud import RunPodCloud
from orchestrator.domain.ids import CloudRef
from orchestrator.ports.clock import Clock
from orchestrator.sandbox.cloud import Cloud
from orchestrator.sandbox.machine import Machine
from orchestrator.sandbox.replies import Handler
from orchestrator.sandbox.runpod import Trouble, app
from orchestrator.sandbox.runpod.pods import Pods, pod_id
from orchestrator.sandbox.runpod.server import PODS
from orchestrator.sandbox.struck import TROUBLES, Struck
from tests.adapters.runpod.specification import faults_of_answer, faults_of_request, operation_of
from tests.adapters.sandbox_cloud import sandbox_cloud

KEY = "rpa_5C21B1EE0F1D42D3A3A6A1C8D0E7F7B95C21B1EE"
SPEED = 50.0
"""A pod boots in tens of milliseconds."""
HOSTS = 60
LIMIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    operation: str
    body: Any
    status: int


@dataclass(slots=True, kw_only=True)
class World:
    """
    One account at the sandbox's RunPod.

    Attributes:
        faults: What was wrong with requests and answers by the specification.
    """

    url: str
    cloud: Cloud
    pods: Pods
    troubles: Struck[Trouble]
    session: aiohttp.ClientSession
    seen: list[Seen]
    faults: list[str]

    def open(
        self,
        *,
        key: str = KEY,
        volume: str = "",
        limits: Limits | None = None,
        pace: float = 0,
        clock: Clock | None = None,
    ) -> RunPodCloud:
        return RunPodCloud(
            url=self.url, key=key, session=self.session, volume=volume, limits=limits, pace=pace, clock=clock
        )

    def count(self, operation: str) -> int:
        return sum(seen.operation == operation for seen in self.seen)

    def machine(self, ref: CloudRef | str) -> Machine:
        return next(machine for machine in self.cloud.machines.values() if pod_id(machine.id) == ref)

    async def until_gone(self, ref: CloudRef | str) -> None:
        async with asyncio.timeout(LIMIT_S):
            while any(pod_id(number) == ref for number in self.cloud.machines):
                await asyncio.sleep(0.005)

    async def until_running(self, ref: CloudRef | str) -> None:
        async with asyncio.timeout(LIMIT_S):
            while self.machine(ref).status != "running":
                await asyncio.sleep(0.005)


@dataclass(slots=True)
class _Watcher:
    seen: list[Seen] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text) if text else None
        operation = operation_of(request.method, request.path)
        seen = Seen(operation=operation or request.path, body=body, status=0)
        self.seen.append(seen)
        answer = await handler(request)
        if operation is None:
            return answer
        asked = faults_of_request(operation, dict(request.query), body)
        if asked and answer.status < 400:
            self.faults += asked
        said = answer.text if isinstance(answer, web.Response) and answer.body else None
        if answer.content_type in {"application/json", "application/problem+json"} and said is not None:
            self._check(operation, answer.status, said)
        return answer

    def _check(self, operation: str, status: int, said: str) -> None:
        try:
            answer = json.loads(said)
        except ValueError:
            return
        self.faults += faults_of_answer(operation, status, answer)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """Serve it; the machines end with the block."""
    async with (
        aiohttp.ClientSession() as session,
        sandbox_cloud(hosts=HOSTS, speed=SPEED, first_contract=1_600_000_000) as cloud,
    ):
        watcher, application = _Watcher(), app(cloud, KEY)
        application.middlewares.append(watcher.watch)
        async with TestServer(application, host="127.0.0.1") as server:
            yield World(
                url=str(server.make_url("")),
                cloud=cloud,
                pods=application[PODS],
                troubles=application[TROUBLES],
                session=session,
                seen=watcher.seen,
                faults=watcher.faults,
            )
