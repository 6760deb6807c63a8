"""
Two mirrors behind one wire, in a process of their own: ``python -m tests.bench.cold_start.mirrors FOLDER C M W``.

C, M and W are bytes a second of one connection, of one mirror and of the wire into the machine. Prints the addresses as
one JSON line, and ends when its standard input does.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp.test_utils import TestServer

from orchestrator.sandbox.mirror import Bucket, mirror_app
from tests.bench.cold_start.scale import CONNECTION_BPS, MIRROR_BPS, WIRE_BPS, Scale

MIRRORS = 2


@asynccontextmanager
async def two_mirrors(folder: Path, scale: Scale) -> AsyncIterator[tuple[str, ...]]:
    """Serve *folder* until the block ends; their addresses."""
    speeds = [str(scale.bps(speed)) for speed in (CONNECTION_BPS, MIRROR_BPS, WIRE_BPS)]
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(folder), *speeds, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        async with asyncio.timeout(20):
            addresses = json.loads(await server.stdout.readline())
        yield tuple(addresses)
    finally:
        server.stdin.close()
        await server.wait()


async def serve(folder: Path, connection_bps: int, mirror_bps: int, wire_bps: int) -> None:
    wire = Bucket(wire_bps)
    async with AsyncExitStack() as stack:
        addresses = []
        for _ in range(MIRRORS):
            app = mirror_app(folder, bytes_per_s=mirror_bps, bytes_per_s_per_connection=connection_bps, wire=wire)
            server = TestServer(app)
            stack.push_async_callback(server.close)
            await server.start_server()
            addresses.append(str(server.make_url("")).rstrip("/"))
        print(json.dumps(addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), *(int(speed) for speed in sys.argv[2:])))
