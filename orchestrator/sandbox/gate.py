"""Who may ask, how often, and what goes wrong before anybody listens."""

import asyncio
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from orchestrator.faults import Fault
from orchestrator.sandbox.cloud import Cloud, Refusal
from orchestrator.sandbox.query import QueryError
from orchestrator.sandbox.replies import OURS, Handler, Route, refuse, reply

THRESHOLDS_S: Mapping[str, float] = {
    "list": 1.0,
    "show": 2.0,
    "create": 4.5,
    "destroy": 3.0,
    "manage": 1.0,
    "reboot": 1.0,
    "search": 6.0,
    "ssh": 1.0,
}
"""Shortest time between two calls of one operation with one key, as documented in 2026-08."""

LOCAL_NAMES = {"127.0.0.1", "localhost"}
GARBAGE = "<!doctype html><html><body><h1>We'll be right back</h1></body></html>"
QUOTA_RESET_S = 3600


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep web pages out: a name that merely resolves to us, or a page of another origin, gets nothing."""
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    if urlsplit(f"//{host}").hostname not in LOCAL_NAMES or origin not in {None, f"http://{host}"}:
        return reply({"success": False, "error": "forbidden", "msg": "This server is for this computer."}, status=403)
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return reply({"success": False, "msg": "Not found"}, status=404)


@dataclass(slots=True, kw_only=True)
class Gate:
    """
    Stands before every operation.

    Attributes:
        key: The account's.
        has_limits: Whether calls that come too often are refused.
        last_request: When somebody last asked for anything, on the monotonic clock.
    """

    key: str
    cloud: Cloud
    has_limits: bool
    last_request: float = field(default_factory=time.monotonic)
    _last_call: dict[tuple[str, str], float] = field(default_factory=dict)

    def guard(self, route: Route) -> Handler:
        """Wrap an operation so that only those who may get to it."""

        async def serve(request: web.Request) -> web.StreamResponse:
            self.last_request = time.monotonic()
            try:
                key = self._admit(request, route)
                self._limit(route.operation, key)
                return await self._misbehave(route.operation) or await route.handler(request)
            except Refusal as refusal:
                return refuse(refusal)
            except QueryError as error:
                return reply({"error": "invalid_request", "msg": f"Error in query parameters: {error}"}, status=400)

        return serve

    def _admit(self, request: web.Request, route: Route) -> str:
        """Check the key; a wrong one gets 404, as on the real cloud."""
        given = _bearer(request)
        if given is None and not route.needs_key:
            return ""
        if given is None:
            raise Refusal(403, "auth_error", "This action requires login.")
        if route.operation != OURS and self.cloud.troubles.take(Fault.KEY_REVOKED, operation=route.operation):
            raise Refusal(404, "auth_error", "Invalid user key")
        if _same(given, self.key):
            return given
        owner = next((machine for machine in self.cloud.machines.values() if _same(given, machine.key)), None)
        if owner is None:
            raise Refusal(404, "auth_error", "Invalid user key")
        if not route.for_machines or request.match_info.get("id") != str(owner.id):
            raise Refusal(403, "not_authorized", "This key may only manage its own instance.")
        return given

    def _limit(self, operation: str, key: str) -> None:
        threshold = THRESHOLDS_S.get(operation) if self.has_limits else None
        if threshold is None:
            return
        now, last = time.monotonic(), self._last_call.get((operation, key))
        self._last_call[operation, key] = now
        if last is not None and now - last < threshold:
            text = f"API requests too frequent: endpoint threshold={threshold}"
            raise web.HTTPTooManyRequests(text=text)

    async def _misbehave(self, operation: str) -> web.Response | None:
        if operation == OURS:
            return None
        strikes = self.cloud.troubles.take
        struck = next((fault for fault in _ANSWERS if strikes(fault, operation=operation)), None)
        if struck is None:
            return None
        if struck is Fault.API_HANGS:
            await asyncio.sleep(QUOTA_RESET_S)
        status, body, headers = _ANSWERS[struck]
        if struck is Fault.API_QUOTA:
            headers = {"X-RateLimit-Reset": str(int(self.cloud.now) + QUOTA_RESET_S)}
        kind = "application/json" if body.startswith("{") else "text/html" if body.startswith("<") else "text/plain"
        return web.Response(status=status, text=body, headers=headers, content_type=kind)


_ANSWERS: Mapping[Fault, tuple[int, str, Mapping[str, str]]] = {
    Fault.API_429: (429, "API requests too frequent", {}),
    Fault.API_429_RETRY_AFTER: (429, "API requests too frequent: endpoint threshold=1.0", {"Retry-After": "1"}),
    Fault.API_QUOTA: (
        429,
        '{"success": false, "error": "search_quota_exceeded", "msg": "Daily search quota exceeded"}',
        {},
    ),
    Fault.API_500: (500, '{"success": false, "error": "server_error", "msg": "Internal Server Error"}', {}),
    Fault.API_GARBAGE: (200, GARBAGE, {}),
    Fault.API_HANGS: (504, "Gateway Time-out", {}),
}


def _bearer(request: web.Request) -> str | None:
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        return header.removeprefix("Bearer ").strip()
    return request.query.get("api_key")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
