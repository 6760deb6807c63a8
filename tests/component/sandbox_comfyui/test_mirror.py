"""The sandbox's mirrors: ranges as RFC 9110 has them, limits, and each way of going wrong."""

import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from orchestrator.sandbox.mirror import MIRROR_FAULTS, MirrorFault, MirrorFaults, Span, mirror_app, parse_range

CONTENT = bytes(range(256)) * 1024
PATH = "/models/unet/a.safetensors"
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    file = tmp_path / "mirror" / "unet" / "a.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    (tmp_path / "secret").write_text("not for everyone")
    (tmp_path / "mirror" / ".models.json").write_text("[]")
    return tmp_path / "mirror"


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[Client]:
    app = mirror_app(folder, bytes_per_s=2**30, bytes_per_s_per_connection=2**30)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
def faults(client: Client) -> MirrorFaults:
    assert client.app is not None
    return client.app[MIRROR_FAULTS]


async def test_whole_file_arrives_with_its_length_and_etag(client: Client) -> None:
    answer = await client.get(PATH)

    assert answer.status == 200
    assert await answer.read() == CONTENT
    assert answer.content_length == len(CONTENT)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert hashlib.sha256(CONTENT).hexdigest() not in answer.headers["ETag"]


async def test_head_tells_the_size_and_sends_nothing(client: Client) -> None:
    answer = await client.head(PATH, headers={"Range": "bytes=0-9"})

    assert answer.status == 200
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert await answer.read() == b""


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=1000-", 1000, len(CONTENT)), ("bytes=-5", len(CONTENT) - 5, len(CONTENT))],
)
async def test_range_is_answered_with_just_those_bytes(client: Client, asked: str, start: int, end: int) -> None:
    answer = await client.get(PATH, headers={"Range": asked})

    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert await answer.read() == CONTENT[start:end]


async def test_range_over_the_end_is_clipped(client: Client) -> None:
    answer = await client.get(PATH, headers={"Range": f"bytes=100-{len(CONTENT) * 2}"})

    assert answer.status == 206
    assert await answer.read() == CONTENT[100:]


async def test_range_behind_the_end_is_416(client: Client) -> None:
    answer = await client.get(PATH, headers={"Range": f"bytes={len(CONTENT)}-"})

    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_ranges_that_are_none_mean_the_whole_file() -> None:
    assert [parse_range(value, 10) for value in (None, "", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "pages=1-2")] == [
        None
    ] * 6
    assert parse_range("bytes=-20", 10) == Span(0, 10)


async def test_if_match_of_another_version_is_412(client: Client) -> None:
    etag = (await client.head(PATH)).headers["ETag"]

    assert (await client.get(PATH, headers={"If-Match": etag, "Range": "bytes=0-9"})).status == 206
    assert (await client.get(PATH, headers={"If-Match": '"other"'})).status == 412


@pytest.mark.parametrize(
    "path",
    [
        "/models/%2e%2e/secret",
        "/models/unet/..%2f..%2fsecret",
        "/models//etc/passwd",
        "/models/.models.json",
        "/models/unet",
        "/models/nothing",
    ],
)
async def test_nothing_but_models_can_be_read(client: Client, path: str) -> None:
    url = client.make_url("/").with_path(path, encoded=True)

    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 404


async def test_one_connection_is_held_to_its_rate(folder: Path) -> None:
    """A lower bound of time only: a busy computer makes it slower, never faster."""
    app = mirror_app(folder, bytes_per_s=2**30, bytes_per_s_per_connection=1_000_000)
    async with TestClient(TestServer(app)) as client:
        started = time.monotonic()
        await (await client.get(PATH)).read()

    assert time.monotonic() - started > len(CONTENT) / 1_000_000 * 0.8


async def test_all_connections_share_the_total_rate(folder: Path) -> None:
    app = mirror_app(folder, bytes_per_s=2_000_000, bytes_per_s_per_connection=2**30)
    async with TestClient(TestServer(app)) as client:
        started = time.monotonic()
        first = await client.get(PATH)
        second = await client.get(PATH)
        await first.read()
        await second.read()

    assert time.monotonic() - started > 2 * len(CONTENT) / 2_000_000 * 0.8


async def test_fault_hits_as_many_requests_as_asked_for(client: Client, faults: MirrorFaults) -> None:
    faults.switch_on(MirrorFault.HTML, requests=2)

    kinds = [(await client.get(PATH)).content_type for _ in range(3)]

    assert kinds == ["text/html", "text/html", "application/octet-stream"]


async def test_fault_without_a_number_stays_until_it_is_switched_off(client: Client, faults: MirrorFaults) -> None:
    faults.switch_on(MirrorFault.LIE)
    lies = [await (await client.get(PATH)).read() for _ in range(3)]
    faults.switch_off(MirrorFault.LIE)

    assert all(len(lie) == len(CONTENT) and lie != CONTENT for lie in lies)
    assert await (await client.get(PATH)).read() == CONTENT


async def test_dead_mirror_closes_without_an_answer(client: Client, faults: MirrorFaults) -> None:
    """Each request that the client sends is counted, so the one it repeats by itself is hit as well."""
    faults.switch_on(MirrorFault.DIE)

    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get(PATH)


async def test_ignored_range_gives_the_whole_file_with_200(client: Client, faults: MirrorFaults) -> None:
    faults.switch_on(MirrorFault.IGNORE_RANGE)

    answer = await client.get(PATH, headers={"Range": "bytes=10-19"})

    assert answer.status == 200
    assert await answer.read() == CONTENT


async def test_wrong_range_is_told_by_its_content_range(client: Client, faults: MirrorFaults) -> None:
    faults.switch_on(MirrorFault.WRONG_RANGE)

    answer = await client.get(PATH, headers={"Range": "bytes=10-19"})

    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes 11-20/{len(CONTENT)}"
    assert await answer.read() == CONTENT[11:21]


async def test_reset_breaks_the_connection_in_the_middle(client: Client, faults: MirrorFaults) -> None:
    faults.reset_after = 100_000
    faults.switch_on(MirrorFault.RESET, requests=1)

    answer = await client.get(PATH)
    with pytest.raises(aiohttp.ClientError):
        await answer.read()

    assert await (await client.get(PATH)).read() == CONTENT


async def test_slow_mirror_sends_at_one_percent(folder: Path) -> None:
    app = mirror_app(folder, bytes_per_s=2**30, bytes_per_s_per_connection=1_000_000)
    app[MIRROR_FAULTS].switch_on(MirrorFault.SLOW)
    async with TestClient(TestServer(app)) as client:
        started = time.monotonic()
        await (await client.get(PATH, headers={"Range": "bytes=0-2999"})).read()

    assert time.monotonic() - started > 3000 / 10_000 * 0.8
