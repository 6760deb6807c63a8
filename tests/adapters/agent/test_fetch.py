"""Model files: from all mirrors at once, right to the last byte, whatever the mirrors and the machine do."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.sandbox.mirror import MirrorFault
from tests.adapters.agent.conftest import SIZES, Mirrors, assert_complete
from tests.adapters.agent.machine import AgentMachine, Event

TOTAL = sum(SIZES.values())
UNET = "unet/flux.safetensors"
IMPATIENT = {"no_progress_s": 0.6}


async def progressed(stream: asyncio.StreamReader, *, beyond: int) -> Event:
    """Follow a fetch until it has more than so many bytes."""
    async for line in stream:
        event: Event = json.loads(line)
        assert event["event"] == "progress"
        if event["bytes"] > beyond:
            return event
    raise AssertionError("the fetch ended first")


@pytest.fixture
async def slow_mirror(mirrors: Mirrors) -> Mirrors:
    """Only one mirror, on which everything takes about two seconds: time to interfere."""
    for server in mirrors.servers:
        await server.close()
    mirrors.servers.clear()
    mirrors.served.clear()
    mirrors.asked.clear()
    mirrors.answered.clear()
    await mirrors.add(bytes_per_s=1_000_000)
    return mirrors


# What goes well.


async def test_files_arrive_from_all_mirrors(machine: AgentMachine, slow_mirror: Mirrors) -> None:
    """Two that take two seconds each when alone: neither can have it done before the other has begun."""
    mirrors = slow_mirror
    await mirrors.add(bytes_per_s=1_000_000)

    done = await machine.last(mirrors.manifest())

    assert done == {"event": "done", "bytes": TOTAL, "total": TOTAL}
    assert_complete(machine, mirrors)
    assert all(mirrors.served)


async def test_large_file_is_asked_for_in_ranges_over_kept_connections(machine: AgentMachine, mirrors: Mirrors) -> None:
    await machine.call(mirrors.manifest(UNET))

    assert sum(mirrors.asked) > 10
    assert all(headers["Range"].startswith("bytes=") for headers in mirrors.headers)


async def test_little_is_fetched_twice(machine: AgentMachine, mirrors: Mirrors) -> None:
    await machine.call(mirrors.manifest())

    assert TOTAL <= sum(mirrors.served) <= TOTAL * 1.1


async def test_progress_only_grows_and_names_the_file(machine: AgentMachine, slow_mirror: Mirrors) -> None:
    events = await machine.call(slow_mirror.manifest())

    progress = events[:-1]
    assert len(progress) > 4
    assert [event["bytes"] for event in progress] == sorted(event["bytes"] for event in progress)
    assert {event["total"] for event in progress} == {TOTAL}
    assert progress[1]["file"] == f"comfyui/models/{UNET}"
    assert max(event["rate"] for event in progress) > 100_000


async def test_what_is_there_is_not_fetched_again(machine: AgentMachine, mirrors: Mirrors) -> None:
    await machine.call(mirrors.manifest())
    mirrors.switch_on(MirrorFault.DIE)

    assert (await machine.last(mirrors.manifest(**IMPATIENT)))["bytes"] == 0


async def test_files_that_the_image_brought_are_verified_and_kept(machine: AgentMachine, mirrors: Mirrors) -> None:
    there = machine.root / "comfyui" / "models" / UNET
    there.parent.mkdir(parents=True)
    there.write_bytes((mirrors.folder / UNET).read_bytes())
    before = there.stat()

    done = await machine.last(mirrors.manifest(UNET))

    assert (done["event"], done["bytes"], sum(mirrors.asked)) == ("done", 0, 0)
    assert (there.stat().st_ino, there.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


async def test_file_of_the_right_size_and_wrong_bytes_is_replaced(machine: AgentMachine, mirrors: Mirrors) -> None:
    there = machine.root / "comfyui" / "models" / UNET
    there.parent.mkdir(parents=True)
    there.write_bytes(bytes(SIZES[UNET]))

    await machine.call(mirrors.manifest(UNET))

    assert_complete(machine, mirrors, UNET)


async def test_file_that_was_changed_since_is_fetched_again(machine: AgentMachine, mirrors: Mirrors) -> None:
    await machine.call(mirrors.manifest(UNET))
    there = machine.root / "comfyui" / "models" / UNET
    there.write_bytes(bytes(SIZES[UNET]))

    await machine.call(mirrors.manifest(UNET))

    assert_complete(machine, mirrors, UNET)


async def test_file_without_checksum_has_the_size_that_its_mirrors_tell(
    machine: AgentMachine, mirrors: Mirrors
) -> None:
    """Nobody has recorded it yet, so the manifest's size is an estimate."""
    request = mirrors.manifest(UNET)
    request["files"][0] |= {"sha256": None, "size": 1_000_000}

    done = await machine.last(request)
    again = await machine.last(request)

    assert (done["bytes"], again["bytes"]) == (SIZES[UNET], 0)
    assert_complete(machine, mirrors, UNET)


