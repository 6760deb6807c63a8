"""Other pages in the same browser: whatever they ask of whichever address, they get nothing and change nothing."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.adapters.web.events import Events
from bot.adapters.web.guard import HEADERS
from bot.adapters.web.server import _app
from bot.adapters.web.site import Site
from bot.adapters.web.surface import WebSurface
from bot.chat.surface import Backend
from bot.service.desk import open_desk
from bot.service.router import Router
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.component.bot.test_web import Api, serving

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WRITING = {("POST", "/api/commands"), ("POST", "/api/expect")}
PATHS = (
    *("/", "/static/app.js", "/healthz", "/api/commands", "/api/cards", "/api/cards/x", "/api/images/x"),
    *("/api/session", "/api/workflows", "/api/status", "/api/events", "/api/expect", "/api/nothing"),
)
FOREIGN = {
    "by another name of this computer": {"Host": "evil.example"},
    "from another page": {"Origin": "http://evil.example"},
    "from a page without a name": {"Origin": "null"},
    "from another port of this computer": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    "unseen by another page": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "in a frame": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
}
VISIT = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
async def api(orchestrator: FakeOrchestrator) -> AsyncIterator[Api]:
    async with serving(orchestrator) as api:
        yield api


async def asked(api: Api, method: str, path: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
    """The head of an answer; a stream's body would have no end."""
    body = {"text": "a cat", "user": "ada"} if method not in {"GET", "HEAD", "OPTIONS"} else None
    answer = await api.http.request(method, api.url + path, json=body, headers=headers, allow_redirects=False)
    answer.close()
    return answer


def test_every_route_is_known_here_and_two_of_them_write(orchestrator: FakeOrchestrator) -> None:
    """A new one is added to the lists above, and so to the tests below."""
    surface = WebSurface()
    desk = open_desk(orchestrator, [surface], lambda: orchestrator.now)
    backend = Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=lambda: orchestrator.now)
    site = Site(surface=surface, backend=backend)

    routes = [
        (route.method, route.resource.canonical)
        for route in _app(site, Events(site)).router.routes()
        if route.resource is not None
    ]

    assert {route for route in routes if route[0] not in {"GET", "HEAD"}} == WRITING
    assert {path.partition("{")[0] for _, path in routes} <= {path.removesuffix("x") for path in PATHS} | {"/static/"}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_answered_and_nothing_written_for_another_page(
    api: Api, orchestrator: FakeOrchestrator, path: str, headers: dict[str, str]
) -> None:
    statuses = {method: (await asked(api, method, path, headers)).status for method in METHODS}

    assert statuses == dict.fromkeys(METHODS, 403)
    assert orchestrator.requests == []
    assert orchestrator.expected == []
    assert api.surface.readers.of(None) == []


async def test_a_link_on_another_page_leads_here_and_writes_nothing(api: Api, orchestrator: FakeOrchestrator) -> None:
    assert (await asked(api, "GET", "/", VISIT)).status == 200
    assert (await asked(api, "POST", "/api/commands", VISIT)).status == 403
    assert orchestrator.requests == []


@pytest.mark.parametrize("path", PATHS)
async def test_no_address_opens_a_websocket_for_anybody(api: Api, path: str) -> None:
    """No browser asks before it opens one to another origin: there must be none, or it must look at Origin itself."""
    for origin, refusals in ((api.url, {200, 400, 404, 405}), ("http://evil.example", {403})):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await api.http.ws_connect(api.url + path, origin=origin)
        assert refused.value.status in refusals


@pytest.mark.parametrize("headers", [{}, {"Host": "evil.example"}], ids=["answered", "refused"])
@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_forbids_frames_scripts_and_embedding(api: Api, path: str, headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        said = (await asked(api, method, path, headers)).headers
        assert {name: said.get(name) for name in HEADERS} == HEADERS
        assert "Access-Control-Allow-Origin" not in said

    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
