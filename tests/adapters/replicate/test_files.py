"""Where pictures are fetched from, and who gets to see the key."""

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from orchestrator.adapters.inference.replicate.client import Client
from orchestrator.adapters.inference.replicate.files import Files
from orchestrator.domain.errors import InferenceFailed
from tests.contract.replicate_stage import KEY, QUICK

PNG = b"\x89PNG\r\n\x1a\n and so on"


async def fetched(link: str, *, api: str = "https://api.replicate.com") -> bytes:
    async with ClientSession() as session:
        return await Files(Client(url=api, key=KEY, session=session, limits=QUICK), QUICK).fetch(link)


@pytest.mark.parametrize(
    "link",
    [
        "http://replicate.delivery/x/out-0.png",
        "http://127.0.0.1:9/out-0.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "https:///out-0.png",
        "http://[",
        "",
    ],
)
async def test_pictures_come_over_https_alone(link: str) -> None:
    with pytest.raises(InferenceFailed):
        await fetched(link)


async def test_a_foreign_address_never_sees_the_key_not_even_when_it_asks() -> None:
    seen: list[str] = []

    async def ask(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(status=401)

    foreign = web.Application()
    foreign.router.add_get("/out-0.png", ask)
    async with TestServer(foreign) as server:
        with pytest.raises(InferenceFailed):
            await fetched(str(server.make_url("/out-0.png")), api="http://127.0.0.1:9")

    assert seen == [""]


async def test_a_picture_that_does_not_come_at_first_is_asked_for_again() -> None:
    answers = [web.Response(status=503), web.Response(body=PNG)]

    async def ask(_: web.Request) -> web.Response:
        return answers.pop(0)

    files = web.Application()
    files.router.add_get("/out-0.png", ask)
    async with TestServer(files) as server:
        picture = await fetched(str(server.make_url("/out-0.png")), api=str(server.make_url("/")))

    assert picture == PNG


async def test_a_picture_longer_than_any_is_not_read() -> None:
    async def flood(_: web.Request) -> web.Response:
        return web.Response(body=PNG + bytes(QUICK.picture_bytes))

    files = web.Application()
    files.router.add_get("/out-0.png", flood)
    async with TestServer(files) as server:
        with pytest.raises(InferenceFailed, match="more than"):
            await fetched(str(server.make_url("/out-0.png")), api=str(server.make_url("/")))