# Mirrors that go wrong.


@pytest.mark.parametrize("fault", list(MirrorFault))
async def test_one_bad_mirror_does_no_harm(machine: AgentMachine, mirrors: Mirrors, fault: MirrorFault) -> None:
    mirrors.faults(0).switch_on(fault)

    done = await machine.last(mirrors.manifest())

    assert done["event"] == "done"
    assert_complete(machine, mirrors)


@pytest.mark.parametrize("fault", [MirrorFault.RESET, MirrorFault.IGNORE_RANGE])
async def test_only_mirrors_that_break_or_ignore_ranges_still_do(
    machine: AgentMachine, mirrors: Mirrors, fault: MirrorFault
) -> None:
    mirrors.switch_on(fault)

    done = await machine.last(mirrors.manifest())

    assert done["event"] == "done"
    assert_complete(machine, mirrors)


@pytest.mark.parametrize("fault", [MirrorFault.DIE, MirrorFault.HTML, MirrorFault.WRONG_RANGE])
async def test_mirrors_that_send_nothing_useful_are_no_progress(
    machine: AgentMachine, mirrors: Mirrors, fault: MirrorFault
) -> None:
    mirrors.switch_on(fault)

    failed = await machine.last(mirrors.manifest(**IMPATIENT))

    assert (failed["event"], failed["code"]) == ("failed", "no_progress")
    assert "127.0.0.1" in failed["detail"]


async def test_mirrors_that_all_lie_are_a_bad_checksum_and_no_file(machine: AgentMachine, mirrors: Mirrors) -> None:
    mirrors.switch_on(MirrorFault.LIE)

    failed = await machine.last(mirrors.manifest())

    assert (failed["event"], failed["code"]) == ("failed", "bad_checksum")
    assert not (machine.root / "comfyui" / "models" / UNET).exists()


async def test_fetch_that_failed_works_once_the_mirror_is_well(machine: AgentMachine, mirrors: Mirrors) -> None:
    mirrors.switch_on(MirrorFault.DIE)
    await machine.call(mirrors.manifest(**IMPATIENT))
    for number in (0, 1):
        mirrors.faults(number).switch_off(MirrorFault.DIE)

    assert (await machine.last(mirrors.manifest(**IMPATIENT)))["event"] == "done"


async def test_mirror_that_is_down_for_a_moment_is_asked_again(machine: AgentMachine, mirrors: Mirrors) -> None:
    for number in (0, 1):
        mirrors.faults(number).switch_on(MirrorFault.DIE, requests=10)

    assert (await machine.last(mirrors.manifest()))["event"] == "done"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http:///nowhere", "nonsense"])
async def test_only_http_is_spoken(machine: AgentMachine, mirrors: Mirrors, url: str) -> None:
    request = mirrors.manifest(UNET, **IMPATIENT)
    request["files"][0]["urls"] = [url]

    failed = await machine.last(request)

    assert failed["code"] == "no_progress"
    assert "will not go" in failed["detail"]


# Redirects, as Hugging Face does them.


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def front() -> AsyncIterator[Callable[[Answer], Awaitable[TestServer]]]:
    """A server in front of the mirrors that answers as told."""
    servers: list[TestServer] = []

    async def serve(answer: Answer) -> TestServer:
        app = web.Application()
        app.router.add_get("/{path:.+}", answer)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        await server.close()


