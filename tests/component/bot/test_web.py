"""The page's JSON API over a real socket, to the letter: other programs rely on it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot.adapters.web.readers import MOST_UNSENT, Readers, send
from bot.adapters.web.server import LARGEST_POST, WebOptions, run_web
from bot.adapters.web.site import Site
from bot.adapters.web.surface import WebSurface
from bot.chat.surface import Backend
from bot.service.desk import open_desk
from bot.service.posting import keep_posted
from bot.service.router import Router
from orchestrator.api import JobId, Notice, Running, UserId, Value
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import BEGIN, FakeOrchestrator
from tests.unit.bot.samples import cold

CARD_KEYS = {"id", "user", "state", "stages", "eta_s", "cost_usd", "images", "seed", "served_by", "error"}
ADA = UserId("web:ada")


@dataclass(kw_only=True)
class Api:
    """A program that uses the page."""

    http: aiohttp.ClientSession
    url: str
    surface: WebSurface

    async def post(self, body: Any, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        all_headers = {"Content-Type": "application/json"} | headers
        async with self.http.post(f"{self.url}/api/commands", data=data, headers=all_headers) as answer:
            return answer.status, await answer.json()

    async def expect(self, body: Any) -> int:
        async with self.http.post(f"{self.url}/api/expect", json=body) as answer:
            return answer.status

    async def say(self, text: str, user: str = "ada") -> Any:
        status, answer = await self.post({"text": text, "user": user})
        assert status == 200, answer
        return answer

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.http.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def serving(orchestrator: FakeOrchestrator) -> AsyncIterator[Api]:
    surface = WebSurface()
    desk = open_desk(orchestrator, [surface], lambda: orchestrator.now)
    backend = Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=lambda: orchestrator.now)
    site = Site(surface=surface, backend=backend)
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as http:
        options = WebOptions(port=0, on_listening=address.set_result)
        tasks = [group.create_task(run_web(site, options)), group.create_task(keep_posted(desk))]
        yield Api(http=http, url=await address, surface=surface)
        for task in tasks:
            task.cancel()


@pytest.fixture
async def api(orchestrator: FakeOrchestrator) -> AsyncIterator[Api]:
    async with serving(orchestrator) as api:
        yield api


def png(width: int = 600, height: int = 300) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, "PNG")
    return out.getvalue()


# Commands.


async def test_a_prompt_gives_a_card_with_every_key_of_the_contract(api: Api) -> None:
    answer = await api.say("/imagine a lighthouse at dusk --seed 7")

    card = answer["card"]
    assert answer.keys() == {"card"}
    assert card.keys() >= CARD_KEYS
    assert (card["user"], card["state"], card["seed"]) == ("ada", "queued", 7)
    assert (card["stages"], card["eta_s"], card["images"], card["error"]) == ([], None, [], None)
    assert card["cost_usd"] == 0


async def test_who_is_about_to_ask_is_told_once_a_minute(api: Api, orchestrator: FakeOrchestrator) -> None:
    for user in ("ada", "ada", "bob"):
        assert await api.expect({"user": user}) == 200
    orchestrator.now += timedelta(minutes=1)
    await api.expect({"user": "ada"})

    assert orchestrator.expected == ["web:ada", "web:bob", "web:ada"]


async def test_nobody_is_expected_whose_name_is_none(api: Api, orchestrator: FakeOrchestrator) -> None:
    bodies: list[Any] = [[], {"user": 7}, "ada"]
    assert [await api.expect(body) for body in bodies] == [400, 400, 400]
    assert not orchestrator.expected


async def test_a_text_without_a_slash_is_a_prompt(api: Api) -> None:
    assert (await api.say("a lighthouse"))["card"]["view"]["prompt"] == "a lighthouse"


async def test_several_cards_stand_beside_the_first(api: Api) -> None:
    answer = await api.say("/imagine a {red, blue} hat --yes")

    assert [card["view"]["prompt"] for card in answer["cards"]] == ["a red hat", "a blue hat"]
    assert answer["card"] == answer["cards"][0]


async def test_several_are_asked_about_first(api: Api, orchestrator: FakeOrchestrator) -> None:
    reply = (await api.say("/imagine a {red, blue} hat"))["reply"]

    assert reply["confirm"] == {"text": "Start 2 requests", "command": "/imagine a {red, blue} hat --yes"}
    assert (reply["jobs"], reply["pictures"]) == (2, 2)
    assert orchestrator.requests == []


async def test_other_commands_give_a_reply(api: Api) -> None:
    reply = (await api.say("/status"))["reply"]

    assert isinstance(reply["text"], str)
    assert isinstance(reply["lines"], list)
    assert reply.keys() >= {"sessions", "instances", "queue", "unknown_machines", "today_usd", "month_usd"}


async def test_the_same_key_is_run_once_for_one_person(api: Api, orchestrator: FakeOrchestrator) -> None:
    bodies = [{"text": "a cat", "user": user, "key": "k1"} for user in ("ada", "ada", "bob")]

    first, second, bobs = [(await api.post(body))[1]["card"]["id"] for body in bodies]

    assert first == second != bobs
    assert len(orchestrator.requests) == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[" * 10_000, "must be JSON"),
        (b"[]", "must be a JSON object"),
        ({}, '"text" must say'),
        ({"user": "ada"}, '"text" must say'),
        ({"text": 5, "user": "ada"}, '"text" must say'),
        ({"text": "  ", "user": "ada"}, '"text" must say'),
        ({"text": "a cat", "user": ""}, "A name has 1 to 40 characters"),
        ({"text": "a cat", "user": 7}, "A name has 1 to 40 characters"),
        ({"text": "a cat", "user": "x" * 41}, "A name has 1 to 40 characters"),
        ({"text": "a cat", "user": "a\nb"}, "A name has 1 to 40 characters"),
        ({"text": "a cat", "user": "\ud800"}, "A name has 1 to 40 characters"),
        ({"text": "a cat", "key": 7}, '"key" must be'),
        ({"text": "a cat", "key": "k" * 201}, '"key" must be'),
        ({"text": "x" * LARGEST_POST}, "too long"),
        ({"text": "/imagin a cat"}, "Did you mean /imagine?"),
        ({"text": "/imagine"}, "Say what to paint"),
        ({"text": "a cat --workflow nothing"}, "There is no workflow nothing"),
        ({"text": "a cat --steps 999"}, "--steps must be 1 to 50"),
    ],
)
async def test_a_mistake_is_400_and_one_sentence(
    api: Api, orchestrator: FakeOrchestrator, body: Any, says: str
) -> None:
    status, answer = await api.post(body)

    assert status == 400
    assert answer.keys() == {"error"}
    assert says in answer["error"]
    assert orchestrator.requests == []


async def test_a_bug_of_ours_is_a_sentence_too(api: Api, orchestrator: FakeOrchestrator) -> None:
    orchestrator.refuse = ValueError("a bug")  # type: ignore[assignment] # what no port promises

    status, answer = await api.post({"text": "a cat"})

    assert (status, answer) == (500, {"error": "The bot could not do that; its log says why."})


# Cards.


async def test_cards_are_the_newest_first_and_outlast_a_restart(orchestrator: FakeOrchestrator) -> None:
    async with serving(orchestrator) as api:
        ids = [(await api.say(f"cat {number}"))["card"]["id"] for number in range(3)]
    orchestrator.restart()

    async with serving(orchestrator) as api:
        _, cards = await api.get("/api/cards")

    assert [card["id"] for card in cards] == ids[::-1]


async def test_cards_of_one_person_in_pages(api: Api) -> None:
    ids = [(await api.say(f"cat {number}"))["card"]["id"] for number in range(5)]
    await api.say("a dog", user="bob")

    _, first = await api.get("/api/cards?user=ada&limit=2")
    _, then = await api.get(f"/api/cards?user=ada&limit=2&before={first[-1]['id']}")

    assert [card["id"] for card in [*first, *then]] == ids[:0:-1]


async def test_two_hundred_cards_are_given_by_default(api: Api) -> None:
    for batch in range(6):
        await api.say("{" + ",".join(f"cat {batch}-{number}" for number in range(40)) + "} --yes")

    _, cards = await api.get("/api/cards")

    assert len(cards) == 200


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=99999", "user="])
async def test_a_question_that_makes_no_sense_is_400(api: Api, query: str) -> None:
    status, answer = await api.get(f"/api/cards?{query}")

    assert status == 400
    assert answer["error"]


async def test_one_card_goes_through_its_states(api: Api, orchestrator: FakeOrchestrator) -> None:
    name = JobId((await api.say("a cat"))["card"]["id"])
    orchestrator.move(name, cold(done=1, total=2))

    _, cold_start = await api.get(f"/api/cards/{name}")
    orchestrator.succeed(name, png())
    _, done = await api.get(f"/api/cards/{name}")

    assert (cold_start["state"], cold_start["eta_s"]) == ("cold_start", [120.0, 240.0])
    assert (done["state"], done["served_by"], done["cost_usd"]) == ("succeeded", "your RTX 4090", 0.0013)
    assert done["images"] == [f"{name}-0"]


async def test_stages_have_a_name_a_state_and_seconds(api: Api, orchestrator: FakeOrchestrator) -> None:
    name = JobId((await api.say("a cat"))["card"]["id"])
    status = cold()
    orchestrator.views[name] = replace(orchestrator.views[name], status=status, stages=status.stages)
    orchestrator.now += timedelta(seconds=20)

    _, card = await api.get(f"/api/cards/{name}")

    assert card["stages"][0] == {"name": "provision", "state": "done", "seconds": 2.0}
    assert card["stages"][-2] == {"name": "models", "state": "running", "seconds": 10.0}
    assert card["stages"][-1] == {"name": "smoke", "state": "waiting", "seconds": None}
    assert card["eta_s"] == [100.0, 220.0]


async def test_a_failed_card_has_its_sentence(api: Api, orchestrator: FakeOrchestrator) -> None:
    name = JobId((await api.say("a cat"))["card"]["id"])
    orchestrator.fail(name, "out_of_vram")

    _, card = await api.get(f"/api/cards/{name}")

    assert card["state"] == "failed"
    assert card["error"].startswith("The GPU has too little memory for this")


async def test_what_is_not_there_is_404_and_a_sentence(api: Api) -> None:
    for path in (
        "/api/cards/nothing",
        "/api/images/nothing",
        "/api/nothing",
        "/static/nothing.js",
        "/static/..%2fwire.py",
    ):
        status, answer = await api.get(path)
        assert status == 404
        assert answer["error"]


# Pictures.


async def test_a_picture_is_its_bytes_for_ever(api: Api, orchestrator: FakeOrchestrator) -> None:
    name = JobId((await api.say("a cat"))["card"]["id"])
    orchestrator.succeed(name, png())

    async with api.http.get(f"{api.url}/api/images/{name}-0") as answer:
        assert await answer.read() == png()
        assert answer.content_type == "image/png"
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_smaller_copy_is_no_wider_than_a_step_above_what_was_asked_for(
    api: Api, orchestrator: FakeOrchestrator
) -> None:
    name = JobId((await api.say("a cat"))["card"]["id"])
    orchestrator.succeed(name, png())

    for _ in range(2):  # made, then kept
        async with api.http.get(f"{api.url}/api/images/{name}-0?w=200") as answer:
            small = Image.open(io.BytesIO(await answer.read()))
            assert (small.size, answer.content_type) == ((256, 128), "image/webp")


async def test_a_picture_keeps_its_prompt_only_for_whom_asks_for_it(api: Api, orchestrator: FakeOrchestrator) -> None:
    info = PngInfo()
    info.add_text("prompt", "a secret cat")
    target = io.BytesIO()
    Image.new("RGB", (8, 8)).save(target, "PNG", pnginfo=info)
    name = JobId((await api.say("a cat"))["card"]["id"])
    orchestrator.succeed(name, target.getvalue())

    async with api.http.get(f"{api.url}/api/images/{name}-0") as plain:
        assert b"secret" not in await plain.read()
    async with api.http.get(f"{api.url}/api/images/{name}-0?metadata=1") as asked:
        assert await asked.read() == target.getvalue()


async def test_what_is_no_picture_is_not_called_one(api: Api, orchestrator: FakeOrchestrator) -> None:
    name = JobId((await api.say("a cat"))["card"]["id"])
    orchestrator.succeed(name, b"<script>alert(1)</script>")

    async with api.http.get(f"{api.url}/api/images/{name}-0") as answer:
        assert answer.content_type == "application/octet-stream"


# The rest that pages read.


async def test_the_session_is_told_with_its_prices(api: Api, orchestrator: FakeOrchestrator) -> None:
    assert await api.get("/api/session?user=ada") == (200, {"session": None})
    orchestrator.warm(ADA)

    _, answer = await api.get("/api/session?user=ada")

    session = answer["session"]
    assert (session["state"], session["machine"], session["usd_hour"]) == ("warm", "RTX 4090, Sweden", 0.34)
    assert session["warm_until"] == (BEGIN + timedelta(minutes=10)).timestamp()
    assert session["keep_usd_30min"] == pytest.approx(0.113334)


async def test_workflows_and_status_are_told(api: Api) -> None:
    _, workflows = await api.get("/api/workflows")
    _, status = await api.get("/api/status")

    assert [workflow["name"] for workflow in workflows] == ["paint", "repaint"]
    assert next(p for p in workflows[0]["parameters"] if p["name"] == "count")["flag"] == "n"
    [cloud] = status["clouds"]
    assert cloud.items() >= {"name": "sandbox", "problem": "", "unknown_machines": 0, "checked_s_ago": 3.0}.items()
    assert cloud.keys() >= {"key_good", "balance_usd", "runway_h", "last_error", "limited_until"}
    assert status["apis"] == []


async def test_a_persons_own_loras_are_offered_to_them_alone(api: Api) -> None:
    await api.say("/lora add sketch https://a.example/sketch.safetensors")

    _, ada = await api.get("/api/workflows?user=ada")
    _, bob = await api.get("/api/workflows?user=bob")

    assert "sketch" in ada[0]["loras"]
    assert "sketch" not in bob[0]["loras"]


async def test_health_is_told_once_commands_are_accepted_and_until_the_bot_stops(api: Api) -> None:
    assert await api.get("/healthz") == (200, {"ok": True})

    api.surface.readers.close()

    assert await api.get("/healthz") == (503, {"ok": False})
    assert (await api.post({"text": "a cat"}))[0] == 503


async def test_the_page_and_its_files_are_checked_for_newer_versions(api: Api) -> None:
    async with api.http.get(f"{api.url}/") as page:
        assert page.content_type == "text/html"
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["Referrer-Policy"] == "no-referrer"
    async with api.http.get(f"{api.url}/static/app.js") as script:
        etag = script.headers["ETag"]
    async with api.http.get(f"{api.url}/static/app.js", headers={"If-None-Match": etag}) as unchanged:
        assert unchanged.status == 304


# Who is answered.


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.2", ""]
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/cards", "/api/nothing"])
async def test_any_other_host_is_refused(api: Api, host: str, path: str) -> None:
    status, answer = await api.get(path, Host=host)

    assert status == 403
    assert answer["error"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8600", "[::1]:8600"])
async def test_a_name_of_this_computer_is_answered(api: Api, host: str) -> None:
    assert (await api.get("/healthz", Host=host))[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", ""])
async def test_a_foreign_origin_is_refused(api: Api, orchestrator: FakeOrchestrator, origin: str) -> None:
    status, answer = await api.post({"text": "a cat"}, Origin=origin)

    assert status == 403
    assert answer["error"]
    assert orchestrator.requests == []


async def test_its_own_origin_and_none_are_accepted(api: Api) -> None:
    assert (await api.post({"text": "a cat"}, Origin=api.url))[0] == 200
    assert (await api.post({"text": "a cat"}))[0] == 200


async def test_a_post_that_a_form_could_send_is_refused(api: Api, orchestrator: FakeOrchestrator) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        status, answer = await api.post({"text": "a cat"}, **{"Content-Type": kind})
        assert status == 415
        assert answer["error"]
    assert (await api.post({"text": "a cat"}, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
    assert orchestrator.requests == []


# Events.


@asynccontextmanager
async def events(api: Api, query: str = "") -> AsyncIterator[aiohttp.StreamReader]:
    async with api.http.get(f"{api.url}/api/events{query}") as stream:
        assert stream.content_type == "text/event-stream"
        assert await stream.content.readline() == b"retry: 1000\n"
        yield stream.content


async def next_event(content: aiohttp.StreamReader) -> tuple[str, Any]:
    kind = ""
    async with asyncio.timeout(10):
        while True:
            line = (await content.readline()).decode().strip()
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if line.startswith("data: "):
                return kind, json.loads(line.removeprefix("data: "))


async def card_events(content: aiohttp.StreamReader, state: str) -> list[Any]:
    seen: list[Any] = []
    while not seen or seen[-1]["state"] != state:
        kind, data = await next_event(content)
        seen += [data] if kind == "card" else []
    return seen


async def test_a_card_is_followed_to_its_end(api: Api, orchestrator: FakeOrchestrator) -> None:
    async with events(api) as content:
        name = JobId((await api.say("a cat"))["card"]["id"])
        orchestrator.succeed(name, png())

        seen = await card_events(content, "succeeded")

    assert {card["id"] for card in seen} == {name}
    revisions = [card["revision"] for card in seen]
    assert revisions == sorted(revisions)


async def test_a_page_may_ask_for_one_persons_events(api: Api, orchestrator: FakeOrchestrator) -> None:
    async with events(api, "?user=ada") as content:
        await api.say("a dog", user="bob")
        name = JobId((await api.say("a cat"))["card"]["id"])
        orchestrator.succeed(name, png())

        seen = await card_events(content, "succeeded")

    assert {card["user"] for card in seen} == {"ada"}


async def test_a_change_of_the_session_is_told(api: Api, orchestrator: FakeOrchestrator) -> None:
    name = JobId((await api.say("a cat"))["card"]["id"])
    async with events(api) as content:
        orchestrator.warm(ADA)
        orchestrator.succeed(name, png())

        while (event := await next_event(content))[0] != "session":
            assert event[0] == "card"

    assert event[1] == {"user": "ada"}


async def test_news_is_told_to_open_pages(orchestrator: FakeOrchestrator) -> None:
    values: dict[str, Value] = {"cloud": "sandbox", "machine": "m"}
    orchestrator.open_notices = {1: Notice(id=1, user=None, key="orphan_ended", values=values, topic="t", at=BEGIN)}
    surface = WebSurface()
    reader = surface.readers.add("")
    assert reader is not None
    desk = open_desk(orchestrator, [surface], lambda: BEGIN)
    async with asyncio.TaskGroup() as group:
        loops = group.create_task(keep_posted(desk))
        await until(lambda: not orchestrator.open_notices)
        loops.cancel()

    assert b"event: notice" in await reader.take()


async def test_the_stream_ends_when_the_bot_stops(api: Api) -> None:
    async with events(api) as content:
        await asyncio.sleep(0)
        api.surface.readers.close()

        async with asyncio.timeout(5):
            assert b"event" not in await content.read()


async def test_a_reader_gets_the_newest_of_each_thing_and_a_slow_one_is_let_go_of() -> None:
    readers = Readers()
    reader = readers.add("")
    assert reader is not None
    for number in range(3):
        send(readers.of(None), "card", "job1", {"n": number})
    assert await reader.take() == b'event: card\ndata: {"n": 2}\n\n'

    for number in range(MOST_UNSENT + 1):
        send(readers.of(None), "card", f"job{number}", {})

    assert reader.is_closed
    assert await reader.take() == b""


async def test_there_is_room_for_so_many_pages_only() -> None:
    readers = Readers()
    opened = [readers.add("") for _ in range(101)]

    assert opened[-1] is None
    assert all(opened[:-1])


async def test_progress_of_a_busy_job_is_a_few_versions_a_second(api: Api, orchestrator: FakeOrchestrator) -> None:
    async with events(api) as content:
        name = JobId((await api.say("a cat"))["card"]["id"])
        for done in range(200):
            orchestrator.move(name, Running(done=done, of=200, eta=None, served_by=""))
            await asyncio.sleep(0)
        orchestrator.succeed(name, png())

        seen = await card_events(content, "succeeded")

    assert len(seen) <= 6
