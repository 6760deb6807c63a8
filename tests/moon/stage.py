"""A server that answers as Moon's recordings do, as a stage of the contract suite."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.domain.ids import CloudRef
from orchestrator.ports.cloud import CloudProvider
from tests.contract.cloud_suite import Trouble
from tests.moon.cloud import MoonCloud

RECORDINGS = Path(__file__).parent / "recordings"
KEY, INTRUDERS_KEY = "moon-5c21b1ee0f1d42d3", "moon-0badc0de0badc0de"
PAGE = 10
HOSTS = 200
ORDERS = {Trouble.ANSWER_LOST, Trouble.ANSWER_CUT, Trouble.ANSWER_GARBLED, Trouble.ANSWER_EMPTY, Trouble.ANSWER_5XX}


def recorded(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.json").read_text())


class Server:
    """One account. Attributes: over: Set when the test is, so that nobody hangs on."""

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        self.over = asyncio.Event()
        self.machines: dict[int, dict[str, Any]] = {}
        self.taken: set[int] = set()
        self.orders = 0
        self.balance = recorded("account")["balance_usd"]

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        app.router.add_get("/stock", self._stock)
        app.router.add_get("/account", self._account)
        app.router.add_get("/machines", self._list)
        app.router.add_post("/machines", self._launch)
        app.router.add_get("/machines/{id}", self._show)
        app.router.add_delete("/machines/{id}", self._end)
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers["Authorization"] != f"Bearer {KEY}":
            return web.json_response({"error": "no such key"}, status=401)
        match self.trouble:
            case Trouble.SILENT:
                await self.over.wait()
            case Trouble.OUT_OF_ORDER:
                return web.Response(status=503)
            case Trouble.TOO_OFTEN:
                return web.Response(status=429, headers={"Retry-After": "9"})
            case Trouble.TOO_LONG:
                return web.Response(body=b" " * (2**20 + 1))
            case Trouble.GARBLED:
                return web.Response(body=b'{"stock": [')
            case _:
                pass
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _stock(self, _: web.Request) -> web.Response:
        one = recorded("stock")["stock"][0]
        return web.json_response({"stock": [one | {"id": i} for i in range(HOSTS) if i not in self.taken]})

    async def _account(self, _: web.Request) -> web.Response:
        return web.json_response({"balance_usd": self.balance})

    async def _list(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", -1))
        rest = [machine for ref, machine in self.machines.items() if ref > after]
        page: dict[str, Any] = {"machines": rest[:PAGE], "total": len(self.machines), "next": None}
        if len(rest) > PAGE:
            page["next"] = str(rest[PAGE - 1]["id"])
        match self.trouble:
            case Trouble.LIST_SHORT:
                page["total"] += 1
            case Trouble.LIST_NULL:
                page["machines"] = None
            case Trouble.LIST_MALFORMED:
                page["machines"] = [rest[0] | {"id": None}]
            case Trouble.LIST_ENDLESS:
                page["next"] = "-1"
            case _:
                pass
        return web.json_response(page)

    async def _launch(self, request: web.Request) -> web.StreamResponse:
        self.orders += 1
        order = await request.json()
        if self.balance <= 0:
            return web.json_response({"error": "no money"}, status=402)
        if order["stock"] in self.taken:
            return web.json_response({"error": "taken"}, status=409)
        self.taken.add(order["stock"])
        ref = len(self.taken)
        stock = recorded("stock")["stock"][0]
        price = stock["usd_hour"] + stock["disk_usd_hour"] * order["disk_gib"]
        new = {"id": ref, "label": order["label"], "usd_hour": price, "state": "booting", "host": None, "port": None}
        self.machines[ref] = recorded("machine") | new
        if self.trouble not in ORDERS:
            return web.json_response(recorded("launched") | {"id": ref})
        trouble, self.trouble = self.trouble, None
        return await self._spoilt(request, trouble)

    async def _spoilt(self, request: web.Request, trouble: Trouble) -> web.StreamResponse:
        match trouble:
            case Trouble.ANSWER_EMPTY:
                return web.json_response({})
            case Trouble.ANSWER_5XX:
                return web.Response(status=502)
            case Trouble.ANSWER_GARBLED:
                return web.Response(body=b"<html>")
            case Trouble.ANSWER_CUT:
                half = web.StreamResponse(headers={"Content-Length": "100"})
                await half.prepare(request)
                await half.write(b'{"id"')
            case _:
                pass
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    async def _show(self, request: web.Request) -> web.Response:
        machine = self.machines.get(int(request.match_info["id"]))
        return web.Response(status=404) if machine is None else web.json_response(machine)

    async def _end(self, request: web.Request) -> web.Response:
        was_there = self.machines.pop(int(request.match_info["id"]), None) is not None
        return web.json_response({}, status=200 if was_there else 404)


class MoonStage:
    """One account at that server."""

    exempt: Mapping[str, str] = {}
    retry_after = timedelta(seconds=9)
    secrets: tuple[str, ...] = (KEY, INTRUDERS_KEY)

    def __init__(self, server: Server, url: str, session: aiohttp.ClientSession) -> None:
        self._server = server
        self._url = url
        self._session = session
        self.cloud: CloudProvider = self._open(KEY, timedelta(seconds=20))
        self.intruder: CloudProvider = self._open(INTRUDERS_KEY, timedelta(seconds=20))

    async def until_running(self, ref: CloudRef) -> None:
        self._server.machines[int(ref)] |= {"state": "up", "host": "198.51.100.7", "port": 22}

    async def until_unlisted(self, ref: CloudRef) -> None:
        """It is gone at once."""

    async def vanish(self, ref: CloudRef) -> None:
        del self._server.machines[int(ref)]

    async def spend_everything(self) -> None:
        self._server.balance = 0.0

    async def strike(self, trouble: Trouble) -> None:
        self._server.trouble = trouble
        if trouble is Trouble.SILENT:
            self.cloud = self._open(KEY, timedelta(seconds=0.2))

    async def recover(self) -> None:
        self._server.trouble = None

    async def orders_received(self) -> int:
        return self._server.orders

    def _open(self, key: str, limit: timedelta) -> MoonCloud:
        return MoonCloud(url=self._url, key=key, session=self._session, limit=limit)


@asynccontextmanager
async def moon_stage() -> AsyncIterator[MoonStage]:
    server = Server()
    async with TestServer(server.app()) as listening, aiohttp.ClientSession() as session:
        yield MoonStage(server, str(listening.make_url("")).rstrip("/"), session)
        server.over.set()
