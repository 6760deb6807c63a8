"""
Together's images API as far as a bridge meets it: the models, and one blocking call.

Shapes of answers and errors are those of its OpenAPI 2.0.0. What nobody has documented is as third parties saw it or
as it must at least be borne: a picture that is kept back, a retired model, a JPEG where a PNG was wished for.
"""

import asyncio
import base64
import hmac
import io
import math
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web
from PIL import Image

from orchestrator.sandbox.gate import loopback_only
from orchestrator.sandbox.replies import Handler, cut, pour, reply
from orchestrator.sandbox.struck import TROUBLES, Struck
from orchestrator.sandbox.studio import Studio

API = "together"
MODEL = "black-forest-labs/FLUX.1-schnell"
MODELS: tuple[tuple[str, str], ...] = (
    (MODEL, "image"),
    ("black-forest-labs/FLUX.2-dev", "image"),
    ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "chat"),
)
CREATED = 1_723_000_000
SECONDS = 3.0
USD_A_MEGAPIXEL = 0.0027
USUAL_STEPS = 4
MOST_STEPS = 12
SIDES = range(256, 1921, 8)
KEPT_LINKS = 32
ENDLESS_S = 3600.0
LONG = 256 * 1024 * 1024


class TogetherTrouble(StrEnum):
    """What can go wrong there."""

    ANSWER_LOST = "answer_lost"  # made and charged, and the connection breaks
    OVERLOADED = "overloaded"  # 503
    TOO_OFTEN = "too_often"  # 429 with a time to ask again
    OUT_OF_ORDER = "out_of_order"  # 500 without a word, whatever is asked
    SILENT = "silent"  # no answer for an hour, whatever is asked
    GARBLED = "garbled"  # HTML, whatever is asked
    TOO_LONG = "too_long"
    REFUSES_WORDS = "refuses_words"  # 400 about the safety of the prompt
    BLACK = "black"  # the picture is made black in place of an indecent one, and charged
    FAILS = "fails"  # 500 that says what went wrong
    NO_CREDIT = "no_credit"  # 402
    MODEL_GONE = "model_gone"
    TOO_FEW = "too_few"
    NO_PICTURE = "no_picture"
    JPEG = "jpeg"  # whatever was wished for
    ENDLESS = "endless"  # the order arrives and is never done


class _Refused(Exception):
    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers


@dataclass(slots=True, kw_only=True)
class Office:
    """
    One account.

    Attributes:
        orders: How many calls for pictures have arrived with a good key.
    """

    studio: Studio
    key: str
    troubles: Struck[TogetherTrouble] = field(default_factory=lambda: Struck(TogetherTrouble))
    orders: int = 0
    _links: dict[str, bytes] = field(default_factory=dict)

    async def models(self, _: web.Request) -> web.StreamResponse:
        gone = self.troubles.take(TogetherTrouble.MODEL_GONE)
        listed = [(name, kind) for name, kind in MODELS if not (gone and name == MODEL)]
        return reply([{"id": name, "object": "model", "created": CREATED, "type": kind} for name, kind in listed])

    async def generate(self, request: web.Request) -> web.StreamResponse:
        self.orders += 1
        wish = _checked(await _json(request))
        self._refuse(wish["model"])
        if self.troubles.take(TogetherTrouble.ENDLESS):
            await asyncio.sleep(ENDLESS_S)
        pictures = await self._paint(wish)
        self.studio.charge(API, secrets.token_hex(4), price(wish))
        if self.troubles.take(TogetherTrouble.ANSWER_LOST):
            return cut(request)
        if self.troubles.take(TogetherTrouble.TOO_FEW):
            pictures = pictures[:-1]
        if self.troubles.take(TogetherTrouble.NO_PICTURE):
            pictures = [b"no picture at all" for _ in pictures]
        data = [self._entry(request, index, each, wish["response_format"]) for index, each in enumerate(pictures)]
        return reply({"id": secrets.token_hex(8), "model": wish["model"], "object": "list", "data": data})

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """A link of ``response_format: url``; whoever does not say who he is gets 403, as at the real one."""
        if not request.headers.get("User-Agent"):
            return web.Response(status=403, text="Forbidden")
        content = self._links.get(request.match_info["name"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    def _refuse(self, model: str) -> None:
        take = self.troubles.take
        if take(TogetherTrouble.NO_CREDIT):
            raise _Refused(402, "Credit limit exceeded, please add credits to your account", "insufficient_quota")
        if take(TogetherTrouble.OVERLOADED):
            raise _Refused(503, "The service is overloaded, please try again later")
        if take(TogetherTrouble.TOO_OFTEN):
            raise _Refused(429, "You have reached the rate limit", "rate_limited", **{"Retry-After": "7"})
        if take(TogetherTrouble.MODEL_GONE) or model not in {name for name, kind in MODELS if kind == "image"}:
            raise _Refused(
                404, f"Unable to access model {model}. Please visit the list of models", "model_not_available"
            )
        if take(TogetherTrouble.REFUSES_WORDS):
            raise _Refused(400, "The prompt was flagged by the safety checker", "nsfw_content")
        if take(TogetherTrouble.FAILS):
            raise _Refused(500, "Internal error while generating the image", "internal_error")

    async def _paint(self, wish: dict[str, Any]) -> list[bytes]:
        form = "PNG" if wish["output_format"] == "png" and not self.troubles.take(TogetherTrouble.JPEG) else "JPEG"
        if self.troubles.take(TogetherTrouble.BLACK):
            return [_black(wish["width"], wish["height"])] * wish["n"]
        size = {"width": wish["width"], "height": wish["height"]}
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    self.studio.paint(wish["prompt"], **size, seed=wish["seed"] + index, form=form, seconds=SECONDS)
                )
                for index in range(wish["n"])
            ]
        return [task.result() for task in tasks]

    def _entry(self, request: web.Request, index: int, content: bytes, form: str) -> dict[str, Any]:
        if form == "base64":
            return {"index": index, "b64_json": base64.b64encode(content).decode(), "type": "b64_json"}
        name = secrets.token_hex(8)
        self._links[name] = content
        while len(self._links) > KEPT_LINKS:
            del self._links[next(iter(self._links))]
        return {"index": index, "url": f"http://{request.host}/pictures/{name}", "type": "url"}


