"""``POST /api/commands``: what a person typed, and what is answered."""

import json
import secrets
from dataclasses import dataclass
from typing import Any, assert_never

from aiohttp import web

from bot.adapters.web.guard import refusal
from bot.adapters.web.site import Site
from bot.adapters.web.surface import NAME, user_id
from bot.adapters.web.wire import reply_document, started_document
from bot.chat.commands import Expect
from bot.chat.handle import ReplyHandle
from bot.chat.hunch import Hunch
from bot.chat.model import Answer, Call, Person, Refused, Reply, Started
from bot.chat.texts import sentence
from bot.chat.typed import read_command
from orchestrator.api import RequestError

LONGEST_NAME = 40
LONGEST_KEY = 200
NOBODY = "you"
"""Who speaks when no name is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """Attributes: key: The same key runs the command once; drawn where none is given."""

    text: str
    user: str
    key: str


class BadRequest(Exception):
    """Attributes: sentence: What the program that posted it did wrong."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Commands:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._hunch = Hunch(site.backend.handler, site.backend.now)

    async def post(self, request: web.Request) -> web.Response:
        if self._site.surface.readers.is_closed:
            return refusal("The bot is being stopped; try again when it is back.", 503)
        if request.content_type != "application/json":
            return refusal("A command is posted as application/json.", 415)
        try:
            posted = read_posted(await request.read())
            command = read_command(posted.text)
        except BadRequest as error:
            return refusal(error.sentence)
        except RequestError as error:
            return refusal(sentence(error.key, error.values))
        # On loopback everybody is an admin: whoever is here could as well read the database.
        person = Person(user=user_id(posted.user), surface=NAME, is_admin=True)
        handle = ReplyHandle(surface=NAME, chat=posted.user)
        call = Call(
            person=person,
            command=command,
            handle=handle,
            key=f"{NAME}:{posted.user}:{posted.key}",
            place=NAME,
            is_overheard=False,
        )
        return _response(await self._site.backend.handler.handle(call))

    async def expect(self, request: web.Request) -> web.Response:
        """The field where one types has got the focus."""
        if request.content_type != "application/json":
            return refusal("What is posted is application/json.", 415)
        try:
            name = read_expected(await request.read())
        except BadRequest as error:
            return refusal(error.sentence)
        person = Person(user=user_id(name), surface=NAME, is_admin=True)
        handle = ReplyHandle(surface=NAME, chat=name)
        call = Call(person=person, command=Expect(), handle=handle, key="", place=NAME, is_overheard=False)
        await self._hunch.tell(call)
        return web.json_response({})


def _response(answer: Answer) -> web.Response:
    match answer:
        case Started():
            return web.json_response(started_document(answer))
        case Reply():
            return web.json_response(reply_document(answer))
        case Refused():
            return refusal(answer.sentence)
        case _:
            assert_never(answer)


def read_posted(body: bytes) -> Posted:
    """
    Read the body of a post.

    Raises:
        BadRequest: It is not the JSON that is expected.
    """
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest('The body must be JSON such as {"text": "/imagine a cat", "user": "ada"}.') from None
    if not isinstance(document, dict):
        raise BadRequest('The body must be a JSON object with "text" and "user".')
    text, key = document.get("text"), document.get("key")
    if not isinstance(text, str) or not text.strip():
        raise BadRequest('"text" must say what to do, for example "/imagine a lighthouse at dusk".')
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= LONGEST_KEY and _is_storable(key)):
        raise BadRequest(f'"key" must be a text of at most {LONGEST_KEY} characters.')
    return Posted(text=text, user=read_name(document.get("user")), key=key or secrets.token_hex(12))


def read_expected(body: bytes) -> str:
    """
    Read who is about to ask.

    Raises:
        BadRequest: It is not the JSON that is expected.
    """
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadRequest('The body must be a JSON object such as {"user": "ada"}.')
    return read_name(document.get("user"))


def read_name(name: object) -> str:
    """
    Read who speaks.

    Raises:
        BadRequest: That is no name.
    """
    if name is None:
        return NOBODY
    trimmed = name.strip() if isinstance(name, str) else ""
    if not 0 < len(trimmed) <= LONGEST_NAME or not trimmed.isprintable() or not _is_storable(trimmed):
        raise BadRequest(sentence("bad_user", {}))
    return trimmed


def _is_storable(text: str) -> bool:
    """JSON may name halves of characters; no database takes them."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
