"""Servers of the sandbox, on this computer alone."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from orchestrator.sandbox.sshd import LOOPBACK


class SandboxError(Exception):
    """The sandbox cannot start; the text says what to do."""


def bind(port: int) -> socket.socket:
    """
    Take a port before anything is started that would have to be ended again.

    Raises:
        SandboxError: Somebody else has it.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a killed sandbox comes back where it was
    try:
        bound.bind((LOOPBACK, port))
    except OSError as error:
        bound.close()
        told = f"cannot listen on {LOOPBACK}:{port} ({error.strerror}); choose another --port"
        raise SandboxError(told) from error
    return bound


@asynccontextmanager
async def listening(app: web.Application, bound: socket.socket) -> AsyncIterator[str]:
    """Serve *app* inside the block; gives its address."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.SockSite(runner, bound).start()
        yield f"http://{LOOPBACK}:{bound.getsockname()[1]}"
    finally:
        await runner.cleanup()
