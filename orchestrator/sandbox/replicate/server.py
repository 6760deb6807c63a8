"""Replicate's HTTP API, as far as it is used here, over a studio that paints."""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from orchestrator.adapters.system import SystemClock
from orchestrator.sandbox.gate import loopback_only
from orchestrator.sandbox.replicate.account import Account
from orchestrator.sandbox.replicate.models import MODELS, faults_of, inputs_of
from orchestrator.sandbox.replicate.prediction import Prediction
from orchestrator.sandbox.replicate.troubles import Trouble
from orchestrator.sandbox.replies import Handler, cut, reply
from orchestrator.sandbox.struck import TROUBLES
from orchestrator.sandbox.studio import Studio

ACCOUNT: web.AppKey[Account] = web.AppKey("account", Account)
SILENCE_S = 3600.0
LONG = 8 * 2**20
LONGEST_WAIT_S = 60
LARGEST_BODY = 1024 * 1024
_PREFER = re.compile(r"wait(?:=([1-9]|[1-5][0-9]|60))?")
_SPANS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def app(studio: Studio, key: str) -> web.Application:
    """
    Build the server of one account; its troubles are struck through :data:`TROUBLES`.

    Args:
        key: The account's only token.
    """
    account = Account(studio=studio, now=SystemClock().now)
    api = _Api(account, key)
    app = web.Application(middlewares=[loopback_only, api.guard], client_max_size=LARGEST_BODY)
    app[ACCOUNT], app[TROUBLES] = account, account.troubles
    app.cleanup_ctx.append(_working)
    app.add_routes(
        [
            web.post("/v1/models/{owner}/{name}/predictions", api.create),
            web.post("/v1/predictions", api.create),
            web.get("/v1/predictions", api.list),
            web.get("/v1/predictions/{id}", api.get),
            web.post("/v1/predictions/{id}/cancel", api.cancel),
            web.get("/v1/models/{owner}/{name}", api.model),
            web.get("/files/{id}/{file}", api.file),
        ]
    )
    return app


async def _working(app: web.Application) -> AsyncIterator[None]:
    async with app[ACCOUNT].open():
        yield