def through(front: TestServer, mirrors: Mirrors, *paths: str) -> Event:
    request = mirrors.manifest(*paths, **IMPATIENT)
    for entry in request["files"]:
        entry["urls"] = [str(front.make_url(f"/{entry['path']}"))]
    return request


async def test_redirect_is_followed_once_and_gives_nothing_away(
    machine: AgentMachine, mirrors: Mirrors, front: Callable[[Answer], Awaitable[TestServer]]
) -> None:
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        there = mirrors.servers[0].make_url(f"/models/{request.path[1:]}")
        return web.Response(status=302, headers={"Location": str(there), "Set-Cookie": "secret=1; Path=/"})

    server = await front(answer)
    done = await machine.last(through(server, mirrors, UNET))

    assert done["event"] == "done"
    assert asked < sum(mirrors.asked)
    given = {"Host", "Range", "Accept-Encoding", "User-Agent"}
    assert all(set(headers) == given for headers in mirrors.headers)


async def test_expired_redirect_is_asked_for_anew(
    machine: AgentMachine, mirrors: Mirrors, front: Callable[[Answer], Awaitable[TestServer]]
) -> None:
    """Signed addresses end after a while: then the first one gives another."""
    signatures: list[int] = []

    async def signed(request: web.Request) -> web.StreamResponse:
        if int(request.query["signature"]) < len(signatures) - 20:
            return web.Response(status=403, text="expired")
        content = (mirrors.folder / request.path[1:]).read_bytes()
        first, last = (int(part) for part in request.headers["Range"].removeprefix("bytes=").split("-"))
        if int(request.query["signature"]) == 0:
            signatures.extend([0] * 20)
        said = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return web.Response(status=206, body=content[first : last + 1], headers=said)

    cdn = await front(signed)

    async def answer(request: web.Request) -> web.StreamResponse:
        signatures.append(len(signatures))
        target = cdn.make_url(request.path).with_query(signature=str(len(signatures) - 1))
        return web.Response(status=307, headers={"Location": str(target)})

    server = await front(answer)
    done = await machine.last(through(server, mirrors, UNET))

    assert done["event"] == "done"
    assert_complete(machine, mirrors, UNET)


async def test_redirects_in_a_circle_end(
    machine: AgentMachine, mirrors: Mirrors, front: Callable[[Answer], Awaitable[TestServer]]
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": str(request.url)})

    failed = await machine.last(through(await front(answer), mirrors, UNET))

    assert (failed["code"], "redirects" in failed["detail"]) == ("no_progress", True)


async def test_body_longer_than_the_range_is_refused(
    machine: AgentMachine, mirrors: Mirrors, front: Callable[[Answer], Awaitable[TestServer]]
) -> None:
    """What a mirror says is held against what was asked, so that a hostile one fills no disk."""

    async def answer(request: web.Request) -> web.StreamResponse:
        first, last = request.headers["Range"].removeprefix("bytes=").split("-")
        said = {"Content-Range": f"bytes {first}-{last}/{SIZES[UNET]}"}
        return web.Response(status=206, body=bytes(5_000_000), headers=said)

    failed = await machine.last(through(await front(answer), mirrors, UNET))

    assert failed["code"] == "no_progress"


# The agent, its callers and the disk.


async def test_killed_agent_resumes_where_it_was(machine: AgentMachine, slow_mirror: Mirrors) -> None:
    async with machine.calling(slow_mirror.manifest()) as caller:
        assert caller.stdout is not None
        seen = await progressed(caller.stdout, beyond=500_000)
        await machine.kill()
        left = [json.loads(line) async for line in caller.stdout]

    await machine.start()
    done = await machine.last(slow_mirror.manifest())

    assert left[-1]["code"] == "agent_gone"
    assert done["event"] == "done"
    assert done["bytes"] <= TOTAL - seen["bytes"]
    assert_complete(machine, slow_mirror)


async def test_journal_of_another_file_is_not_believed(machine: AgentMachine, slow_mirror: Mirrors) -> None:
    part = machine.root / "comfyui" / "models" / f"{UNET}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(SIZES[UNET]))
    header = {"size": SIZES[UNET], "sha256": "0" * 64, "block": 32768, "mirrors": ["x"]}
    part.with_name(f"{part.name}.journal").write_bytes(json.dumps(header).encode() + b"\n" + b"\1" * 1000)

    await machine.call(slow_mirror.manifest(UNET))

    assert_complete(machine, slow_mirror, UNET)


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"[]\n", b"{}\n", b'{"mirrors": 3}\n'])
async def test_damaged_journal_costs_no_more_than_the_bytes(
    machine: AgentMachine, mirrors: Mirrors, junk: bytes
) -> None:
    part = machine.root / "comfyui" / "models" / f"{UNET}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 100)
    part.with_name(f"{part.name}.journal").write_bytes(junk)

    await machine.call(mirrors.manifest(UNET))

    assert_complete(machine, mirrors, UNET)


