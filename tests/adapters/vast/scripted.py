"""A small server that speaks as Vast does and can be told to say anything else."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.adapters.vast.specification import faults_of_answer, faults_of_request

KEY = "5c21b1ee0f1d42d3a3a6a1c8d0e7f7b95c21b1ee0f1d42d3a3a6a1c8d0e7f7b9"
ROUTES = (
    ("search", "POST", r"/api/v0/bundles/"),
    ("launch", "PUT", r"/api/v0/asks/(\d+)/"),
    ("list", "GET", r"/api/v1/instances/"),
    ("show", "GET", r"/api/v0/instances/(\d+)/"),
    ("terminate", "DELETE", r"/api/v0/instances/(\d+)/"),
    ("keys", "GET", r"/api/v0/ssh/"),
    ("add_key", "POST", r"/api/v0/ssh/"),
    ("attach", "POST", r"/api/v0/instances/(\d+)/ssh/"),
    ("account", "GET", r"/api/v0/users/current/"),
)
DATA = Path(__file__).parents[2] / "data" / "vast"
EVERYTHING = tuple(name for name, _, _ in ROUTES)
PAGE = 25
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "gte": lambda value, wanted: value is not None and value >= wanted,
    "in": lambda value, wanted: value in wanted,
}


def recorded(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """
    What to answer instead of the truth.

    Attributes:
        body: JSON, or bytes as they are.
        acts: Whether what was asked for happens all the same.
        then: `send` it, `drop` the connection instead, send `half` of it and drop, or `hang` for ever.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    acts: bool = False
    then: str = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that came in."""

    operation: str
    number: int
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]


@dataclass(slots=True)
class ScriptedVast:
    """
    One account at one cloud.

    Attributes:
        offers: What can be rented; what was taken once is refused from then on.
        faults: What was wrong with requests and answers by the specification.
        scripts: Replies to come, by operation; the last one stays if it is in *for_ever*.
    """

    offers: dict[int, dict[str, Any]] = field(default_factory=dict)
    instances: dict[int, dict[str, Any]] = field(default_factory=dict)
    ssh_keys: list[str] = field(default_factory=list)
    attached: list[tuple[int, str]] = field(default_factory=list)
    credit: float = 25.0
    seen: list[Seen] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    scripts: dict[str, list[Reply]] = field(default_factory=dict)
    for_ever: dict[str, Reply] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def script(self, operation: str, *replies: Reply) -> None:
        """Answer the next calls of *operation* with *replies*, then tell the truth again."""
        self.scripts.setdefault(operation, []).extend(replies)

    def always(self, reply: Reply, *operations: str) -> None:
        self.for_ever.update(dict.fromkeys(operations or EVERYTHING, reply))

    def count(self, operation: str) -> int:
        return sum(seen.operation == operation for seen in self.seen)

    def last(self, operation: str) -> Seen:
        return next(seen for seen in reversed(self.seen) if seen.operation == operation)

    def stock(self, count: int) -> None:
        """Put *count* offers on the market, each on a machine and a host of its own."""
        usual = recorded("offers")["offers"][0]
        for number in range(1000, 1000 + count):
            own = {"id": number, "ask_contract_id": number, "machine_id": 7 * number, "host_id": 3 * number}
            self.offers[number] = {**usual, **own, "dph_base": round(usual["dph_base"] + 0.001 * (number - 1000), 6)}

    def run(self, number: int) -> None:
        """Let a machine run."""
        shown = recorded("instance_running")
        running = {name: shown[name] for name in ("actual_status", "status_msg", "uptime_mins", "ports")}
        self.instances[number].update(running)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        operation, number = _route(request)
        text = await request.text()
        body = json.loads(text) if text else None
        seen = Seen(
            operation=operation, number=number, query=dict(request.query), body=body, headers=dict(request.headers)
        )
        self.seen.append(seen)
        self.arrived.set()
        if operation != "unknown":
            self.faults += faults_of_request(operation, seen.query, body)
        waiting = self.scripts.get(operation)
        reply = waiting.pop(0) if waiting else self.for_ever.get(operation)
        if reply is None:
            return self._truth(seen)
        if reply.acts:
            truth = self._truth(seen)
            reply = reply if reply.body is not None else Reply(body=truth.body, then=reply.then)
        return await _play(reply, request)

    def _truth(self, seen: Seen) -> web.Response:
        if seen.operation == "unknown":
            return web.json_response({"success": False, "msg": "Not found"}, status=404)
        if seen.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"success": False, "error": "auth_error", "msg": "Invalid user key"}, status=404)
        status, body = getattr(self, f"_{seen.operation}")(seen)
        self.faults += faults_of_answer(seen.operation, status, body)
        return web.json_response(body, status=status)

    def _search(self, seen: Seen) -> tuple[int, Any]:
        filters = {name: tests for name, tests in seen.body.items() if isinstance(tests, dict)}
        known = {"verified": True, "external": False}
        found = [
            offer
            for offer in self.offers.values()
            if all(
                OPERATORS[name]({**known, **offer}.get(column), wanted)
                for column, tests in filters.items()
                for name, wanted in tests.items()
            )
        ]
        disk = seen.body["allocated_storage"]
        return 200, {"offers": sorted((_priced(offer, disk) for offer in found), key=lambda o: o["dph_total"])[:64]}

    def _launch(self, seen: Seen) -> tuple[int, Any]:
        if self.credit <= 0:
            return 400, {"success": False, "error": "insufficient_credit", "msg": "no credit"}
        if seen.number not in self.offers:
            message = f"error 404/3603: no_such_ask Instance type by id {seen.number} is not available."
            return 404, {"success": False, "error": "invalid_args", "msg": message, "ask_id": seen.number}
        offer = _priced(self.offers.pop(seen.number), seen.body["disk"])
        number = 5000 + self.count("launch")
        own = {name: offer[name] for name in ("machine_id", "host_id", "gpu_name", "dph_base", "dph_total")}
        asked = {"label": seen.body["label"], "image_uuid": seen.body["image"], "disk_space": seen.body["disk"]}
        self.instances[number] = {**recorded("instance_loading"), "id": number, "actual_status": None, **own, **asked}
        return 200, {**recorded("launched"), "new_contract": number}

    def _list(self, seen: Seen) -> tuple[int, Any]:
        after = int(seen.query.get("after_token", "after 0").split()[1])
        rows = [row for number, row in sorted(self.instances.items()) if number > after]
        page = rows[: min(PAGE, int(seen.query["limit"]))]
        token = f"after {page[-1]['id']}" if len(page) < len(rows) else None
        return 200, {
            "success": True,
            "instances_found": len(page),
            "total_instances": len(self.instances),
            "label_counts": {},
            "next_token": token,
            "instances": page,
        }

    def _show(self, seen: Seen) -> tuple[int, Any]:
        return 200, {"instances": self.instances.get(seen.number)}

    def _terminate(self, seen: Seen) -> tuple[int, Any]:
        if self.instances.pop(seen.number, None) is None:
            return 404, {"success": False, "error": "no_such_instance", "msg": f"No instance {seen.number}."}
        return 200, {"success": True, "msg": "destroyed"}

    def _keys(self, seen: Seen) -> tuple[int, Any]:
        if not self.ssh_keys:
            return 404, {"success": False, "msg": "no keys"}
        keys = enumerate(self.ssh_keys, 1)
        return 200, [{"id": i, "user_id": 1, "key": k, "created_at": "2026-08-01", "deleted_at": None} for i, k in keys]

    def _add_key(self, seen: Seen) -> tuple[int, Any]:
        self.ssh_keys.append(seen.body["ssh_key"])
        return 200, {"success": True, "key": {"id": len(self.ssh_keys), "public_key": seen.body["ssh_key"]}}

    def _attach(self, seen: Seen) -> tuple[int, Any]:
        self.attached.append((seen.number, seen.body["ssh_key"]))
        return 200, {"success": True, "msg": "SSH key attached successfully"}

    def _account(self, seen: Seen) -> tuple[int, Any]:
        return 200, {**recorded("account"), "credit": self.credit}


def _priced(offer: dict[str, Any], disk_gb: float) -> dict[str, Any]:
    return {**offer, "dph_total": round(offer["dph_base"] + disk_gb * offer["storage_cost"] / 720, 6)}


def _route(request: web.Request) -> tuple[str, int]:
    for name, method, path in ROUTES:
        match = re.fullmatch(path, request.path)
        if match and request.method == method:
            return name, int(match[1]) if match.groups() else 0
    return "unknown", 0


async def _play(reply: Reply, request: web.Request) -> web.StreamResponse:
    raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    if reply.then == "hang":
        await asyncio.Event().wait()
    assert request.transport is not None
    if reply.then == "drop":
        request.transport.abort()
    response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    response.content_length = len(raw)
    await response.prepare(request)
    if reply.then == "half":
        await response.write(raw[: len(raw) // 2])
        request.transport.close()
        return response
    await response.write(raw)
    await response.write_eof()
    return response


@asynccontextmanager
async def serving() -> AsyncIterator[ScriptedVast]:
    """Run one on loopback; whatever it still hangs on is cut at the end."""
    vast = ScriptedVast()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", vast.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1, access_log=None)
    vast.url = str(server.make_url("")).rstrip("/")
    try:
        yield vast
    finally:
        await server.close()
