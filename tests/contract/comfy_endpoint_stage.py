"""A ComfyUI by URL, played from a recording, as a stage of the contract suite."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from orchestrator.adapters.comfyui import ComfyLimits
from orchestrator.adapters.inference.comfy_endpoint import ComfyEndpoint
from orchestrator.domain.money import MicroUsd
from tests.adapters.comfyui.conftest import HASTY, PATIENT
from tests.adapters.comfyui.replay import ReplayServer, serving_at_a_port
from tests.contract.inference_suite import INTRUDERS_KEY, JOB, Trouble

TOKEN = "t0ken"
PATHS = ("/ws", "/prompt", "/queue", "/system_stats", f"/history/{JOB.prompt}")
ANSWERS: Mapping[Trouble, tuple[int, bytes]] = {
    Trouble.OUT_OF_ORDER: (500, b"oh no"),
    Trouble.GARBLED: (200, b'{"prompt_id": '),
    Trouble.TOO_LONG: (200, b" " * (HASTY.json_bytes + 1)),
}
OWN = "a ComfyUI of one's own has neither a till nor a filter, nor a list of models that it serves"


class EveryTime(dict[str, web.Response]):
    """The same answer at each path, made anew: one is sent but once."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__()
        self._made = (status, body)

    def get(self, path: str, _: Any = None) -> Any:
        status, body = self._made
        return web.Response(status=status, body=body) if path in PATHS else None


class ComfyEndpointStage:
    """A server without a bill."""

    exempt: Mapping[str, str] = {
        "test_as_many_pictures_as_were_asked_for_come_and_cost_what_the_api_charges": "the recording holds one picture",
        "test_what_the_api_calls_it_is_noted_once_before_the_pictures": "a prompt's name there is the one we chose",
        "test_a_noted_order_of_an_earlier_life_is_followed_and_not_ordered_again": "it is found by the name we chose",
        Trouble.NO_ROOM: "its queue has no end",
        Trouble.FAILS: "its complaint about the graph is told to the person: GraphRejected",
        Trouble.NO_PICTURE: "what went wrong has cost nothing and may be tried again: InferenceUnavailable",
        Trouble.TOO_FEW: "how many pictures a graph makes is the graph's business",
        Trouble.FILTERED: OWN,
        Trouble.NO_MONEY: OWN,
        Trouble.MODEL_GONE: OWN,
    }

    def __init__(self, server: ReplayServer, url: str) -> None:
        self._server = server
        self._url = url
        self.api = self._open(PATIENT)
        self.intruder = ComfyEndpoint(url=url, token=INTRUDERS_KEY, limits=HASTY)

    async def strike(self, trouble: Trouble) -> None:
        switches = self._server.switches
        if trouble is Trouble.ANSWER_LOST:
            switches.lose_answers = 1
        elif trouble is Trouble.ENDLESS:
            switches.hold_at = 4
        elif trouble is Trouble.SILENT:
            switches.mute = set(PATHS)
            self.api = self._open(HASTY)
        else:
            switches.answers = EveryTime(*ANSWERS[trouble])
            self.api = self._open(HASTY)

    async def recover(self) -> None:
        self._server.switches.answers = {}
        self.api = self._open(PATIENT)

    async def orders(self) -> int:
        return len(self._server.bodies)

    async def charged(self) -> MicroUsd:
        return MicroUsd(0)

    def _open(self, limits: ComfyLimits) -> ComfyEndpoint:
        return ComfyEndpoint(url=self._url, token=TOKEN, limits=limits)


class GuardedServer(ReplayServer):
    """It refuses whoever has not the token."""

    def app(self) -> web.Application:
        app = super().app()
        app.middlewares.insert(0, _guarded)
        return app


@web.middleware
async def _guarded(request: web.Request, handler: Any) -> web.StreamResponse:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return web.Response(status=401)
    response: web.StreamResponse = await handler(request)
    return response


@asynccontextmanager
async def comfy_endpoint_stage() -> AsyncIterator[ComfyEndpointStage]:
    server = GuardedServer("flux_lora_second_seed")
    async with serving_at_a_port(server) as url:
        yield ComfyEndpointStage(server, url)
