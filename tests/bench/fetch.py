"""
The agent's throughput with nothing in its way: ``make bench-fetch``.

One large file of random bytes on loopback, over HTTP and over HTTPS, from the same server for all: by the agent with
its sha256, by ``curl`` and ``sha256sum`` after it, by ``aria2c -x16 -s16`` with its own checksum, and by ``aria2c`` and
``sha256sum`` after it. They take turns, and medians count. The bound is what one core hashes, since the sha256 of one
file cannot be shared out; or, where that is less, what all cores bring together if each byte costs them what it costs
``curl``, ``sha256sum`` and the server. Both are printed, and the goal is held to sha256 alone. It needs a quiet
computer.
"""

import argparse
import asyncio
import hashlib
import json
import os
import resource
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
Report = dict[str, float]


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


def usable_cpus() -> int:
    return len(os.sched_getaffinity(0))


def cpu_of_children() -> float:
    """Seconds that the processes took that were started here and have ended, and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
    argv = [sys.executable, "-m", "tests.bench.fetch_server", str(file), str(usable_cpus()), *pair]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """
    Attributes:
        speeds: Megabytes a second of each, the median of all rounds.
        curl_cpu_s: Seconds of processor that ``curl`` and ``sha256sum`` took in all rounds.
    """

    speeds: Mapping[str, float]
    curl_cpu_s: float


async def measured(lab: Lab, rounds: int) -> Measured:
    """Let each have its turns; who begins changes from one round to the next."""
    speeds: dict[str, list[float]] = {name: [] for name in TURNS}
    order, curl_cpu_s = list(TURNS), 0.0
    for number in range(rounds):
        for name in order[number % len(order) :] + order[: number % len(order)]:
            lab.here.mkdir()
            before = cpu_of_children()
            speeds[name].append(lab.size / MEGABYTE / await TURNS[name](lab))
            curl_cpu_s += cpu_of_children() - before if name == "curl" else 0.0
            shutil.rmtree(lab.here)
    for name, each in speeds.items():
        print(f"{lab.url.partition(':')[0]:5} {name:16} " + " ".join(f"{speed:7.0f}" for speed in each) + " MB/s")
    return Measured(
        speeds={f"{name}_mb_s": round(statistics.median(each), 1) for name, each in speeds.items()},
        curl_cpu_s=curl_cpu_s,
    )


async def report_of(there: Path, here: Path, *, sha256: str, certificate: Certificate | None, rounds: int) -> Report:
    """Of HTTP, or of HTTPS where there is a certificate."""
    core, before = hashing_speed(), cpu_of_children()
    async with serving(there, certificate) as url:
        lab = Lab(url=url, there=there, here=here, sha256=sha256, certificate=certificate)
        found = await measured(lab, rounds)
        turns_cpu_s = cpu_of_children() - before
    server_cpu_s = cpu_of_children() - before - turns_cpu_s
    megabytes = lab.size / MEGABYTE * rounds
    cpu_s_per_mb = found.curl_cpu_s / megabytes + server_cpu_s / (megabytes * len(TURNS))
    bound = min(core, usable_cpus() / cpu_s_per_mb)
    agent = found.speeds["agent_mb_s"]
    return {
        **found.speeds,
        "sha256_core_mb_s": round(core, 1),
        "bound_mb_s": round(bound, 1),
        "share_of_sha256": round(agent / core, 3),
        "share_of_bound": round(agent / bound, 3),
    }


async def report(folder: Path, *, size: int, rounds: int) -> tuple[Report, Report]:
    """Of HTTP and of HTTPS."""
    there = folder / NAME
    sha256 = make_file(there, size)
    print(f"{usable_cpus()} cores; {size / MEGABYTE:.0f} MB, {rounds} rounds")
    plain, secure = [
        await report_of(there, folder / "here", sha256=sha256, certificate=certificate, rounds=rounds)
        for certificate in (None, make_certificate(folder))
    ]
    return plain, secure


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
