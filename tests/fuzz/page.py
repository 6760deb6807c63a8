"""The page's API, the real orchestrator and its database behind it: every route ends in 2xx or 4xx, never in 500."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote_from_bytes

import aiohttp
from yarl import URL

from bot.adapters.charts import cost_chart
from bot.adapters.web.server import WebOptions, run_web
from bot.adapters.web.site import Site
from bot.adapters.web.surface import WebSurface
from bot.chat.surface import Backend
from bot.chat.typed import COMMANDS
from bot.service.desk import open_desk
from bot.service.router import Router
from orchestrator.adapters.system import SystemClock
from orchestrator.app import open_orchestrator
from orchestrator.settings import Settings
from tests.fuzz.harness import Feed, Subject
from tests.fuzz.mutate import ODD_TEXTS, Mutator

WORDS = (
    *(spoken.example for spoken in COMMANDS.values()),
    *COMMANDS,
    "a cat --seed 7",
    "{red, blue} hats --yes",
    "/admin budget day 5",
    "/admin user ada",
    "/admin words add x",
    "/vary x 2",
)
READS = ("/api/cards", "/api/cards/{}", "/api/images/{}", "/api/session", "/api/workflows", "/api/status", "/static/{}")
PARAMETERS = ("user", "limit", "before", "w", "metadata", "x")
VALUES = ("ada", "1", "200", "1000", "-1", "job-1", "", *ODD_TEXTS[:20])
KINDS = ("application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense", "")
MOST_BODY = 70_000


class Refused(Exception):
    """The page answered 4xx, with a sentence."""


@asynccontextmanager
async def page() -> AsyncIterator[str]:
    """Run the page on an empty database, with nothing to rent from."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate({"GLOWPLUG_DATA": folder, "GLOWPLUG_MAX_QUEUE": "50"})
        async with open_orchestrator(settings) as orchestrator, asyncio.TaskGroup() as group:
            surface, now = WebSurface(), SystemClock().now
            desk = open_desk(orchestrator, [surface], now, chart=cost_chart)
            backend = Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=now)
            address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            options = WebOptions(port=0, on_listening=address.set_result)
            serving = group.create_task(run_web(Site(surface=surface, backend=backend), options))
            yield await address
            serving.cancel()


@asynccontextmanager
async def _opened() -> AsyncIterator[Feed]:
    async with page() as url, aiohttp.ClientSession() as http:

        async def feed(mutator: Mutator) -> object:
            method, path, body, headers = request(mutator)
            where = URL(url + path, encoded=True)
            async with http.request(
                method, where, data=body, headers=headers, allow_redirects=False, skip_auto_headers=("Content-Type",)
            ) as answer:
                said = await answer.read() if answer.content_type != "text/event-stream" else b"{}"
                assert answer.status < 500, f"{method} {path}: {answer.status}"
                if answer.status < 400:
                    return said
                if method != "HEAD" and answer.content_type == "application/json":
                    assert json.loads(said)["error"], "no sentence"
                raise Refused(f"{answer.status}")

        yield feed


def request(mutator: Mutator) -> tuple[str, str, bytes, dict[str, str]]:
    """One request: half of them commands."""
    headers = {"Content-Type": "application/json" if mutator.dice.random() < 0.8 else mutator.one_of(KINDS)}
    if mutator.chance(30):
        headers |= mutator.one_of(({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}))
    if mutator.chance(2):
        said = {"text": mutator.one_of(WORDS), "user": mutator.one_of(("ada", "bob", "eve")), "key": "k"}
        del said["key" if not mutator.chance(6) else "user"]
        path = mutator.one_of(("/api/commands", "/api/commands", "/api/expect"))
        return "POST", path, mutator.as_json(said)[:MOST_BODY], headers
    path = mutator.one_of(READS).replace("{}", _segment(mutator))
    query = "&".join(f"{mutator.one_of(PARAMETERS)}={_segment(mutator)}" for _ in range(mutator.dice.randrange(3)))
    method = mutator.one_of(("GET", "GET", "GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"))
    if mutator.chance(20):
        path = "/api/events"
    return method, f"{path}?{query}" if query else path, b"", headers


def _segment(mutator: Mutator) -> str:
    """A piece of an address, percent-encoded; some of it is no UTF-8."""
    raw: bytes = mutator.one_of(VALUES)[:300].encode("utf-8", "surrogatepass")
    return quote_from_bytes(mutator.damaged(raw)[:600] if mutator.chance(3) else raw, safe="")


SUBJECTS = (Subject(name="page", opened=_opened, refusals=(Refused,)),)
