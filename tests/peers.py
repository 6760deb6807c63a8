"""Vendors' own clients, unmodified, in an environment of their own: scripts that a test has them run against a fake."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).parents[1] / ".venv" / "peers" / "bin" / "python"
LIMIT_S = 60.0


async def run_peer(script: str, *, env: Mapping[str, str] | None = None) -> Any:
    """
    Run *script* with the vendors' clients at hand; returns what it printed last, read as JSON.

    Raises:
        AssertionError: It failed; with what it said.
    """
    told = {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore", **(env or {})}
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-c", script, env=told, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()[-2000:]
    sys.stdout.write(out.decode())
    return json.loads(out.decode().strip().rpartition("\n")[2])
