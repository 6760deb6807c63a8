"""Logging in: with our key alone, within a limit, and with no exception of the library's getting through."""

import asyncio
import importlib
import inspect
import pkgutil
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest

from orchestrator.adapters.ssh import (
    KEY_FILE,
    OUTSIDE_ERRORS,
    SshConnector,
    SshLimits,
    UnreadableKey,
    load_or_create_key,
)
from orchestrator.domain.errors import HostUnreachable
from orchestrator.domain.instance import Address
from tests.contract.host_suite import Subject
from tests.contract.machines import sandbox_machine

LIMIT = timedelta(seconds=10)
SHORT = timedelta(milliseconds=200)

NOT_OF_A_CLIENT = {
    "BreakReceived": "raised into a server's process",
    "SignalReceived": "raised into a server's process",
    "SoftEOFReceived": "raised into a server's process",
    "TerminalSizeChanged": "raised into a server's process",
    "PasswordChangeRequired": "raised by a server's password check",
}


def connector() -> SshConnector:
    return SshConnector(asyncssh.generate_private_key("ssh-ed25519"))


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def strange_server(serve: Serve) -> AsyncIterator[Address]:
    """Something that listens and is no SSH server; it leaves no connection open."""
    writers: list[asyncio.StreamWriter] = []

    async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(noted, "127.0.0.1", 0)
    async with server:
        yield Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)  # they are closed one turn of the loop later


# Our key.


def test_key_is_made_once_and_readable_by_us_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    first = load_or_create_key(folder)
    again = load_or_create_key(folder)

    assert first.export_public_key() == again.export_public_key()
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == [KEY_FILE]


def test_damaged_key_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("not a key")

    with pytest.raises(UnreadableKey, match=KEY_FILE):
        load_or_create_key(tmp_path)

    assert (tmp_path / KEY_FILE).read_text() == "not a key"


def test_public_key_is_what_launch_orders_carry() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519", comment="glowplug")

    assert SshConnector(key).public_key == key.export_public_key().decode().strip()


# Logging in.


async def test_machine_that_does_not_know_our_key_refuses_us(tmp_path: Path) -> None:
    async with sandbox_machine(tmp_path / "machine") as machine:
        with pytest.raises(HostUnreachable, match="PermissionDenied"):
            await connector().connect(machine.subject.address, host_key=None, limit=LIMIT)


