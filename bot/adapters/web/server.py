"""The local page's server: loopback only."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from bot.adapters.web import pages
from bot.adapters.web.commands import Commands
from bot.adapters.web.events import Events
from bot.adapters.web.guard import add_headers, guarded
from bot.adapters.web.reading import Reading
from bot.adapters.web.site import Site

ADDRESS = "127.0.0.1"
LARGEST_POST = 64 * 1024
CLOSE_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """
    Attributes:
        port: 0 takes a free one.
        on_listening: Called with the page's address as soon as commands are accepted.
    """

    port: int
    on_listening: Callable[[str], None] = lambda _: None


async def run_web(site: Site, options: WebOptions) -> None:
    """
    Serve the page until cancelled.

    Raises:
        OSError: The port is taken.
    """
    events = Events(site)
    runner = web.AppRunner(_app(site, events), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, ADDRESS, options.port).start()
        options.on_listening(f"http://{ADDRESS}:{runner.addresses[0][1]}")
        await events.watch_sessions()
    finally:
        site.surface.readers.close()
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await runner.cleanup()


def _app(site: Site, events: Events) -> web.Application:
    app = web.Application(middlewares=[guarded], client_max_size=LARGEST_POST)
    app.on_response_prepare.append(add_headers)
    commands, reading = Commands(site), Reading(site)
    app.add_routes(
        [
            web.get("/", pages.index),
            web.get("/static/{name}", pages.static),
            web.get("/healthz", reading.health),
            web.post("/api/commands", commands.post),
            web.post("/api/expect", commands.expect),
            web.get("/api/cards", reading.cards),
            web.get("/api/cards/{id}", reading.card),
            web.get("/api/images/{key}", reading.image),
            web.get("/api/session", reading.session),
            web.get("/api/workflows", reading.workflows),
            web.get("/api/status", reading.status),
            web.get("/api/events", events.stream, allow_head=False),
        ]
    )
    return app
