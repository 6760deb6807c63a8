"""``GET /api/events``: what changes, as it changes (server-sent events)."""

import asyncio
import logging

from aiohttp import web

from bot.adapters.web.commands import BadRequest, read_name
from bot.adapters.web.guard import refusal
from bot.adapters.web.readers import Reader, send
from bot.adapters.web.site import Site
from bot.chat.documents import Document, name_of
from orchestrator.api import SessionId, SessionView

log = logging.getLogger(__name__)

HEARTBEAT_S = 15.0
WRITE_LIMIT_S = 10.0
RETRY_MS = 1000
LOOK_S = 2.0
"""How often sessions are looked at while a page is open: the orchestrator tells of jobs, not of machines."""

_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Events:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send events until the page or the bot goes; a page that does not read is let go of."""
        try:
            name = request.query.get("user")
            reader = self._site.surface.readers.add("" if name is None else read_name(name))
        except BadRequest as error:
            return refusal(error.sentence)
        if reader is None:
            return refusal("Too many pages are open, or the bot is being stopped; try again later.", 503)
        response = web.StreamResponse(headers=_HEADERS)
        try:
            await response.prepare(request)
            await _write(response, f"retry: {RETRY_MS}\n\n".encode())
            await _send(response, reader)
        except (ConnectionResetError, TimeoutError):
            pass  # it went, or it does not read
        finally:
            self._site.surface.readers.remove(reader)
        return response

    async def watch_sessions(self) -> None:
        """Tell open pages when somebody's session looks different, until cancelled."""
        known: dict[SessionId, Document] = {}
        while True:
            await self._site.surface.readers.wait_for_one()
            try:
                known = await self._tell_changes(known)
            except Exception:
                log.exception("the sessions could not be read; they are looked at again")
            await self._site.surface.readers.wait_for_stir(LOOK_S)

    async def _tell_changes(self, known: dict[SessionId, Document]) -> dict[SessionId, Document]:
        overview = await self._site.backend.orchestrator.overview()
        now = {session.id: _looks(session) for session in overview.sessions}
        for session, looks in (known | now).items():
            if now.get(session) != known.get(session):
                name = name_of(looks["user"])
                send(self._site.surface.readers.of(name), "session", name, {"user": name})
        return now


async def _send(response: web.StreamResponse, reader: Reader) -> None:
    while not reader.is_closed:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                events = await reader.take()
        except TimeoutError:
            events = b": still here\n\n"
        if events:
            await _write(response, events)


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_LIMIT_S):
        await response.write(data)


def _looks(session: SessionView) -> Document:
    """What a page shows of a session, without what changes by the second."""
    return {
        "user": session.user,
        "state": session.state,
        "machine": session.machine,
        "warm_until": session.warm_until,
        "images": session.images,
    }
