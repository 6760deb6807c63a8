"""
Modal's web front before the door of our app: proxy authentication, and a request held open for so long and no longer.

Sources: modal.com/docs/guide/webhook-proxy-auth (headers, 401 and its words), webhook-timeouts (303 after 150 s, its
query, the body readable once).
"""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from deploy.modal_app import Door, Json
from orchestrator.sandbox.gate import loopback_only
from orchestrator.sandbox.modal.asgi import Response, call
from orchestrator.sandbox.modal.painter import MACHINE, LocalCalls, open_painter
from orchestrator.sandbox.modal.troubles import ModalTrouble
from orchestrator.sandbox.replies import cut, pour
from orchestrator.sandbox.struck import TROUBLES, Struck
from orchestrator.sandbox.studio import Studio

HELD_S = 150.0
HELD_WHEN_SLOW_S = 0.05
CALL_ID = "__modal_function_call_id"
ENDLESS_S = 3600.0
LONG = 256 * 1024 * 1024
MOST_BODY = 128 * 1024 * 1024
MODEL = "unet/flux1-schnell.safetensors"


@dataclass(slots=True, kw_only=True)
class Front:
    """
    One deployed app.

    Attributes:
        orders: How many have arrived with good credentials.
        redirects: How often somebody was told to wait on.
        elsewhere: The host that a 303 names when it leads away.
    """

    studio: Studio
    key: str
    secret: str
    troubles: Struck[ModalTrouble] = field(default_factory=lambda: Struck(ModalTrouble))
    orders: int = 0
    redirects: int = 0
    elsewhere: str = "127.0.0.2:9"
    calls: LocalCalls | None = None
    _held: dict[str, asyncio.Task[Response]] = field(default_factory=dict)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        wrong = await self._wrong(request) or self._refusal(request)
        if wrong is not None:
            return wrong
        known = request.query.get(CALL_ID)
        if known is not None:
            return await self._deliver(request, known)
        is_order = request.method == "POST"
        self.orders += is_order
        if self.calls is None:
            return _said(503, "the app is starting")
        door = Door(self.calls, self._about)
        work = call(door, request.method, request.path, await request.read())
        name = f"fc-{secrets.token_hex(8)}"
        self._held[name] = self.calls.tasks.create_task(work)
        return await self._deliver(request, name, loses=is_order and self.troubles.take(ModalTrouble.ANSWER_LOST))

    async def _deliver(self, request: web.Request, name: str, *, loses: bool = False) -> web.StreamResponse:
        """Hold the request open, for a while; whoever has read the answer once does not read it again."""
        task = self._held.get(name)
        if task is None:
            return _said(404, "modal-http: invalid function call")
        await asyncio.wait({task}, timeout=HELD_WHEN_SLOW_S if ModalTrouble.SLOW in self.troubles else HELD_S)
        if not task.done():
            self.redirects += 1
            host = self.elsewhere if self.troubles.take(ModalTrouble.LEADS_AWAY) else request.host
            return web.Response(status=303, headers={"Location": f"http://{host}{request.path}?{CALL_ID}={name}"})
        del self._held[name]
        if loses:
            return cut(request)
        answer = task.result()
        return web.Response(status=answer.status, body=bytes(answer.body), content_type=answer.kind)

    async def _wrong(self, request: web.Request) -> web.StreamResponse | None:
        take = self.troubles.take
        if take(ModalTrouble.SILENT):
            await asyncio.sleep(ENDLESS_S)
        if take(ModalTrouble.TOO_LONG):
            return await pour(request, LONG)
        if take(ModalTrouble.OUT_OF_ORDER):
            return _said(500, "modal-http: internal error: status Failure")
        if take(ModalTrouble.GARBLED):
            return web.Response(text="<html>one moment", content_type="text/html")
        if take(ModalTrouble.STOPPED):
            return _said(404, "modal-http: app for invoked web endpoint is stopped")
        if take(ModalTrouble.TOO_OFTEN):
            return _said(429, "modal-http: rate limited")
        return None

    def _refusal(self, request: web.Request) -> web.Response | None:
        given = (request.headers.get("Modal-Key"), request.headers.get("Modal-Secret"))
        if ModalTrouble.OPEN in self.troubles:
            return None
        if None in given:
            return _said(401, "modal-http: missing credentials for proxy authorization")
        if not hmac.compare_digest(repr(given).encode(), repr((self.key, self.secret)).encode()):
            return _said(401, "modal-http: invalid credentials for proxy authorization")
        return None

    async def _about(self) -> Json:
        lacks = [MODEL] if ModalTrouble.NO_MODELS in self.troubles else []
        return {"app": "glowplug", "machine": MACHINE, "missing": lacks}


FRONT = web.AppKey("front", Front)


def app(studio: Studio, key: str, *, secret: str | None = None, models: Path | None = None) -> web.Application:
    """
    Serve our app as deployed.

    Args:
        key: The proxy token's id.
        secret: Its secret; the same word unless given.
        models: Where the sandbox's model files are; None has them made anew.
    """
    front = Front(studio=studio, key=key, secret=key if secret is None else secret)

    async def painter(_: web.Application) -> AsyncIterator[None]:
        async with open_painter(studio, front.troubles, models) as calls:
            front.calls = calls
            yield
            front.calls = None

    served = web.Application(middlewares=[loopback_only], client_max_size=MOST_BODY)
    served[FRONT], served[TROUBLES] = front, front.troubles
    served.cleanup_ctx.append(painter)
    served.router.add_route("*", "/{path:.*}", front.serve)
    return served


def _said(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text)