async def test_keys_of_an_agent_and_of_the_home_are_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine would take another key that lies where OpenSSH looks for keys; only ours is shown."""
    offered: list[bytes] = []
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(home / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "no-agent.sock"))
    ours = asyncssh.generate_private_key("ssh-ed25519")

    def note(key: bytes) -> bool:
        offered.append(key)
        return False

    async with sandbox_machine(tmp_path / "machine") as machine:
        machine.service.is_welcome = note
        with pytest.raises(HostUnreachable):
            await SshConnector(ours).connect(machine.subject.address, host_key=None, limit=LIMIT)

    assert offered == [ours.public_data]


async def test_configuration_file_of_the_user_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text("Host *\n  User nobody\n  Port 1\n  ProxyCommand false\n")
    monkeypatch.setenv("HOME", str(home))

    async with sandbox_machine(tmp_path / "machine") as machine:
        host = await machine.subject.login()
        assert host.is_open
        await host.close()


async def test_port_where_nobody_listens_is_unreachable(unused_tcp_port: int) -> None:
    with pytest.raises(HostUnreachable, match=f"127.0.0.1:{unused_tcp_port}"):
        await connector().connect(Address(host="127.0.0.1", port=unused_tcp_port), host_key=None, limit=LIMIT)


async def test_pinned_key_that_is_no_key_is_unreachable() -> None:
    with pytest.raises(HostUnreachable):
        await connector().connect(Address(host="127.0.0.1", port=1), host_key="nonsense", limit=LIMIT)


async def test_server_that_takes_us_and_says_nothing_is_given_up_in_time() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with strange_server(say_nothing) as address:
        with pytest.raises(HostUnreachable, match="in time"):
            await connector().connect(address, host_key=None, limit=SHORT)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n" + b"\xff" * 4096])
async def test_server_that_speaks_no_ssh_is_unreachable(said: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    async with strange_server(say) as address:
        with pytest.raises(HostUnreachable):
            await connector().connect(address, host_key=None, limit=timedelta(seconds=2))


async def test_name_that_does_not_resolve_is_unreachable() -> None:
    with pytest.raises(HostUnreachable):
        await connector().connect(Address(host="machine.invalid", port=22), host_key=None, limit=LIMIT)


async def test_cancelled_login_leaves_quietly() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with strange_server(say_nothing) as address:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT.total_seconds()):
                await connector().connect(address, host_key=None, limit=LIMIT)


# A connection that fails without a word.


async def test_machine_that_answers_no_more_counts_as_lost(tmp_path: Path) -> None:
    """TCP itself goes on confirming what we send; only the questions of the keep-alive show that nobody is there."""
    limits = SshLimits(keepalive=timedelta(milliseconds=100), keepalive_misses=2)
    async with sandbox_machine(tmp_path / "machine", limits=limits) as machine:
        await watch_it_freeze(machine.subject)


async def watch_it_freeze(subject: Subject) -> None:
    async with relay(subject.address) as (address, freeze):
        host = await subject.connector.connect(address, host_key=None, limit=LIMIT)
        freeze()

        async with asyncio.timeout(LIMIT.total_seconds()):
            await host.wait_closed()

        assert not host.is_open
        await host.close()


@asynccontextmanager
async def relay(target: Address) -> AsyncIterator[tuple[Address, Callable[[], None]]]:
    """Pass bytes on both ways until told to swallow them."""
    passing = asyncio.Event()
    passing.set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if passing.is_set():
                writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(target.host, target.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(reader, far_writer))
            group.create_task(pump(far_reader, writer))

    async with strange_server(serve) as address:
        yield address, passing.clear


# Tunnels.


async def test_long_temporary_folder_does_not_break_tunnels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Unix socket's path has room for 107 bytes."""
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))

    async with sandbox_machine(tmp_path / "machine") as machine:
        host = await machine.subject.login()
        assert (await host.tunnel(1)).exists()
        await host.close()


async def test_tunnel_without_a_temporary_folder_fails_as_the_port_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")

    async with sandbox_machine(tmp_path / "machine") as machine:
        host = await machine.subject.login()
        with pytest.raises(HostUnreachable, match="tunnel"):
            await host.tunnel(1)
        await host.close()


@pytest.mark.parametrize("turns", range(4))
async def test_whoever_a_tunnel_lets_in_while_the_connection_ends_is_hung_up_on(tmp_path: Path, turns: int) -> None:
    """Some turns of the loop after a client has come it is known to the listener, some later to the connection."""
    async with sandbox_machine(tmp_path / "machine") as machine:
        host = await machine.subject.login()
        path = await host.tunnel(1)
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            client.connect(str(path))
            for _ in range(turns):
                await asyncio.sleep(0)
            await host.close()

            async with asyncio.timeout(LIMIT.total_seconds()):
                with suppress(ConnectionResetError):
                    assert await asyncio.get_running_loop().sock_recv(client, 1) == b""


# No exception of the library's crosses the port.


def exceptions_of_asyncssh() -> list[type[Exception]]:
    found: dict[str, type[Exception]] = {}
    for module in pkgutil.iter_modules(asyncssh.__path__, "asyncssh."):
        try:
            members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        except ImportError:
            continue  # for another operating system, or for a login by Kerberos, which we never try
        found |= {
            name: member
            for name, member in members
            if issubclass(member, Exception) and member.__module__.startswith("asyncssh")
        }
    return list(found.values())


def test_library_has_exceptions_to_walk() -> None:
    assert len(exceptions_of_asyncssh()) > 40


@pytest.mark.parametrize("kind", exceptions_of_asyncssh(), ids=lambda kind: str(kind.__name__))
def test_every_exception_of_the_library_is_translated(kind: type[Exception]) -> None:
    assert issubclass(kind, OUTSIDE_ERRORS) or kind.__name__ in NOT_OF_A_CLIENT


@pytest.mark.parametrize("kind", [ConnectionResetError, BrokenPipeError, TimeoutError, asyncio.TimeoutError, OSError])
def test_every_exception_of_a_socket_is_translated(kind: type[Exception]) -> None:
    assert issubclass(kind, OUTSIDE_ERRORS)
