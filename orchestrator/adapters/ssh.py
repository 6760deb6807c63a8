"""
Machines over SSH, with asyncssh: our key and nothing else, a pinned host key, commands and tunnels.

No configuration file, no agent, no password and no forwarding towards us: what a rented machine can do with the
connection is to answer what it was asked.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh

from orchestrator.domain.errors import HostUnreachable, OrchestratorError, Remedy
from orchestrator.domain.instance import Address
from orchestrator.ports.host import Completed, Host, HostConnector

KEY_FILE = "ssh_ed25519"
LONGEST_OUTPUT = 1024 * 1024
LONGEST_LINE = 64 * 1024
LONGEST_REASON = 200
TURNS_TO_LET_IN = 3
"""Turns of the loop: a listener of Python 3.11 that is closed sooner forgets whom it has accepted, socket open."""

LONGEST_FOLDER = 60
"""A Unix socket's path may have 107 bytes; longer temporary folders are replaced by /tmp."""

OUTSIDE_ERRORS = (asyncssh.Error, asyncssh.ChannelListenError, OSError, ValueError)
"""What asyncssh raises on a connection that breaks or misbehaves. Its decoding errors are ValueErrors."""


class UnreadableKey(OrchestratorError):
    """Our own key file is damaged: only the operator knows whether machines still trust it."""

    remedy = Remedy.OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SshLimits:
    """
    How patient a connection is.

    Attributes:
        keepalive: Between two questions whether the machine is still there.
        keepalive_misses: Unanswered ones after which the connection counts as broken.
        open: For one command or tunnel to be taken by the machine.
        close: For a connection to be closed politely.
    """

    keepalive: timedelta = timedelta(seconds=5)
    keepalive_misses: int = 3
    open: timedelta = timedelta(seconds=15)
    close: timedelta = timedelta(seconds=2)


def load_or_create_key(folder: Path) -> asyncssh.SSHKey:
    """
    Read our private key below *folder*, or make it there, readable by us alone.

    Blocks on the disk.

    Raises:
        UnreadableKey: The file is there and is no key. It is never replaced: machines may still be reached with it.
    """
    file = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _write_once(file, asyncssh.generate_private_key("ssh-ed25519", comment="glowplug").export_private_key())
    try:
        return asyncssh.read_private_key(file)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError) as error:
        raise UnreadableKey(f"{file} is no SSH key; restore it, or remove it once no machine runs") from error


def _write_once(file: Path, content: bytes) -> None:
    """Have *file* appear whole or not at all, and never replace it."""
    if file.exists():
        return
    handle, unfinished = tempfile.mkstemp(dir=file.parent)  # mode 0600 from the first byte on
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        file.hardlink_to(unfinished)
    finally:
        Path(unfinished).unlink()


class SshConnector(HostConnector):
    """Opens connections with one key."""

    def __init__(self, key: asyncssh.SSHKey, limits: SshLimits | None = None) -> None:
        self._key = key
        self._limits = limits or SshLimits()

    @property
    def public_key(self) -> str:
        return self._key.export_public_key().decode().strip()

    async def connect(self, address: Address, *, host_key: str | None, limit: timedelta) -> Host:
        shelf = _Shelf()
        with _translated(f"{address.host}:{address.port}"):
            options = self._options(address, host_key, limit)
            async with asyncio.timeout(limit.total_seconds()):
                connection = await asyncssh.connect(
                    address.host,
                    address.port,
                    options=options,
                    config=[],
                    client_factory=lambda: _Farewell(shelf),
                )
        _fail_as_documented(connection)
        return SshHost(connection, shelf, self._limits)

    def _options(self, address: Address, host_key: str | None, limit: timedelta) -> asyncssh.SSHClientConnectionOptions:
        trusted = [] if host_key is None else [asyncssh.import_public_key(host_key)]
        return asyncssh.SSHClientConnectionOptions(
            config=[],
            username=address.user,
            client_keys=[self._key],
            known_hosts=(trusted, [], []) if trusted else None,
            agent_path=None,
            agent_forwarding=False,
            x11_forwarding=False,
            preferred_auth="publickey",
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_auth=False,
            gss_kex=False,
            compression_algs=None,
            encryption_algs="^aes128-gcm@openssh.com",  # several times faster here than the library's first choice
            connect_timeout=limit.total_seconds(),
            login_timeout=limit.total_seconds(),
            keepalive_interval=self._limits.keepalive.total_seconds(),
            keepalive_count_max=self._limits.keepalive_misses,
        )


