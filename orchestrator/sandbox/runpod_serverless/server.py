"""The addresses of RunPod's job API, and what goes wrong before anybody works."""

import asyncio
import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from orchestrator.sandbox.gate import loopback_only
from orchestrator.sandbox.replies import Handler
from orchestrator.sandbox.runpod_serverless.desk import OVER, PUBLIC, Desk, Job
from orchestrator.sandbox.runpod_serverless.troubles import Trouble
from orchestrator.sandbox.struck import TROUBLES
from orchestrator.sandbox.studio import Studio

RUN_BYTES, RUNSYNC_BYTES = 10_000_000, 20_000_000
WAIT_S, LONGEST_WAIT_S = 90.0, 300.0
LOOK_S = 0.02
LONG = b" " * (4 * 1024 * 1024)
DESK = web.AppKey("desk", Desk)
_ENDPOINT = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
Operation = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


def app(studio: Studio, key: str) -> web.Application:
    """Serve ``/v2/{endpoint}/...``, and the pictures, for the one account that has *key*."""
    server = _Server(Desk(studio, time.monotonic), key)
    made = web.Application(middlewares=[loopback_only], client_max_size=RUNSYNC_BYTES)
    made[DESK], made[TROUBLES] = server.desk, server.desk.troubles
    made.add_routes(
        [
            web.post("/v2/{endpoint}/run", server.guard(server.run)),
            web.post("/v2/{endpoint}/runsync", server.guard(server.runsync)),
            web.get("/v2/{endpoint}/status/{id}", server.guard(server.status)),
            web.post("/v2/{endpoint}/cancel/{id}", server.guard(server.cancel)),
            web.post("/v2/{endpoint}/purge-queue", server.guard(server.purge)),
            web.get("/v2/{endpoint}/health", server.guard(server.health)),
            web.get("/pictures/{name}", server.picture),
        ]
    )
    return made


class _Refused(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def _said(status: int, words: str) -> web.Response:
    return web.json_response({"error": words}, status=status)


class _Server:
    def __init__(self, desk: Desk, key: str) -> None:
        self.desk = desk
        self._key = key

    def guard(self, operation: Operation) -> Handler:
        """Wrap an operation so that only the account gets to it, and not on a bad day."""

        async def serve(request: web.Request) -> web.StreamResponse:
            told = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(told.encode(), self._key.encode()):
                return web.Response(status=401)  # no body: seen with the vendor's own client
            endpoint = request.match_info["endpoint"]
            if not _ENDPOINT.fullmatch(endpoint) or self.desk.troubles.take(Trouble.ENDPOINT_GONE):
                return _said(404, "endpoint not found")
            try:
                return await self._misbehave() or await operation(request, endpoint)
            except _Refused as refused:
                return _said(refused.status, str(refused))

        return serve

    async def run(self, request: web.Request, endpoint: str) -> web.StreamResponse:
        job = await self._ordered(request, endpoint, RUN_BYTES)
        if self.desk.troubles.take(Trouble.ANSWER_LOST):
            assert request.transport is not None  # noqa: S101 - a request that was just read has one
            request.transport.abort()
        return web.json_response({"id": job.id, "status": "IN_QUEUE"})

    async def runsync(self, request: web.Request, endpoint: str) -> web.StreamResponse:
        """Wait for the end, as long as was asked for; then say how far it is."""
        job = await self._ordered(request, endpoint, RUNSYNC_BYTES)
        wait_s = min(float(request.query.get("wait", WAIT_S * 1000)) / 1000, LONGEST_WAIT_S) / self.desk.studio.speed
        until = time.monotonic() + wait_s
        while True:
            told = await self._told(job, request)
            if told["status"] in OVER or time.monotonic() > until:
                return web.json_response(told)
            await asyncio.sleep(LOOK_S)

    async def status(self, request: web.Request, endpoint: str) -> web.StreamResponse:
        job = self._job(request, endpoint)
        return web.json_response(await self._told(job, request))

    async def cancel(self, request: web.Request, endpoint: str) -> web.StreamResponse:
        job = self._job(request, endpoint)
        await self._told(job, request)
        self.desk.cancel(job)
        return web.json_response({"id": job.id, "status": job.ended})

    async def purge(self, _: web.Request, endpoint: str) -> web.StreamResponse:
        """Running jobs go on."""
        waiting = [
            job
            for job in self.desk.jobs.values()
            if job.endpoint == endpoint and not job.ended and self.desk.now < job.begins
        ]
        for job in waiting:
            self.desk.cancel(job)
        return web.json_response({"removed": len(waiting), "status": "completed"})

    async def health(self, _: web.Request, __: str) -> web.StreamResponse:
        """One account has one set of workers here."""
        return web.json_response(self.desk.health())

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """Anybody who has the address may read it; a key sent here would be a key given away."""
        picture = self.desk.pictures.get(request.match_info["name"])
        if picture is None or "Authorization" in request.headers or self.desk.troubles.take(Trouble.PICTURE_GONE):
            return web.Response(status=404)
        return web.Response(body=picture, content_type="image/png")

    async def _ordered(self, request: web.Request, endpoint: str, most: int) -> Job:
        if self.desk.troubles.take(Trouble.TOO_OFTEN):
            raise _Refused(429, "too many requests")
        if self.desk.troubles.take(Trouble.NO_MONEY):
            raise _Refused(402, "insufficient balance: add funds to your account")
        raw = await request.read()
        try:
            body: Any = json.loads(raw)
        except ValueError:
            body = None
        if len(raw) > most or not isinstance(body, dict) or not isinstance(body.get("input"), dict):
            raise _Refused(400, "invalid request body")
        fault = _fault_of_public(body["input"]) if endpoint == PUBLIC else ""
        if fault:
            raise _Refused(400, fault)
        return self.desk.take(endpoint, body)

    async def _misbehave(self) -> web.StreamResponse | None:
        troubles = self.desk.troubles
        if troubles.take(Trouble.SILENT):
            await asyncio.Event().wait()
        if troubles.take(Trouble.OUT_OF_ORDER):
            return _said(500, "internal server error")
        if troubles.take(Trouble.GARBLED):
            return web.Response(text='{"id": "job-', content_type="application/json")
        if troubles.take(Trouble.TOO_LONG):
            return web.Response(body=LONG, content_type="application/json")
        return None

    def _job(self, request: web.Request, endpoint: str) -> Job:
        job = self.desk.find(endpoint, request.match_info["id"])
        if job is None:
            raise _Refused(404, "job not found")
        return job

    async def _told(self, job: Job, request: web.Request) -> dict[str, Any]:
        return await self.desk.told(job, f"http://{request.host}")


def _fault_of_public(given: dict[str, Any]) -> str:
    """The limits of the public endpoint's page."""
    if not str(given.get("prompt", "")).strip():
        return "prompt is required"
    for side in ("width", "height"):
        length = given.get(side)
        if not isinstance(length, int) or not 256 <= length <= 1536 or length % 64:
            return f"{side} must be between 256 and 1536, in steps of 64"
    steps = given.get("num_inference_steps", 4)
    return "" if isinstance(steps, int) and 1 <= steps <= 8 else "num_inference_steps must be between 1 and 8"