async def test_two_callers_join_in_one_fetch(machine: AgentMachine, slow_mirror: Mirrors) -> None:
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(machine.call(slow_mirror.manifest())) for _ in range(2)]

    assert [call.result()[-1]["event"] for call in calls] == ["done", "done"]
    assert TOTAL <= sum(slow_mirror.served) < 1.2 * TOTAL


async def test_addresses_signed_anew_join_the_fetch_under_way(machine: AgentMachine, slow_mirror: Mirrors) -> None:
    resigned = slow_mirror.manifest()
    for entry in resigned["files"]:
        entry["urls"] = [f"{url}?signature=2" for url in entry["urls"]]

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(machine.call(request)) for request in (slow_mirror.manifest(), resigned)]

    assert [call.result()[-1]["event"] for call in calls] == ["done", "done"]
    assert TOTAL <= sum(slow_mirror.served) < 1.2 * TOTAL


async def test_fetch_does_not_end_with_its_caller(machine: AgentMachine, slow_mirror: Mirrors) -> None:
    async with machine.calling(slow_mirror.manifest()) as caller:
        assert caller.stdout is not None
        await progressed(caller.stdout, beyond=0)

    done = await machine.last(slow_mirror.manifest())

    assert done["bytes"] == TOTAL  # of the one and only fetch


async def test_full_disk_is_told_at_once(bare_machine: AgentMachine, mirrors: Mirrors) -> None:
    bare_machine.file_blocks = 1024
    await bare_machine.start()

    failed = await bare_machine.last(mirrors.manifest())

    assert (failed["event"], failed["code"]) == ("failed", "disk_full")


async def test_more_than_the_disk_holds_is_not_begun(machine: AgentMachine, mirrors: Mirrors) -> None:
    request = mirrors.manifest(UNET)
    request["files"][0]["size"] = 2**44

    failed = await machine.last(request)

    assert failed["code"] == "disk_full"
    assert sum(mirrors.asked) == 0


@pytest.mark.parametrize("path", ["../escape", "/etc/escape", "unet/../../escape", "."])
async def test_nothing_is_written_outside_the_root(machine: AgentMachine, mirrors: Mirrors, path: str) -> None:
    request = mirrors.manifest(UNET)
    request["files"][0]["path"] = path

    assert (await machine.last(request))["code"] == "bad_request"


async def test_link_that_leads_outside_the_root_is_not_followed(machine: AgentMachine, mirrors: Mirrors) -> None:
    (machine.root / "comfyui").mkdir()
    (machine.root / "comfyui" / "models").symlink_to(machine.home)

    assert (await machine.last(mirrors.manifest(UNET)))["code"] == "bad_request"
    assert not list(machine.home.iterdir())


async def test_mirror_that_hangs_holds_nobody_up(
    machine: AgentMachine, mirrors: Mirrors, front: Callable[[Answer], Awaitable[TestServer]]
) -> None:
    """It takes requests and never answers; whoever is faster does its share, and the end does not wait for it."""
    release = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response(status=503)

    server = await front(answer)
    request = mirrors.manifest()
    for entry in request["files"]:
        entry["urls"].append(str(server.make_url(f"/{entry['path']}")))

    began = time.monotonic()
    done = await machine.last(request)
    took = time.monotonic() - began
    release.set()

    assert done["event"] == "done"
    assert took < 8, "a read gives up after ten seconds; the fetch must not wait for that"
