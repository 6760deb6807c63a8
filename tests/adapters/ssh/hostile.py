"""An SSH server that lets us in and means us harm; each test gives it one trick."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from orchestrator.adapters.ssh import SshConnector
from orchestrator.domain.instance import Address
from orchestrator.ports.host import Host
from tests.contract.host_suite import LIMIT

Trick = Callable[["asyncssh.SSHServerProcess[bytes]"], Awaitable[None]]


@dataclass(kw_only=True)
class Hostile:
    """
    Attributes:
        greets: Done with each connection before anybody has logged in.
        trick: Done with each command.
        shown: The public keys that were tried.
    """

    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    host_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    address: Address = field(default_factory=lambda: Address(host="", port=0))
    greets: Callable[[asyncssh.SSHServerConnection], None] = lambda _: None
    trick: Trick | None = None
    shown: list[bytes] = field(default_factory=list)

    async def login(self, *, host_key: str | None = None) -> Host:
        return await SshConnector(self.key).connect(self.address, host_key=host_key, limit=LIMIT)


class _Server(asyncssh.SSHServer):
    def __init__(self, hostile: Hostile) -> None:
        self._hostile = hostile
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        assert self._connection is not None
        self._hostile.greets(self._connection)
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._hostile.shown.append(key.public_data)
        return True


@asynccontextmanager
async def hostile_server() -> AsyncIterator[Hostile]:
    """Serve on loopback while the block runs."""
    hostile = Hostile()

    async def process(started: asyncssh.SSHServerProcess[bytes]) -> None:
        if hostile.trick is not None:
            await hostile.trick(started)
        started.exit(0)

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Server(hostile),
        process_factory=process,
        server_host_keys=[hostile.host_key],
        encoding=None,
        gss_host=None,
        allow_pty=True,
        agent_forwarding=True,
        x11_forwarding=True,
    )
    hostile.address = Address(host="127.0.0.1", port=server.get_port())
    async with server:
        yield hostile


async def pulled_towards_us(connection: asyncssh.SSHServerConnection, kind: bytes, *details: bytes) -> str:
    """Open a channel that leads from the machine to this computer; gives what the client says to it."""
    channel = asyncssh.channel.SSHTCPChannel[bytes](
        connection, asyncio.get_running_loop(), None, "strict", 2**16, 2**15
    )
    try:
        await channel._open(kind, *details)
    except asyncssh.ChannelOpenError as error:
        return error.reason
    return "opened"


@asynccontextmanager
async def agent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """Something where SSH_AUTH_SOCK says that an agent is; gives who came."""
    came: list[str] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append("somebody")
        writer.close()

    socket = folder / "agent.sock"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    async with await asyncio.start_unix_server(serve, socket):
        yield came
