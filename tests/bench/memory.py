"""
What a file of any size takes of memory: ``make bench-memory``.

A virtual file of 20 GB at a lookalike of Hugging Face goes up into a bucket by ``glowplug models upload``, and down
onto a machine by the agent. The bucket keeps nothing of it but the MD5 of each part: moto's server would take the whole
file into its own memory.
"""

import argparse
import asyncio
import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from orchestrator.adapters.presigned import BucketAccess
from orchestrator.adapters.r2 import whole_etag
from tests.adapters.agent.machine import AgentMachine
from tests.adapters.models.hub import MIB, HubStage, hub_stage
from tests.adapters.models.test_command import Command

MOST_MIB = 300
LIMIT_S = 3600
GIGABYTE = 1_000_000_000
NAME = "large"
UPLOAD = "1"


@dataclass(kw_only=True)
class Sink:
    """As much of S3 as one upload in parts needs; what arrives is hashed and dropped."""

    md5s: dict[int, str] = field(default_factory=dict)
    size: int = 0
    is_complete: bool = False

    async def head(self, _: web.Request) -> web.Response:
        if not self.is_complete:
            return web.Response(status=404)
        etag = whole_etag(md5 for _, md5 in sorted(self.md5s.items()))
        return web.Response(headers={"ETag": f'"{etag}"', "Content-Length": str(self.size)})

    async def look(self, _: web.Request) -> web.Response:
        return _xml("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>")

    async def put(self, request: web.Request) -> web.Response:
        md5 = hashlib.md5(usedforsecurity=False)
        async for block in request.content.iter_chunked(MIB):
            md5.update(block)
            self.size += len(block)
        self.md5s[int(request.query["partNumber"])] = md5.hexdigest()
        return web.Response(headers={"ETag": f'"{md5.hexdigest()}"'})

    async def post(self, request: web.Request) -> web.Response:
        if "uploads" in request.query:
            return _xml("InitiateMultipartUploadResult", f"<UploadId>{UPLOAD}</UploadId>")
        self.is_complete = True
        return _xml("CompleteMultipartUploadResult", "<Location>there</Location>")


def _xml(root: str, inside: str) -> web.Response:
    return web.Response(text=f"<{root}>{inside}</{root}>", content_type="application/xml")


@asynccontextmanager
async def sink() -> AsyncIterator[BucketAccess]:
    bucket, app = Sink(), web.Application()
    app.router.add_get("/models", bucket.look)
    app.router.add_head("/models/{key:.+}", bucket.head)
    app.router.add_put("/models/{key:.+}", bucket.put)
    app.router.add_post("/models/{key:.+}", bucket.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield BucketAccess(endpoint=endpoint, bucket="models", key_id="none", secret="none")
    finally:
        await runner.cleanup()


async def uploaded(folder: Path, hub: HubStage, size: int) -> dict[str, Any]:
    """What the command says of the upload, its own peak among it."""
    async with sink() as access:
        command = Command(folder, hub, access)
        hub.sizes[NAME] = size
        document = await command.upload(NAME)
    row: dict[str, Any] = document["models"][0]
    assert row["size"] == size
    print(f"upload: {size / GIGABYTE:.1f} GB, at most {document['peak_mib']} MiB of memory")
    return {"peak_mib": document["peak_mib"], "sha256": row["sha256"]}


async def downloaded(folder: Path, hub: HubStage, size: int, sha256: str) -> int:
    """The agent's peak, in MiB."""
    machine = AgentMachine(root=folder, programs=folder, home=folder, limit_s=LIMIT_S)
    await machine.start()
    pid = (await machine.last({"op": "hello"}))["pid"]
    entry = {"path": NAME, "size": size, "sha256": sha256, "urls": [hub.address(NAME)]}
    done = await machine.last({"op": "fetch", "dest": "models", "files": [entry]})
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    await machine.end()
    assert done["event"] == "done", done
    assert found
    print(f"download: {size / GIGABYTE:.1f} GB, at most {int(found[1]) // 1024} MiB of memory")
    return int(found[1]) // 1024


async def measured(folder: Path, size: int) -> dict[str, int]:
    async with hub_stage() as hub:
        up = await uploaded(folder / "bot", hub, size)
        down = await downloaded(folder / "machine", hub, size, up["sha256"])
    return {"upload_peak_mib": up["peak_mib"], "agent_peak_mib": down, "most_mib": MOST_MIB}


def main() -> int:
    """Print both peaks and, last, one JSON line; 1 if one is too high."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-gb", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder with the file's size")
    given = parser.parse_args()
    size = round(given.size_gb * GIGABYTE)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if shutil.disk_usage(folder).free < size:
            print(f"{folder} has no room for {given.size_gb} GB; name another one with --folder", file=sys.stderr)
            return 2
        for name in ("bot", "machine"):
            (Path(folder) / name).mkdir()
        found = asyncio.run(measured(Path(folder), size))
    print(json.dumps({"size_gb": given.size_gb, **found}))
    return int(max(found["upload_peak_mib"], found["agent_peak_mib"]) > MOST_MIB)


if __name__ == "__main__":
    sys.exit(main())
