"""The same files from the same mirrors by our agent alone, and by ``aria2c`` with sixteen connections a file."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.control.preparation import entry_of
from orchestrator.domain.workflows import ModelFile, in_load_order
from tests.adapters.agent.machine import AgentMachine

ARIA2C = ("aria2c", "--quiet", "--max-connection-per-server=16", "--split=16", "--max-concurrent-downloads=5")


async def by_agent(folder: Path, files: tuple[ModelFile, ...]) -> float:
    """Seconds until every file is there and verified."""
    async with _agent(folder) as agent:
        began = time.monotonic()
        request = {"op": "fetch", "dest": "models", "files": [entry_of(file) for file in in_load_order(files)]}
        async with agent.calling(request) as call:
            said, _ = await call.communicate()
        assert b'"done"' in said.splitlines()[-1], said[-500:]
        return time.monotonic() - began


@asynccontextmanager
async def _agent(folder: Path) -> AsyncIterator[AgentMachine]:
    for name in ("root", "programs", "home"):
        (folder / name).mkdir(parents=True)
    agent = AgentMachine(root=folder / "root", programs=folder / "programs", home=folder / "home")
    await agent.start()
    try:
        yield agent
    finally:
        await agent.end()


async def by_aria2c(folder: Path, files: tuple[ModelFile, ...], *, checks: bool) -> float:
    """The same; *checks* verifies the sha256 of each file, too."""
    folder.mkdir(parents=True)
    wanted = []
    for file in files:
        sha256 = [f"  checksum=sha-256={file.sha256}"] * checks
        wanted += ["\t".join(file.urls), f"  out={file.path}", *sha256]
    (folder / "list").write_text("\n".join(wanted) + "\n")
    began = time.monotonic()
    aria2c = await asyncio.create_subprocess_exec(*ARIA2C, f"--dir={folder}", f"--input-file={folder / 'list'}")
    assert await aria2c.wait() == 0
    return time.monotonic() - began
