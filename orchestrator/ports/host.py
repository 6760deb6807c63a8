"""A machine that can be reached over SSH."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from orchestrator.domain.instance import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A finished command."""

    status: int
    stdout: str
    stderr: str


class Host(Protocol):
    """
    One open connection to one machine.

    A broken connection shows as HostUnreachable from whatever is called next; open a new one.
    """

    @property
    def host_key(self) -> str:
        """The machine's public host key, in OpenSSH's format: pinned by the caller for the machine's life."""
        ...

    @property
    def is_open(self) -> bool: ...

    async def run(self, command: str, *, stdin: bytes = b"", limit: timedelta) -> Completed:
        """
        Run *command* in the login's shell and wait for its end.

        Output beyond 1 MiB is cut: a hostile machine must not fill our memory.

        Raises:
            HostUnreachable: The connection broke, or *limit* passed.
        """
        ...

    def converse(self, command: str, *, stdin: bytes = b"") -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """
        Run *command* and read its standard output line by line while it runs.

        Leaving the block ends it, at the latest when it next writes: not every server passes signals on.
        The iterator ends when the command does. A line longer than 64 KiB is a HostUnreachable.
        """
        ...

    async def tunnel(self, port: int) -> Path:
        """
        Forward a Unix socket of ours, in a folder that only we can enter, to *port* on the machine's loopback.

        It lives as long as the connection; a second call for the same port gives the same path.
        """
        ...

    async def wait_closed(self) -> None:
        """Return when the connection is gone, whoever ended it."""
        ...

    async def close(self) -> None: ...


class HostConnector(Protocol):
    """Opens connections with our key and nothing else: no agent, no forwarding of X11."""

    @property
    def public_key(self) -> str:
        """Our public key, in OpenSSH's format, for launch orders."""
        ...

    async def connect(self, address: Address, *, host_key: str | None, limit: timedelta) -> Host:
        """
        Try once to log in.

        Args:
            host_key: The key pinned earlier; None accepts whatever answers first.

        Raises:
            HostUnreachable: Nothing answers, it refuses us, or it shows another host key than the pinned one.
        """
        ...
