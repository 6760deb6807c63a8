"""
The bot's web surface as the page sees it, without a bot behind it: it says what a test tells it to say.

It speaks the page's JSON API over a real socket, with the same content security policy as the real surface.
`python -m tests.browser` plays a story with it, to look at the page while working on it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.browser.paint import png
from tests.browser.stories import WORKFLOWS, Card

STATIC = Path(__file__).parents[2] / "bot" / "adapters" / "web" / "static"
CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


class FakeBot:
    """
    Attributes:
        answers: What a command is answered with, by its text: a JSON body, or a sentence to refuse it with.
        heard: Every command that was posted.
        is_away: While set, nothing is answered and no event stream is kept.
    """

    def __init__(self) -> None:
        self.cards: dict[str, Card] = {}
        self.session: dict[str, Any] | None = None
        self.answers: dict[str, dict[str, Any] | str] = {}
        self.heard: list[dict[str, str]] = []
        self.is_away = False
        self._listeners: set[asyncio.Queue[str | None]] = set()

    async def tell(self, card: Card, *, keep: bool = True) -> None:
        """Send a version of a card to every page; *keep* makes it the one that a reload shows."""
        if keep:
            self.cards[card["id"]] = card
        self._say(f"event: card\ndata: {json.dumps(card)}\n\n")

    async def set_session(self, session: dict[str, Any] | None) -> None:
        self.session = session
        self._say("event: session\ndata: {}\n\n")

    async def notify(self, text: str, *, user: str | None = None) -> None:
        """A notice for *user*, or for everybody."""
        self._say(f"event: notice\ndata: {json.dumps({'user': user, 'text': text})}\n\n")

    def leave(self) -> None:
        """Be out of reach: end every event stream and answer nothing until :meth:`come_back`."""
        self.is_away = True
        for listener in self._listeners:
            listener.put_nowait(None)

    def come_back(self) -> None:
        self.is_away = False

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback; gives the address."""
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            host, bound, *_ = runner.addresses[0]
            yield f"http://{host}:{bound}"
        finally:
            self.leave()
            await runner.cleanup()

    def _say(self, event: str) -> None:
        for listener in self._listeners:
            listener.put_nowait(event)

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._index)
        app.router.add_static("/static", STATIC)
        app.router.add_post("/api/commands", self._command)
        app.router.add_post("/api/expect", self._expect)
        app.router.add_get("/api/cards", self._all_cards)
        app.router.add_get("/api/images/{key}", self._image)
        app.router.add_get("/api/session", self._session)
        app.router.add_get("/api/workflows", self._workflows)
        app.router.add_get("/api/events", self._events)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.is_away:
            raise web.HTTPServiceUnavailable
        response: web.StreamResponse = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = CSP
        return response

    async def _index(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _expect(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def _command(self, request: web.Request) -> web.Response:
        command = await request.json()
        self.heard.append(command)
        answer = self.answers.get(command["text"], f'"{command["text"]}" is not known here. Try /help.')
        if isinstance(answer, str):
            return web.json_response({"error": answer}, status=400)
        return web.json_response(answer)

    async def _all_cards(self, request: web.Request) -> web.Response:
        mine = [card for card in self.cards.values() if card["user"] == request.query["user"]]
        mine.sort(key=lambda card: str(card["created_at"]), reverse=True)
        ids = [card["id"] for card in mine]
        first = ids.index(request.query["before"]) + 1 if "before" in request.query else 0
        return web.json_response(mine[first : first + int(request.query["limit"])])

    async def _image(self, request: web.Request) -> web.Response:
        return web.Response(body=png(request.match_info["key"]), content_type="image/png")

    async def _session(self, request: web.Request) -> web.Response:
        return web.json_response({"session": self.session})

    async def _workflows(self, request: web.Request) -> web.Response:
        return web.json_response(WORKFLOWS)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(b": hello\n\n")
        listener: asyncio.Queue[str | None] = asyncio.Queue(1000)
        self._listeners.add(listener)
        try:
            while (event := await listener.get()) is not None:
                await response.write(event.encode())
        except ConnectionResetError:
            pass  # the page has gone
        finally:
            self._listeners.discard(listener)
        return response
