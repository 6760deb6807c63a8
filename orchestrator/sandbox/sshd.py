"""The SSH server of one machine: commands as real processes, and tunnels to the machine's loopback."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import IO

import asyncssh

from orchestrator.sandbox.processes import SHELL, Processes, ended, signal_group

LOOPBACK = "127.0.0.1"
LOCAL_NAMES = {LOOPBACK, "localhost"}
ROOT = "root"
CANNOT_RUN = 126


@dataclass(slots=True, kw_only=True)
class SshService:
    """
    What one machine's SSH server needs to know.

    Attributes:
        is_welcome: Whether a public key, as it goes over the wire, may log in; asked at each login.
        user: The only login name.
    """

    host_key: asyncssh.SSHKey
    processes: Processes
    is_welcome: Callable[[bytes], bool]
    user: str = ROOT
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)

    def cut(self) -> None:
        """Break all connections; the processes stay, as they do on a real machine."""
        for connection in list(self.connections):
            connection.abort()


def reserve_port() -> socket.socket:
    """Take a free port without listening: until somebody does, connecting to it is refused."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind((LOOPBACK, 0))
    return bound


@asynccontextmanager
async def serving_ssh(service: SshService, bound: socket.socket) -> AsyncIterator[None]:
    """Answer on *bound* within the block, and own it; leaving the block cuts all connections."""
    async with asyncio.TaskGroup() as tasks:
        acceptor = await asyncssh.listen(
            sock=bound,
            server_factory=lambda: _Login(service, tasks),
            server_host_keys=[service.host_key],
            encoding=None,
            gss_host=None,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            compression_algs=None,
        )
        try:
            yield
        finally:
            acceptor.close()
            service.cut()


class _Login(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, service: SshService, tasks: asyncio.TaskGroup) -> None:
        self._service = service
        self._tasks = tasks
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._service.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (the library's signature)
        if self._connection is not None:
            self._service.connections.discard(self._connection)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == self._service.user and self._service.is_welcome(key.public_data)

    def session_requested(self) -> "_Command":
        return _Command(self._service.processes, self._tasks)

    def connection_requested(
        self,
        dest_host: str,
        dest_port: int,  # noqa: ARG002  (the library's signature)
        orig_host: str,  # noqa: ARG002  (the library's signature)
        orig_port: int,  # noqa: ARG002  (the library's signature)
    ) -> bool:
        if dest_host not in LOCAL_NAMES:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "a machine forwards to its own loopback only"
            )
        return True


class _Command(asyncssh.SSHServerSession[bytes]):
    """
    One command, or a shell that reads commands, as a child process.

    As with OpenSSH, the channel stays open until the process has ended and nothing holds its output any more,
    and a broken connection closes the pipes but ends nothing.
    """

    def __init__(self, processes: Processes, tasks: asyncio.TaskGroup) -> None:
        self._processes = processes
        self._tasks = tasks
        self._child: subprocess.Popen[bytes] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._early: list[bytes] = []  # input that came before there was a pipe to put it into; one window at most
        self._is_at_end = False
        self._outputs: list[_Output] = []

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._channel = chan

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:  # noqa: ARG002  (the library's signature)
        return True

    def session_started(self) -> None:
        self._serving = self._tasks.create_task(self._serve())

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002  (the library's signature)
        if self._stdin is None:
            self._early.append(data)
            self._channel.pause_reading()  # not sooner: the library resumes it once the session has started
        elif not self._stdin.is_closing():
            self._stdin.write(data)

    def eof_received(self) -> bool:
        self._is_at_end = True
        if self._stdin is not None:
            # Later, not now: closed from within its own resume_writing, the pipe drops what it still holds.
            asyncio.get_running_loop().call_soon(self._stdin.close)
        return True

    def signal_received(self, signal: str) -> None:
        number = SIGNALS.get(signal)
        if self._child is not None and number is not None:
            signal_group(self._child, number)

    def pause_writing(self) -> None:
        for output in self._outputs:
            output.pause()

    def resume_writing(self) -> None:
        for output in self._outputs:
            output.resume()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (the library's signature)
        if self._serving is not None:
            self._serving.cancel()

    async def _serve(self) -> None:
        command = self._channel.get_command()
        argv = [SHELL] if command is None else [SHELL, "-c", command]
        pipe = subprocess.PIPE
        try:
            self._child = child = self._processes.spawn(argv, stdin=pipe, stdout=pipe, stderr=pipe)
        except OSError as error:
            self._channel.write(f"cannot start a process: {error}\n".encode(), asyncssh.EXTENDED_DATA_STDERR)
            self._channel.exit(CANNOT_RUN)
            return
        try:
            await self._connect(child)
            status = await ended(child)
            for output in self._outputs:
                await output.closed.wait()
            self._report(status)
        finally:
            self._close_pipes()

    async def _connect(self, child: subprocess.Popen[bytes]) -> None:
        await self._attach(child.stdout, None)
        await self._attach(child.stderr, asyncssh.EXTENDED_DATA_STDERR)
        loop = asyncio.get_running_loop()
        self._stdin, _ = await loop.connect_write_pipe(lambda: _Input(self._channel), child.stdin)
        self._stdin.writelines(self._early)
        self._early.clear()
        if self._is_at_end:
            self._stdin.close()
        self._channel.resume_reading()

    async def _attach(self, pipe: IO[bytes] | None, datatype: int | None) -> None:
        output = _Output(self._channel, datatype)
        self._outputs.append(output)
        await asyncio.get_running_loop().connect_read_pipe(lambda: output, pipe)

    def _report(self, status: int) -> None:
        if status >= 0:
            self._channel.exit(status)
        else:
            self._channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))

    def _close_pipes(self) -> None:
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.abort()
        for output in self._outputs:
            output.close()


class _Input(asyncio.BaseProtocol):
    """The child's standard input: when it is full, the channel waits."""

    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._channel = channel

    def pause_writing(self) -> None:
        self._channel.pause_reading()

    def resume_writing(self) -> None:
        self._channel.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        self._channel.resume_reading()  # nobody reads it any more; let the rest run off


class _Output(asyncio.Protocol):
    """The child's standard output or error, on its way into the channel."""

    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", datatype: int | None) -> None:
        self._channel = channel
        self._datatype = datatype
        self._transport: asyncio.ReadTransport | None = None
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.ReadTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._channel.is_closing():
            self._channel.write(data, self._datatype)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        self.closed.set()

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


SIGNALS = {number.name.removeprefix("SIG"): number for number in signal.Signals}
"""As SSH names them."""
