"""
The agent's throughput with nothing in its way: ``make bench-fetch``.

One large file of random bytes on loopback, over HTTP and over HTTPS, from the same server for all: by the agent with
its sha256, by ``curl`` and ``sha256sum`` after it, by ``aria2c -x16 -s16`` with its own checksum, and by ``aria2c`` and
``sha256sum`` after it. They take turns, and medians count. The bound is what one core hashes, since the sha256 of one
file cannot be shared out; with fewer than four cores or so the server's work is in the figures, too. It needs a quiet
computer.
"""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.adapters.agent.certificate import Certificate, make_certificate
from tests.adapters.agent.machine import AgentMachine

GOAL_SHARE = 0.6
MEGABYTE = 1_000_000
BLOCK = 1 << 20
LIMIT_S = 600
NAME = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """
    What is fetched, and where to.

    Attributes:
        there: The file that is served.
        here: A folder that is empty before each turn.
    """

    url: str
    there: Path
    here: Path
    sha256: str
    certificate: Certificate | None

    @property
    def size(self) -> int:
        return self.there.stat().st_size

    def seen(self) -> Mapping[str, str]:
        return self.certificate.environment if self.certificate else {}


Turn = Callable[[Lab], Awaitable[float]]


async def by_agent(lab: Lab) -> float:
    """Seconds of a fetch by an agent that runs already, as it does on a machine; its children's start counts."""
    machine = AgentMachine(root=lab.here, programs=lab.here, home=lab.here, environment=lab.seen(), limit_s=LIMIT_S)
    await machine.start()
    entry = {"path": NAME, "size": lab.size, "sha256": lab.sha256, "urls": [lab.url]}
    began = time.perf_counter()
    done = await machine.last({"op": "fetch", "dest": "models", "files": [entry]})
    took = time.perf_counter() - began
    await machine.end()
    assert done["event"] == "done", done
    return took


async def by_curl(lab: Lab) -> float:
    began = time.perf_counter()
    trust = ["--cacert", str(lab.certificate.file)] if lab.certificate else []
    await _run("curl", "--silent", "--fail", *trust, "--output", str(lab.here / NAME), lab.url)
    await _check(lab)
    return time.perf_counter() - began


async def by_aria2c(lab: Lab) -> float:
    began = time.perf_counter()
    await _aria2c(lab, f"--checksum=sha-256={lab.sha256}")
    return time.perf_counter() - began


async def by_aria2c_then_sha256sum(lab: Lab) -> float:
    began = time.perf_counter()
    await _aria2c(lab)
    await _check(lab)
    return time.perf_counter() - began


async def _aria2c(lab: Lab, *more: str) -> None:
    """As its users call it, but that it need not write zeros first."""
    trust = [f"--ca-certificate={lab.certificate.file}"] if lab.certificate else []
    options = ["--no-conf", "--quiet", "-x16", "-s16", "--file-allocation=none"]
    await _run("aria2c", *options, *more, *trust, "--dir", str(lab.here), "--out", NAME, lab.url)


async def _check(lab: Lab) -> None:
    said = await _run("sha256sum", str(lab.here / NAME))
    assert said.startswith(lab.sha256), said


async def _run(*argv: str) -> str:
    child = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE)
    async with asyncio.timeout(LIMIT_S):
        said, _ = await child.communicate()
    assert child.returncode == 0, argv
    return said.decode()


TURNS: Mapping[str, Turn] = {
    "agent": by_agent,
    "curl": by_curl,
    "aria2c": by_aria2c,
    "aria2c_sha256sum": by_aria2c_then_sha256sum,
}


def hashing_speed() -> float:
    """Megabytes a second of one core's sha256."""
    block = os.urandom(BLOCK)
    began = time.process_time()
    digest = hashlib.sha256()
    for _ in range(1024):
        digest.update(block)
    return 1024 * BLOCK / MEGABYTE / (time.process_time() - began)


def make_file(path: Path, size: int) -> str:
    """Random bytes, so that nothing on the way can make less of them; gives their sha256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while size > 0:
            block = os.urandom(min(BLOCK, size))
            digest.update(block)
            size -= file.write(block)
    return digest.hexdigest()


@asynccontextmanager
async def serving(file: Path, certificate: Certificate | None) -> AsyncIterator[str]:
    """The file's address, while it is served by as many processes as there are cores."""
    pair = [str(certificate.file), str(certificate.key)] if certificate else []
    argv = [sys.executable, "-m", "tests.bench.fetch_server", str(file), str(os.cpu_count() or 1), *pair]
    server = await asyncio.create_subprocess_exec(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            port = int(await server.stdout.readline())
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}/{NAME}"
    finally:
        server.stdin.close()
        await server.wait()


async def measured(lab: Lab, rounds: int) -> dict[str, float]:
    """Megabytes a second of each, the median of all rounds; who begins changes from one to the next."""
    speeds: dict[str, list[float]] = {name: [] for name in TURNS}
    order = list(TURNS)
    for number in range(rounds):
        for name in order[number % len(order) :] + order[: number % len(order)]:
            lab.here.mkdir()
            speeds[name].append(lab.size / MEGABYTE / await TURNS[name](lab))
            shutil.rmtree(lab.here)
    for name, each in speeds.items():
        print(f"{lab.url.partition(':')[0]:5} {name:16} " + " ".join(f"{speed:7.0f}" for speed in each) + " MB/s")
    return {f"{name}_mb_s": round(statistics.median(each), 1) for name, each in speeds.items()}


async def report(folder: Path, *, size: int, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Of HTTP and of HTTPS."""
    there = folder / NAME
    sha256 = make_file(there, size)
    found: list[dict[str, float]] = []
    core = hashing_speed()
    print(f"sha256 of one core: {core:.0f} MB/s; {os.cpu_count()} cores; {size / MEGABYTE:.0f} MB, {rounds} rounds")
    for certificate in (None, make_certificate(folder)):
        async with serving(there, certificate) as url:
            lab = Lab(url=url, there=there, here=folder / "here", sha256=sha256, certificate=certificate)
            speeds = await measured(lab, rounds)
        share = {"share_of_sha256": round(speeds["agent_mb_s"] / core, 3)}
        found.append(speeds | share)
    plain, secure = found
    return plain | {"sha256_core_mb_s": round(core, 1)}, secure


def main() -> int:
    """Print every round and, last, one JSON line; 1 if the agent over HTTP misses its goal or aria2c's speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder with twice the file's size")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        plain, secure = asyncio.run(report(Path(folder), size=given.size_mb * MEGABYTE, rounds=given.rounds))
    print(json.dumps({**plain, "https": secure}))
    is_fast = plain["share_of_sha256"] >= GOAL_SHARE and plain["agent_mb_s"] >= plain["aria2c_mb_s"]
    return int(not is_fast)


if __name__ == "__main__":
    sys.exit(main())