OFFICE = web.AppKey("office", Office)


def price(wish: dict[str, Any]) -> float:
    """Dollars, to the micro-dollar above."""
    megapixels = wish["n"] * wish["width"] * wish["height"] / 1_000_000
    usd: float = megapixels * USD_A_MEGAPIXEL * max(1.0, wish["steps"] / USUAL_STEPS)
    return math.ceil(round(usd * 1_000_000, 6)) / 1_000_000


def app(studio: Studio, key: str) -> web.Application:
    """Serve one account whose key is *key*, at ``/v1`` as there."""
    office = Office(studio=studio, key=key)
    served = web.Application(middlewares=[loopback_only, _at_the_door], client_max_size=2**22)
    served[OFFICE], served[TROUBLES] = office, office.troubles
    served.add_routes(
        [
            web.get("/v1/models", office.models),
            web.post("/v1/images/generations", office.generate),
            web.get("/pictures/{name}", office.picture),
        ]
    )
    return served


@web.middleware
async def _at_the_door(request: web.Request, handler: Handler) -> web.StreamResponse:
    office = request.app[OFFICE]
    take = office.troubles.take
    if take(TogetherTrouble.OUT_OF_ORDER):
        return web.Response(status=500)
    if take(TogetherTrouble.SILENT):
        await asyncio.sleep(ENDLESS_S)
    if take(TogetherTrouble.GARBLED):
        return web.Response(text="<html>one moment", content_type="text/html")
    if take(TogetherTrouble.TOO_LONG):
        return await pour(request, LONG)
    given = request.headers.get("Authorization", "")
    if request.path.startswith("/v1") and not hmac.compare_digest(given.encode(), f"Bearer {office.key}".encode()):
        return _refusal(_Refused(401, "Invalid API key provided", "invalid_api_key"))
    try:
        return await handler(request)
    except _Refused as refused:
        return _refusal(refused)


def _refusal(refused: _Refused) -> web.Response:
    kind = "server_error" if refused.status >= 500 else "invalid_request_error"
    error = {"message": str(refused), "type": kind, "param": None, "code": refused.code}
    response = reply({"error": error}, status=refused.status)
    response.headers.update(refused.headers)
    return response


def _black(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height)).save(target, "JPEG")
    return target.getvalue()


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _Refused(400, "The body is no JSON object", "invalid_request")
    return body


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """Fill in what may be left out, and refuse what schnell does not take."""
    usual = {
        "width": 1024,
        "height": 1024,
        "steps": USUAL_STEPS,
        "n": 1,
        "seed": 0,
        "response_format": "url",
        "output_format": "jpeg",
    }
    wish = {**usual, **body}
    for name in ("prompt", "model"):
        if not isinstance(wish.get(name), str):
            raise _Refused(400, f"{name} is required")
    limits = {"width": SIDES, "height": SIDES, "n": range(1, 5), "steps": range(1, MOST_STEPS + 1)}
    for name, allowed in limits.items():
        if wish[name] not in allowed:
            raise _Refused(400, f"{name} must be between {allowed[0]} and {allowed[-1]}")
    if wish.get("image_loras"):
        raise _Refused(400, "image_loras cannot be used here")
    return wish
