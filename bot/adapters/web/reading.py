"""What pages and programs read: cards, pictures, the session, workflows, status."""

from aiohttp import web

from bot.adapters.pictures import Thumbnails, content_type, without_words
from bot.adapters.web.commands import NOBODY, BadRequest, read_name
from bot.adapters.web.guard import refusal
from bot.adapters.web.site import Site
from bot.adapters.web.surface import user_id
from bot.adapters.web.wire import card_document
from bot.chat.documents import overview_document, session_document, workflow_document
from bot.chat.loras import with_loras
from orchestrator.api import ImageKey, JobId

CARDS = 200
MOST_CARDS = 1000
WIDEST = 4096
FOR_EVER = "private, max-age=31536000, immutable"
"""A picture's key names its bytes: they never change."""


class Reading:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._thumbnails = Thumbnails()

    async def health(self, _request: web.Request) -> web.Response:
        """Whether commands are accepted."""
        is_open = not self._site.surface.readers.is_closed
        return web.json_response({"ok": is_open}, status=200 if is_open else 503)

    async def cards(self, request: web.Request) -> web.Response:
        """Newest first, of everybody unless a user is named."""
        try:
            name = request.query.get("user")
            user = None if name is None else user_id(read_name(name))
            limit = _number(request, "limit", otherwise=CARDS, most=MOST_CARDS)
        except BadRequest as error:
            return refusal(error.sentence)
        before = request.query.get("before")
        cards = await self._site.backend.cards.cards(user=user, before=JobId(before) if before else None, limit=limit)
        return web.json_response([card_document(card) for card in cards])

    async def card(self, request: web.Request) -> web.Response:
        card = await self._site.backend.cards.card(JobId(request.match_info["id"]))
        return refusal("There is no such request.", 404) if card is None else web.json_response(card_document(card))

    async def image(self, request: web.Request) -> web.Response:
        """A picture without the words in it; ``?metadata=1`` leaves them, ``?w=`` makes it smaller."""
        key = ImageKey(request.match_info["key"])
        try:
            width = _number(request, "w", otherwise=0, most=WIDEST)
        except BadRequest as error:
            return refusal(error.sentence)
        picture = await self._site.backend.orchestrator.image(key)
        if picture is None:
            return refusal("There is no such picture.", 404)
        if request.query.get("metadata") != "1":
            picture = without_words(picture)
        if width:
            picture = await self._thumbnails.get(key, picture, width)
        return web.Response(body=picture, content_type=content_type(picture), headers={"Cache-Control": FOR_EVER})

    async def session(self, request: web.Request) -> web.Response:
        try:
            user = user_id(read_name(request.query.get("user", NOBODY)))
        except BadRequest as error:
            return refusal(error.sentence)
        session = await self._site.backend.orchestrator.session(user)
        document = None if session is None else session_document(session, self._site.backend.now())
        return web.json_response({"session": document})

    async def workflows(self, request: web.Request) -> web.Response:
        """What can be painted; of a user, with the LoRAs that they can name."""
        orchestrator = self._site.backend.orchestrator
        try:
            user = user_id(read_name(request.query.get("user", NOBODY)))
        except BadRequest as error:
            return refusal(error.sentence)
        added = await orchestrator.loras.of(await orchestrator.people.person_of(user))
        cards = with_loras(orchestrator.workflows(), [lora.name for lora in added])
        return web.json_response([workflow_document(card) for card in cards])

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(overview_document(await self._site.backend.orchestrator.overview()))


def _number(request: web.Request, name: str, *, otherwise: int, most: int) -> int:
    raw = request.query.get(name)
    if raw is None:
        return otherwise
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 9 and 1 <= int(raw) <= most):
        raise BadRequest(f'"{name}" must be a number from 1 to {most}.')
    return int(raw)
