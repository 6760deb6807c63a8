"""Signed addresses: when they end, the agent says so at once, and goes on under new ones."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from orchestrator.sandbox.mirror import mirror_app
from tests.adapters.agent.conftest import FAST, SIZES, Mirrors, assert_complete
from tests.adapters.agent.machine import AgentMachine, Event

UNET = "unet/flux.safetensors"


class Gate:
    """A mirror of the same files that lets in who has the newest signature, so many times each."""

    def __init__(self, *, lets: int) -> None:
        self.newest = 1
        self.lets = lets
        self.left = lets
        self.refused = asyncio.Event()

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.left -= 1
        if int(request.query["signature"]) != self.newest or self.left < 0:
            self.refused.set()
            return web.Response(status=403, text="<Error><Code>ExpiredRequest</Code></Error>")
        return await handler(request)

    def sign(self, server: TestServer) -> Event:
        self.newest += 1
        self.left = self.lets
        return {"urls": [str(server.make_url(f"/models/{UNET}").with_query(signature=self.newest))]}


@pytest.fixture
def gate() -> Gate:
    return Gate(lets=6)


@pytest.fixture
async def signed(mirrors: Mirrors, gate: Gate) -> AsyncIterator[TestServer]:
    app = mirror_app(mirrors.folder, bytes_per_s=FAST, bytes_per_s_per_connection=FAST)
    app.middlewares.append(gate.check)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


async def test_fetch_under_ended_addresses_says_so_and_goes_on_under_new_ones(
    machine: AgentMachine, mirrors: Mirrors, signed: TestServer, gate: Gate
) -> None:
    request = mirrors.manifest(UNET, connections=2)
    ends: list[Event] = []
    while not ends or ends[-1]["event"] == "failed":
        request["files"][0] |= gate.sign(signed)
        ends.append(await machine.last(request))

    assert {end["code"] for end in ends[:-1]} == {"expired"}
    assert ends[-1]["bytes"] < SIZES[UNET]
    assert_complete(machine, mirrors, UNET)


async def test_mirror_that_refuses_is_passed_over_while_others_let_us_in(
    machine: AgentMachine, mirrors: Mirrors, signed: TestServer, gate: Gate
) -> None:
    gate.lets = 0
    request = mirrors.manifest(UNET)
    request["files"][0]["urls"] += gate.sign(signed)["urls"]

    assert (await machine.last(request))["event"] == "done"
    assert_complete(machine, mirrors, UNET)


async def test_caller_that_joins_brings_new_addresses_to_the_fetch_under_way(
    machine: AgentMachine, mirrors: Mirrors, signed: TestServer, gate: Gate
) -> None:
    """One mirror's signature has ended, the other one is slow: with a new signature the first one serves again."""
    await mirrors.add(bytes_per_s=500_000)
    request = mirrors.manifest(UNET)
    slow, gate.lets = request["files"][0]["urls"][2], 0
    async with asyncio.TaskGroup() as group:
        request["files"][0]["urls"] = [slow, *gate.sign(signed)["urls"]]
        first = group.create_task(machine.last(request))
        await gate.refused.wait()
        gate.lets = 1000
        request["files"][0]["urls"] = [slow, *gate.sign(signed)["urls"]]
        second = group.create_task(machine.last(request))

    assert first.result() == second.result()
    assert gate.left < gate.lets, "nobody came with the new signature"
    assert_complete(machine, mirrors, UNET)


async def test_file_of_unknown_size_under_ended_addresses_says_so(
    machine: AgentMachine, mirrors: Mirrors, signed: TestServer, gate: Gate
) -> None:
    gate.lets = 0
    request = mirrors.manifest(UNET)
    request["files"][0] |= {"sha256": None, **gate.sign(signed)}

    assert (await machine.last(request))["code"] == "expired"
