"""RunPod's API as a small server: who may ask, and what goes wrong before anybody listens."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from orchestrator.sandbox.cloud import Cloud
from orchestrator.sandbox.gate import loopback_only
from orchestrator.sandbox.machine import Machine
from orchestrator.sandbox.runpod.graphql_api import GraphqlApi
from orchestrator.sandbox.runpod.pods import FIRST_VOLUME, Pods, Problem
from orchestrator.sandbox.runpod.rest import RestApi, reply
from orchestrator.sandbox.runpod.troubles import Trouble
from orchestrator.sandbox.struck import TROUBLES, Struck

PODS = web.AppKey("pods", Pods)

LARGEST_BODY = 2**20
RETRY_AFTER_S = 12
HANGS_S = 3600
LONG_ANSWER = 2**23 + 1
POLICY = '"minute";q=60;w=60, "hour";q=3000;w=3600, "day";q=50000;w=86400'
LEFT = '"minute";r=59;t=60, "hour";r=2999;t=3600, "day";r=49999;t=86400'
NONE_LEFT = f'"minute";r=0;t={RETRY_AFTER_S}, "hour";r=2940;t=3400, "day";r=49940;t=86000'

Handle = Callable[[web.Request], Awaitable[web.Response]]


def app(cloud: Cloud, key: str) -> web.Application:
    """
    Serve RunPod's API over *cloud*.

    Args:
        key: The account's.
    """
    pods, troubles = Pods(cloud=cloud), Struck(Trouble)
    pods.add_volume(*FIRST_VOLUME)
    gate, rest = _Gate(pods=pods, key=key, troubles=troubles), RestApi(pods, troubles)
    served = web.Application(middlewares=[loopback_only], client_max_size=LARGEST_BODY)
    served[TROUBLES], served[PODS] = troubles, pods
    served.router.add_get("/v2/catalog/gpus", gate.guard(rest.gpus))
    served.router.add_get("/v2/network-volumes", gate.guard(rest.volumes))
    served.router.add_get("/v2/pods", gate.guard(rest.list))
    served.router.add_post("/v2/pods", gate.guard(rest.create))
    served.router.add_get("/v2/pods/{id}", gate.guard(rest.show))
    served.router.add_delete("/v2/pods/{id}", gate.guard(rest.delete))
    served.router.add_post("/v2/pods/{id}/action", gate.guard(rest.act))
    served.router.add_post("/graphql", gate.graphql)
    served.router.add_route("*", "/{rest:.*}", gate.guard(_nothing))
    return served


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    pods: Pods
    key: str
    troubles: Struck[Trouble]

    def guard(self, handle: Handle) -> Handle:
        """Wrap an operation of REST: the account's key alone gets to it, a pod's own does not."""

        async def serve(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                answer = await self._misbehave() or await handle(request)
            except Problem as problem:
                answer = _problem(problem)
            except ValueError:  # a number in the query that is none
                answer = _problem(Problem(400, "bad request"))
            left = NONE_LEFT if answer.status == 429 or self.troubles.take(Trouble.QUOTA_ENDS) else LEFT
            answer.headers.update({"RateLimit-Policy": POLICY, "RateLimit": left})
            return answer

        return serve

    async def graphql(self, request: web.Request) -> web.Response:
        """Answer whoever asks; what a key may do is decided field by field."""
        given = _bearer(request)
        owner = self._owner(given)
        has_account = given is not None and _same(given, self.key)
        if given is not None and owner is None and not has_account:
            return web.Response(status=401)
        try:
            failed = await self._misbehave()
            query = str(json.loads(await request.text())["query"])
        except Problem as problem:
            return _problem(problem)
        except (ValueError, KeyError, TypeError):
            return reply({"errors": [{"message": "POST body missing."}]}, status=400)
        api = GraphqlApi(pods=self.pods)
        return failed or reply(api.answer(query, owner=owner, has_account=has_account))

    def _admit(self, request: web.Request) -> None:
        given = _bearer(request)
        if given is None:
            raise Problem(401, "missing bearer token")
        if self._owner(given) is not None:
            raise Problem(403, "access denied")
        if not _same(given, self.key):
            raise Problem(401, "invalid bearer token")

    def _owner(self, given: str | None) -> Machine | None:
        machines = self.pods.cloud.machines.values()
        return next((machine for machine in machines if given is not None and _same(given, machine.key)), None)

    async def _misbehave(self) -> web.Response | None:
        take = self.troubles.take
        if take(Trouble.OUT_OF_ORDER):
            return web.Response(status=503, text="<html>maintenance</html>", content_type="text/html")
        if take(Trouble.TOO_OFTEN):
            wait = {"Retry-After": str(RETRY_AFTER_S)}
            raise Problem(429, "rate limit exceeded for the minute window", headers=wait)
        if take(Trouble.TOO_LONG):
            return web.Response(body=b" " * LONG_ANSWER, content_type="application/json")
        if take(Trouble.GARBLED):
            return web.Response(text='{"pods": [', content_type="application/json")
        if take(Trouble.SILENT):
            await asyncio.sleep(HANGS_S)
        return None


async def _nothing(request: web.Request) -> web.Response:
    raise Problem(404, f"no such operation: {request.path}")


def _problem(problem: Problem) -> web.Response:
    return web.Response(
        text=json.dumps(problem.body),
        status=problem.status,
        headers=dict(problem.headers),
        content_type="application/problem+json",
    )


def _bearer(request: web.Request) -> str | None:
    header = request.headers.get("Authorization", "")
    return header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