class _Api:
    def __init__(self, account: Account, key: str) -> None:
        self._account = account
        self._key = key

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who has the key, and let happen what befalls every answer."""
        strikes = self._account.troubles.take
        if strikes(Trouble.SILENT):
            await asyncio.sleep(SILENCE_S)
        if strikes(Trouble.OUT_OF_ORDER):
            return _problem(500, "Internal server error", "Something went wrong on our side.")
        if not request.path.startswith("/files/") and not self._has_key(request):
            return _problem(401, "Unauthenticated", "You did not pass a valid authentication token")
        if strikes(Trouble.GARBLED):
            await handler(request)
            return web.Response(text="<!doctype html><h1>Just a moment...</h1>", content_type="text/html")
        if strikes(Trouble.TOO_LONG):
            await handler(request)
            return web.Response(body=b" " * LONG, content_type="application/json")
        return await handler(request)

    def _has_key(self, request: web.Request) -> bool:
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {self._key}".encode())

    # Orders.

    async def create(self, request: web.Request) -> web.StreamResponse:
        self._account.orders += 1
        body = await _read_object(request)
        model = _model_of(request) or str(body.get("version", ""))
        given = body.get("input")
        if refused := self._refused(model, given):
            return refused
        assert isinstance(given, dict)  # noqa: S101 - else it was refused
        it = self._account.order(model, given, origin=str(request.url.origin()), within=_within(request))
        if self._account.troubles.take(Trouble.UNLISTED):
            it.is_listed = False
            return cut(request)
        if self._account.troubles.take(Trouble.ANSWER_LOST):
            return cut(request)
        await self._wait(it, request)
        done = it.is_over or it.has_output
        return reply(it.as_json(), status=201 if done else 202)

    def _refused(self, model: str, given: object) -> web.Response | None:
        strikes = self._account.troubles.take
        if strikes(Trouble.THROTTLED):
            detail = f"Request was throttled. Your rate limit resets in ~{self._account.wait_s}s."
            return reply({"detail": detail, "status": 429}, status=429)
        if strikes(Trouble.NO_ROOM):
            return _problem(503, "Service unavailable", "The service is temporarily unavailable.")
        if strikes(Trouble.NO_MONEY):
            return _problem(402, "Insufficient credit", "You have insufficient credit to run this model.")
        if model not in MODELS or strikes(Trouble.MODEL_GONE):
            return _not_found()
        faults = faults_of(model, given) if isinstance(given, dict) else ["input: is required"]
        if faults or strikes(Trouble.INVALID):
            return _problem(422, "Input validation failed", "".join(f"- {fault}\n" for fault in faults))
        return None

    async def _wait(self, it: Prediction, request: web.Request) -> None:
        """Hold the answer back until there is something to see, for as long as the client prefers."""
        preferred = _PREFER.fullmatch(request.headers.get("Prefer", ""))
        if preferred is None or self._account.troubles.take(Trouble.SLOW):
            return
        try:
            async with asyncio.timeout(int(preferred[1] or LONGEST_WAIT_S)):
                await it.shown.wait()
        except TimeoutError:
            return

    async def get(self, request: web.Request) -> web.StreamResponse:
        it = self._account.predictions.get(request.match_info["id"])
        return _not_found() if it is None else reply(it.as_json())

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        it = self._account.predictions.get(request.match_info["id"])
        if it is None:
            return _not_found()
        self._account.cancel(it)
        return reply(it.as_json())

    async def list(self, request: web.Request) -> web.StreamResponse:
        """Newest first; the cursor names the order behind which the page begins."""
        after, cursor = _moment(request.query.get("created_after", "")), request.query.get("cursor")
        newest = [it for it in reversed(self._account.predictions.values()) if it.is_listed]
        asked = [it for it in newest if after is None or it.created_at >= after]
        ids = [it.id for it in asked]
        first = ids.index(cursor) + 1 if cursor in ids else 0
        page = asked[first : first + self._account.page]
        more = first + len(page) < len(asked)
        link = request.url.origin().join(request.rel_url).update_query(cursor=page[-1].id) if more else None
        return reply(
            {
                "previous": None,
                "next": None if link is None else str(link),
                "results": [it.as_json() for it in page],
            }
        )

    # Models and files.

    async def model(self, request: web.Request) -> web.StreamResponse:
        model = _model_of(request)
        if model not in MODELS or self._account.troubles.take(Trouble.MODEL_GONE):
            return _not_found()
        return reply(_shown(model, str(request.url.origin())))

    async def file(self, request: web.Request) -> web.StreamResponse:
        it = self._account.predictions.get(request.match_info["id"])
        found = re.fullmatch(r"out-(\d{1,2})\.\w+", request.match_info["file"])
        if it is None or found is None or int(found[1]) >= len(it.pictures):
            return web.Response(status=404, text="Not Found")
        if self._account.troubles.take(Trouble.FILES_LOCKED) and not self._has_key(request):
            return web.Response(status=401, text="Unauthorized")
        if self._account.troubles.take(Trouble.NO_PICTURE):
            return web.Response(text="<!doctype html><h1>Not a picture</h1>", content_type="text/html")
        form = {"jpg": "jpeg"}.get(it.form, it.form)
        return web.Response(body=it.pictures[int(found[1])], content_type=f"image/{form}")


def _shown(model: str, origin: str) -> dict[str, Any]:
    owner, _, name = model.partition("/")
    properties = inputs_of(model)
    schema = {"Input": {"type": "object", "title": "Input", "required": ["prompt"], "properties": properties}}
    return {
        "url": f"{origin}/{model}",
        "owner": owner,
        "name": name,
        "description": "The fastest image generation model tailored for local development and personal use",
        "visibility": "public",
        "is_official": True,
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": 1,
        "cover_image_url": None,
        "default_example": None,
        "latest_version": {
            "id": "0" * 64,
            "created_at": "2026-01-01T00:00:00Z",
            "cog_version": "0.16.0",
            "openapi_schema": {"openapi": "3.0.2", "components": {"schemas": schema}},
        },
    }


def _model_of(request: web.Request) -> str:
    where = request.match_info
    return f"{where['owner']}/{where['name']}" if "owner" in where else ""


async def _read_object(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _within(request: web.Request) -> timedelta | None:
    said = re.fullmatch(r"(\d{1,6})([smh])", request.headers.get("Cancel-After", ""))
    return timedelta(seconds=int(said[1]) * _SPANS[said[2]]) if said else None


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _problem(status: int, title: str, detail: str) -> web.Response:
    return reply({"title": title, "detail": detail, "status": status}, status=status)


def _not_found() -> web.Response:
    return _problem(404, "Not found", "The requested resource could not be found.")
