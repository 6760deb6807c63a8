"""TLS in several processes: the same files as by one, whatever becomes of any of them."""

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.sandbox.mirror import MirrorFault
from tests.adapters.agent.certificate import Certificate, make_certificate
from tests.adapters.agent.conftest import SIZES, Mirrors, assert_complete
from tests.adapters.agent.kills import BIG, TWICE, fetched_under_fire, make_big
from tests.adapters.agent.machine import LIMIT_S, AgentMachine, Event, gone, is_alive

UNET = "unet/flux.safetensors"
TOTAL = sum(SIZES.values())
SLOW = 1_000_000
BIG_SIZE = 6_000_000
LISTENS = "0A"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def secure(models: Path, certificate: Certificate) -> AsyncIterator[Mirrors]:
    """No mirror yet; those to come speak TLS."""
    found = Mirrors(models, tls=certificate.server())
    yield found
    for server in found.servers:
        await nobody_at(server.port)
        await server.close()


async def nobody_at(port: int | None) -> None:
    """Wait until the server has noticed that its callers left: when closed it forgets those who broke TLS off."""
    here = f":{port:04X}"
    async with asyncio.timeout(LIMIT_S):
        while any(is_held(line.split(), here) for line in Path("/proc/net/tcp").read_text().splitlines()[1:]):
            await asyncio.sleep(0.01)


def is_held(row: list[str], port: str) -> bool:
    """Whether a line of the kernel's table is a connection of that port that some process has open."""
    return row[1].endswith(port) and row[3] != LISTENS and row[9] != "0"


@pytest.fixture
async def machine(bare_machine: AgentMachine, certificate: Certificate) -> AgentMachine:
    """A machine that trusts the mirrors."""
    bare_machine.environment = certificate.environment
    await bare_machine.start()
    return bare_machine


def by_two(request: Event) -> Event:
    """However few processors there are, and however little is to fetch."""
    return request | {"fetchers": 2}


async def children(machine: AgentMachine) -> list[int]:
    daemon = (await machine.last({"op": "hello"}))["pid"]
    listed = Path(f"/proc/{daemon}/task").glob("*/children")
    return [child for file in listed for child in map(int, file.read_text().split()) if is_alive(child)]


async def fetchers(machine: AgentMachine, stream: asyncio.StreamReader) -> list[int]:
    """The processes of a fetch that is under way, once some bytes have come."""
    async for line in stream:
        if json.loads(line)["bytes"] > 0:
            return await children(machine)
    raise AssertionError("the fetch ended first")


async def test_fetchers_bring_the_files_and_end(machine: AgentMachine, secure: Mirrors) -> None:
    await secure.add(bytes_per_s=SLOW)
    request = by_two(secure.chunked())

    async with machine.calling(request) as caller:
        assert caller.stdout is not None
        seen = await fetchers(machine, caller.stdout)
        last = [json.loads(line) async for line in caller.stdout][-1]

    assert len(seen) == 2
    assert last == {"event": "done", "bytes": TOTAL, "total": TOTAL}
    assert_complete(machine, secure)
    assert await children(machine) == []


async def test_next_to_nothing_comes_twice(machine: AgentMachine, secure: Mirrors, tmp_path: Path) -> None:
    """A fetcher tells at once what has come: who seems to have got nothing would be helped by others."""
    secure.folder = make_big(tmp_path / "big", BIG_SIZE)
    await secure.add(bytes_per_s=BIG_SIZE // 2)

    outcome = await fetched_under_fire(machine, secure, by_two(secure.chunked(BIG)), kills=0)

    assert outcome.right
    assert outcome.refetched_share < TWICE - 1


async def test_little_is_fetched_by_the_daemon_itself(machine: AgentMachine, secure: Mirrors) -> None:
    await secure.add(bytes_per_s=SLOW)

    async with machine.calling(secure.chunked()) as caller:
        assert caller.stdout is not None
        assert await fetchers(machine, caller.stdout) == []


@pytest.mark.parametrize("fault", list(MirrorFault))
async def test_one_bad_mirror_does_no_harm(machine: AgentMachine, secure: Mirrors, fault: MirrorFault) -> None:
    await secure.add()
    await secure.add()
    secure.faults(0).switch_on(fault)

    done = await machine.last(by_two(secure.chunked()))

    assert done["event"] == "done"
    assert_complete(machine, secure)


async def test_fetchers_that_are_killed_lose_only_what_they_were_at(machine: AgentMachine, secure: Mirrors) -> None:
    """Again and again, until the daemon does it itself."""
    await secure.add(bytes_per_s=SLOW)
    killed: set[int] = set()
    last: Event = {}

    async with machine.calling(by_two(secure.chunked())) as caller:
        assert caller.stdout is not None
        async for line in caller.stdout:
            for pid in set(await children(machine)) - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            last = json.loads(line)

    assert killed
    assert last == {"event": "done", "bytes": TOTAL, "total": TOTAL}
    assert_complete(machine, secure)


async def test_fetchers_end_with_a_daemon_that_is_killed(machine: AgentMachine, secure: Mirrors) -> None:
    await secure.add(bytes_per_s=SLOW)

    async with machine.calling(by_two(secure.chunked())) as caller:
        assert caller.stdout is not None
        seen = await fetchers(machine, caller.stdout)
        await machine.kill()
        for pid in seen:
            await gone(pid)

    await machine.start()
    assert (await machine.last(by_two(secure.chunked())))["event"] == "done"
    assert_complete(machine, secure)


async def test_no_daemon_begins_while_a_fetcher_of_the_last_one_may_write(
    machine: AgentMachine, secure: Mirrors
) -> None:
    await secure.add(bytes_per_s=SLOW)
    async with machine.calling(by_two(secure.chunked())) as caller:
        assert caller.stdout is not None
        seen = await fetchers(machine, caller.stdout)
        os.kill(seen[0], signal.SIGSTOP)
        await machine.kill()

    with (machine.root / "glowplug" / "agent.lock").open("w") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(seen[0], signal.SIGCONT)
        async with asyncio.timeout(LIMIT_S):
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)


async def test_full_disk_is_told(bare_machine: AgentMachine, secure: Mirrors, certificate: Certificate) -> None:
    await secure.add()
    bare_machine.environment = certificate.environment
    bare_machine.file_blocks = 1024
    await bare_machine.start()

    failed = await bare_machine.last(by_two(secure.chunked()))

    assert (failed["event"], failed["code"]) == ("failed", "disk_full")


async def test_mirror_whose_certificate_nobody_trusts_gets_nothing_done(
    bare_machine: AgentMachine, secure: Mirrors
) -> None:
    await secure.add()
    await bare_machine.start()

    failed = await bare_machine.last(by_two(secure.chunked(UNET)) | {"no_progress_s": 8})

    assert (failed["code"], "certificate verify failed" in failed["detail"]) == ("no_progress", True)
