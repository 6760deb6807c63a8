"""
A fetch whose agent is killed at random moments, and one that nobody disturbs: what is right, and what came twice.

``python -m tests.adapters.agent.kills --kills 50`` ends in one JSON line; 1 if a file is wrong or more than 3 % of one
without faults came twice. Bytes are counted where they are sent.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.adapters.agent.certificate import Certificate, make_certificate
from tests.adapters.agent.conftest import Mirrors
from tests.adapters.agent.machine import AgentMachine, Event

BIG = "unet/big.safetensors"
TWICE = 1.03
"""What may come in all without faults, over the size of the file."""
SECONDS_A_KILL = 0.4
"""How long the mirror takes for what comes between two kills."""
LIMIT_S = 600
JITTER_S = 0.25
"""Progress is told so often; kills come at any time between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    Of one fetch.

    Attributes:
        kills: That hit an agent with work left.
        kept: What was there before a kill was there after it, each time.
        refetched_share: Bytes that were sent beyond the file's size, over it.
    """

    kills: int
    right: bool
    kept: bool
    refetched_share: float


def make_big(folder: Path, size: int) -> Path:
    (folder / "unet").mkdir(parents=True)
    (folder / BIG).write_bytes(random.Random(BIG).randbytes(size))
    return folder


async def beyond(stream: asyncio.StreamReader, count: int) -> list[Event]:
    """Follow a fetch until it has more than so many bytes or is done; every event."""
    events: list[Event] = []
    async for line in stream:
        events.append(json.loads(line))
        if events[-1]["event"] != "progress" or events[-1]["bytes"] > count:
            return events
    raise AssertionError("the fetch ended without a word")


async def fetched_under_fire(machine: AgentMachine, mirrors: Mirrors, request: Event, kills: int) -> Outcome:
    """Kill the agent so many times, somewhere between any two bytes of the file, and let it end then."""
    size = (mirrors.folder / BIG).stat().st_size
    dice = random.Random(kills)
    had, hits, kept = 0, 0, True
    for moment in sorted(dice.randrange(size * 9 // 10) for _ in range(kills)):
        async with machine.calling(request) as caller:
            assert caller.stdout is not None
            first, *_, last = 2 * await beyond(caller.stdout, moment)
            kept &= first["bytes"] >= had
            if last["event"] == "progress":
                had, hits = last["bytes"], hits + 1
            await asyncio.sleep(dice.random() * JITTER_S)
            await machine.kill()
        await machine.start()
    done = await machine.last(request)
    await mirrors.all_answered()
    found = (machine.root / "comfyui" / "models" / BIG).read_bytes()
    return Outcome(
        kills=hits,
        right=done["event"] == "done" and found == (mirrors.folder / BIG).read_bytes(),
        kept=kept,
        refetched_share=round(sum(mirrors.served) / size - 1, 4),
    )


@asynccontextmanager
async def laboratory(
    folder: Path, big: Path, *, bytes_per_s: int, certificate: Certificate | None
) -> AsyncIterator[tuple[AgentMachine, Mirrors, Event]]:
    """An agent, one mirror, and the request for its file."""
    mirrors = Mirrors(big, tls=certificate.server() if certificate else None)
    await mirrors.add(bytes_per_s=bytes_per_s)
    folder.mkdir()
    seen = certificate.environment if certificate else {}
    machine = AgentMachine(root=folder, programs=folder, home=folder, environment=seen, limit_s=LIMIT_S)
    await machine.start()
    try:
        yield machine, mirrors, mirrors.chunked(BIG) | ({"fetchers": 2} if certificate else {})
    finally:
        await machine.end()
        for server in mirrors.servers:
            await server.close()


async def report(folder: Path, *, kills: int, size: int, tls: bool) -> tuple[Outcome, Outcome]:
    """One that nobody disturbs, and one that is killed."""
    big = make_big(folder / "big", size)
    certificate = make_certificate(folder) if tls else None
    rate = int(size / (kills + 1) / SECONDS_A_KILL)
    async with laboratory(folder / "calm", big, bytes_per_s=size // 5, certificate=certificate) as calm:
        undisturbed = await fetched_under_fire(*calm, kills=0)
    async with laboratory(folder / "fire", big, bytes_per_s=rate, certificate=certificate) as fire:
        killed = await fetched_under_fire(*fire, kills=kills)
    return undisturbed, killed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--size-mb", type=int, default=24)
    parser.add_argument("--tls", action="store_true", help="over HTTPS, by several processes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = given.size_mb * 1_000_000
        undisturbed, killed = asyncio.run(report(Path(folder), kills=given.kills, size=size, tls=given.tls))
    is_right = killed.right and killed.kept and undisturbed.right
    found = {
        "kills": killed.kills,
        "right": is_right,
        "refetched_share": killed.refetched_share,
        "refetched_share_without_faults": undisturbed.refetched_share,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return int(not is_right or undisturbed.refetched_share > TWICE - 1)


if __name__ == "__main__":
    sys.exit(main())
