"""Somebody who rents from a sandbox: the wire as it is, without our adapter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import asyncssh

T = TypeVar("T")
LIMIT_S = 20.0
ORDER: dict[str, Any] = {
    "image": "example/comfyui:1",
    "disk": 40,
    "runtype": "ssh_direc ssh_proxy",
    "cancel_unavail": True,
}


class NoAnswerError(Exception):
    """The connection broke; what was asked may have been done."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the client from sending a PUT again when no answer comes: that would order twice."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise NoAnswerError from error


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    body: Any


@dataclass(slots=True)
class Renter:
    url: str
    key: str
    http: aiohttp.ClientSession
    ssh_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))

    async def call(self, method: str, path: str, body: object = None, *, key: str | None = None, **more: Any) -> Answer:
        """Send one request, with the account's key unless another is named; an empty one sends none."""
        key = self.key if key is None else key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= more.pop("headers", {})
        async with asyncio.timeout(LIMIT_S):
            async with self.http.request(
                method, self.url + path, json=body, headers=headers, middlewares=(once,), **more
            ) as answer:
                text = await answer.text()
                is_json = answer.content_type == "application/json"
                return Answer(answer.status, text, await answer.json() if is_json else None)

    async def offers(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.call("POST", "/api/v0/bundles/", query)
        assert answer.status == 200, answer.text
        offers: list[dict[str, Any]] = answer.body["offers"]
        return offers

    async def order(self, ask_id: int | None = None, **more: Any) -> Answer:
        if ask_id is None:
            ask_id = (await self.offers(order=[["dph_total", "asc"]], gpu_name={"eq": "RTX 4090"}))[0]["id"]
        return await self.call("PUT", f"/api/v0/asks/{ask_id}/", ORDER | more)

    async def rent(self, **more: Any) -> int:
        """Register our SSH key, order a machine, and give its number."""
        await self.call("POST", "/api/v0/ssh/", {"ssh_key": self.public_key})
        answer = await self.order(**more)
        assert answer.status == 200, answer.text
        number: int = answer.body["new_contract"]
        return number

    @property
    def public_key(self) -> str:
        return self.ssh_key.export_public_key().decode().strip()

    async def show(self, number: int) -> dict[str, Any] | None:
        answer = await self.call("GET", f"/api/v0/instances/{number}/")
        row: dict[str, Any] | None = answer.body.get("instances")
        return row

    async def rows(self, **query: str) -> list[dict[str, Any]]:
        answer = await self.call("GET", "/api/v1/instances/", params=query)
        assert answer.status == 200, answer.text
        rows: list[dict[str, Any]] = answer.body["instances"]
        return rows

    async def until_status(self, number: int, status: str | None) -> dict[str, Any]:
        async def reached() -> dict[str, Any] | None:
            row = await self.show(number)
            assert row is not None, f"machine {number} is gone"
            return row if row["actual_status"] == status else None

        return await until(reached)

    async def until_gone(self, number: int) -> None:
        async def is_gone() -> bool:
            return await self.show(number) is None

        await until(is_gone)

    async def fault(self, name: str, **more: Any) -> None:
        answer = await self.call("POST", "/sandbox/faults", {"fault": name, **more})
        assert answer.status == 200, answer.text

    @asynccontextmanager
    async def ssh(self, number: int) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Log in, once the machine runs and as soon as it lets us."""
        row = await self.until_status(number, "running")
        port = int(row["ports"]["22/tcp"][0]["HostPort"])

        async def connected() -> asyncssh.SSHClientConnection | None:
            try:
                return await self.connect(port)
            except OSError:
                return None

        connection = await until(connected)
        async with connection:
            yield connection

    async def connect(self, port: int, **more: Any) -> asyncssh.SSHClientConnection:
        options = {"username": "root", "client_keys": [self.ssh_key], "known_hosts": None, "config": None} | more
        return await asyncssh.connect("127.0.0.1", port, agent_path=None, **options)

    async def say(self, number: int, command: str) -> str:
        """Run one command on a machine and give what it printed."""
        async with self.ssh(number) as connection:
            result = await connection.run(command, check=True)
        return str(result.stdout).strip()


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look again and again until there is something to see."""
    async with asyncio.timeout(LIMIT_S):
        while not (seen := await look()):
            await asyncio.sleep(0.01)
    return seen