class SshHost(Host):
    """One open connection."""

    def __init__(self, connection: asyncssh.SSHClientConnection, shelf: "_Shelf", limits: SshLimits) -> None:
        self._connection = connection
        self._shelf = shelf
        self._limits = limits
        self._tunnels: dict[int, Path] = {}
        self._one_at_a_time = asyncio.Lock()
        self._is_closed = False

    @property
    def host_key(self) -> str:
        key = self._connection.get_server_host_key()
        if key is None:  # only without a host key algorithm, which is never offered
            raise HostUnreachable("the machine has shown no host key")
        return " ".join(key.export_public_key().decode().split()[:2])

    @property
    def is_open(self) -> bool:
        return not self._is_closed and not self._connection.is_closed()

    async def run(self, command: str, *, stdin: bytes = b"", limit: timedelta) -> Completed:
        capture = _Capture()
        with _translated("a command"):
            async with asyncio.timeout(limit.total_seconds()):
                channel, _ = await self._connection.create_session(lambda: capture, command, encoding=None)
                try:
                    channel.write(stdin)
                    channel.write_eof()
                    await channel.wait_closed()
                finally:
                    _end(channel)
        status = channel.get_returncode()
        if status is None:
            raise HostUnreachable("the connection broke during a command")
        return Completed(status=status, stdout=capture.stdout.text(), stderr=capture.stderr.text())

    @asynccontextmanager
    async def converse(self, command: str, *, stdin: bytes = b"") -> AsyncIterator[AsyncIterator[str]]:
        with _translated("a conversation"):
            async with asyncio.timeout(self._limits.open.total_seconds()):
                process = await self._connection.create_process(command, stderr=asyncssh.DEVNULL, encoding=None)
            process.stdin.write(stdin)
            process.stdin.write_eof()
        lines = _lines(process)
        try:
            yield lines
        finally:
            _end(process.channel)
            await lines.aclose()

    async def tunnel(self, port: int) -> Path:
        async with self._one_at_a_time:
            if not self.is_open:
                raise HostUnreachable("the connection is closed")
            if port not in self._tunnels:
                with _translated(f"a tunnel to port {port}"):
                    path = self._shelf.place(f"{port}.sock")
                    await self._connection.forward_local_path_to_port(str(path), "127.0.0.1", port)
                self._tunnels[port] = path
            return self._tunnels[port]

    async def wait_closed(self) -> None:
        await self._connection.wait_closed()

    async def close(self) -> None:
        self._is_closed = True
        self._shelf.clear()  # nobody else comes to a tunnel
        try:
            for _ in range(TURNS_TO_LET_IN):
                await asyncio.sleep(0)
        finally:
            self._connection.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.close.total_seconds()):
                await self._connection.wait_closed()
        self._connection.abort()


def _fail_as_documented(connection: asyncssh.SSHClientConnection) -> None:
    """
    Have a channel that is opened just as *connection* ends fail with the error that its tunnel waits for.

    asyncssh 2.24 raises an AssertionError there, and leaves the socket of the tunnel's client open.
    """
    create_connection = connection.create_connection

    async def create(*args: Any, **options: Any) -> Any:
        try:
            return await create_connection(*args, **options)
        except Exception as error:
            if connection.is_closed():
                raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "the connection has ended") from error
            raise

    connection.create_connection = create  # type: ignore[method-assign]


class _Shelf:
    """The folder of one connection's sockets, entered by us alone; gone when the connection is."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def place(self, name: str) -> Path:
        if self._folder is None:
            usual = tempfile.gettempdir()
            short = usual if len(usual) <= LONGEST_FOLDER else "/tmp"  # noqa: S108 - mkdtemp makes it ours alone
            self._folder = Path(tempfile.mkdtemp(prefix="glowplug-", dir=short))
        return self._folder / name

    def clear(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class _Farewell(asyncssh.SSHClient):
    """Clears up when a connection ends, whoever ended it."""

    def __init__(self, shelf: _Shelf) -> None:
        self._shelf = shelf

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the library's signature
        self._shelf.clear()


class _Bounded:
    """The beginning of a stream; the rest is dropped as it arrives."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._room = LONGEST_OUTPUT

    def take(self, data: bytes) -> None:
        if self._room:
            part = data[: self._room]
            self._parts.append(part)
            self._room -= len(part)

    def text(self) -> str:
        return b"".join(self._parts).decode(errors="replace")


class _Capture(asyncssh.SSHClientSession[bytes]):
    """Keeps what a command prints."""

    def __init__(self) -> None:
        self.stdout = _Bounded()
        self.stderr = _Bounded()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        (self.stderr if datatype == asyncssh.EXTENDED_DATA_STDERR else self.stdout).take(data)


async def _lines(process: asyncssh.SSHClientProcess[bytes]) -> AsyncGenerator[str, None]:
    """
    Hand out whole lines as they come; what follows the last line break is a line too.

    Raises:
        HostUnreachable: A line is too long, or the connection broke.
    """
    kept = b""
    while chunk := await _read(process):
        *whole, kept = (kept + chunk).split(b"\n")
        if max(map(len, (*whole, kept))) > LONGEST_LINE:
            raise HostUnreachable(f"the machine sent a line of more than {LONGEST_LINE} bytes")
        for line in whole:
            yield line.decode(errors="replace")
    if kept:
        yield kept.decode(errors="replace")
    with _translated("a conversation"):
        await process.wait_closed()
    if process.returncode is None:
        raise HostUnreachable("the connection broke during a conversation")


async def _read(process: asyncssh.SSHClientProcess[bytes]) -> bytes:
    with _translated("a conversation"):
        return await process.stdout.read(LONGEST_LINE)


def _end(channel: asyncssh.SSHClientChannel[bytes]) -> None:
    """End the command, if it still runs, and its channel; what it started in the background is left alone."""
    with suppress(OSError):
        channel.send_signal(signal.SIGTERM.name.removeprefix("SIG"))
    channel.close()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Let nothing of asyncssh's through; the text names the class, as its own messages are often empty."""
    try:
        yield
    except TimeoutError as error:
        raise HostUnreachable(f"{what}: no answer in time") from error
    except OUTSIDE_ERRORS as error:
        raise HostUnreachable(f"{what}: {type(error).__name__}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Why, on one line and not endless: a machine may say anything as it hangs up or refuses."""
    flat = "".join(char if char.isprintable() else " " for char in str(error)[: 4 * LONGEST_REASON])
    return " ".join(flat.split())[:LONGEST_REASON]
