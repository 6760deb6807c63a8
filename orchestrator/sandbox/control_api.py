"""What a sandbox answers that no real cloud does: its bill, its model files, its faults, its other APIs' troubles."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

from orchestrator.faults import SCOPES, Fault, Profile, Scope
from orchestrator.sandbox.apis import Apis
from orchestrator.sandbox.cloud import Cloud, Refusal
from orchestrator.sandbox.mirror import MirrorFault, MirrorFaults
from orchestrator.sandbox.models import ModelFile
from orchestrator.sandbox.replies import OURS, Route, read_object, reply
from orchestrator.sandbox.struck import TROUBLES
from orchestrator.sandbox.studio import Studio
from orchestrator.sandbox.troubles import Pending

HEARTBEAT_S = 0.5
MIRROR_FAULTS = {
    Fault.BAD_CHECKSUM: MirrorFault.LIE,
    Fault.MIRROR_DIES: MirrorFault.DIE,
    Fault.MIRROR_RESETS: MirrorFault.RESET,
    Fault.MIRROR_IGNORES_RANGE: MirrorFault.IGNORE_RANGE,
    Fault.MIRROR_WRONG_RANGE: MirrorFault.WRONG_RANGE,
    Fault.MIRROR_HTML: MirrorFault.HTML,
    Fault.SLOW_LINK: MirrorFault.SLOW,
}


@dataclass(frozen=True, slots=True)
class Mirror:
    url: str
    faults: MirrorFaults


@dataclass(slots=True, kw_only=True)
class ControlApi:
    """
    Serves `/sandbox/...`.

    Attributes:
        attached: Clients that hold a connection open to say that they are there.
    """

    cloud: Cloud
    studio: Studio
    apis: Apis
    models: Sequence[ModelFile]
    mirrors: Sequence[Mirror]
    attached: int = 0
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    def routes(self) -> tuple[Route, ...]:
        def route(method: str, path: str, handler: Any, *, needs_key: bool = True) -> Route:
            return Route(operation=OURS, method=method, path=path, handler=handler, needs_key=needs_key)

        return (
            route("GET", "/sandbox/health", self._health, needs_key=False),
            route("GET", "/sandbox/bill", self._bill),
            route("GET", "/sandbox/apis", self._apis),
            route("GET", "/sandbox/models", self._models),
            route("GET", "/sandbox/attach", self._attach),
            route("PUT", "/sandbox/profile", self._choose_profile),
            route("GET", "/sandbox/faults", self._list_faults),
            route("POST", "/sandbox/faults", self._add_fault),
            route("DELETE", "/sandbox/faults", self._clear_faults),
            route("POST", "/sandbox/troubles", self._strike),
            route("DELETE", "/sandbox/troubles", self._recover),
        )

    def end(self) -> None:
        """Let those who are attached go."""
        self._ending.set()

    async def _health(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        return reply({"ok": True})

    async def _bill(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        names = sorted({sale.api for sale in self.studio.sales})
        bridges = {name: round(self.studio.charged_usd(name), 6) for name in names}
        return reply({**self.cloud.bill.as_json(self.cloud.now), "bridges_usd": bridges})

    async def _apis(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        return reply({"clouds": dict(self.apis.clouds), "bridges": dict(self.apis.bridges)})

    async def _models(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        files = [
            asdict(model) | {"urls": [f"{mirror.url}/models/{model.path}" for mirror in self.mirrors]}
            for model in self.models
        ]
        return reply({"files": files})

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        """Keep a connection open: while it is, the sandbox has a client and does not end by itself."""
        response = web.StreamResponse()
        await response.prepare(request)
        self.attached += 1
        try:
            while request.transport is not None and not request.transport.is_closing() and not self._ending.is_set():
                await response.write(b"\n")
                await _pass_time(self._ending)
        except ConnectionResetError:
            pass
        finally:
            self.attached -= 1
        return response

    async def _choose_profile(self, request: web.Request) -> web.Response:
        name = (await read_object(request)).get("profile")
        if name not in list(Profile):
            raise Refusal(400, "invalid_args", f"profile is one of {', '.join(Profile)}")
        self.cloud.troubles.profile = Profile(name)
        return reply({"success": True})

    async def _list_faults(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        pending = [entry.as_json() for entry in self.cloud.troubles.pending]
        return reply({"profile": self.cloud.troubles.profile, "pending": pending})

    async def _add_fault(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        if body.get("fault") not in list(Fault):
            raise Refusal(400, "invalid_args", f"fault is one of {', '.join(Fault)}")
        fault, count = Fault(body["fault"]), body.get("count", 1)
        match SCOPES[fault]:
            case Scope.MIRROR:
                self._spoil_mirrors(fault, count, body.get("mirror"))
            case Scope.MACHINE if body.get("machine") is not None and fault is not Fault.DESTROY_IGNORED:
                self._hurt(fault, int(body["machine"]), body.get("count"))
            case _:
                self._expect(fault, count, body)
        return reply({"success": True})

    async def _clear_faults(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        """End what was injected; machines that have already been hurt stay so."""
        self.cloud.troubles.pending.clear()
        for mirror in self.mirrors:
            for fault in MirrorFault:
                mirror.faults.switch_off(fault)
        return reply({"success": True})

    async def _strike(self, request: web.Request) -> web.Response:
        """Make trouble in one of the other APIs: once, *times*, or until all is well again."""
        body = await read_object(request)
        name, times = str(body.get("api")), body.get("times", 1)
        if name not in self.apis.apps:
            raise Refusal(400, "invalid_args", f"api is one of {', '.join(sorted(self.apis.apps))}")
        struck = self.apis.apps[name][TROUBLES]
        trouble = struck.named(body.get("trouble"))
        if trouble is None:
            raise Refusal(400, "invalid_args", f"trouble of {name} is one of {', '.join(struck.names)}")
        if times is not None and (type(times) is not int or times < 1):
            raise Refusal(400, "invalid_args", "times is a whole number from 1, or null: until all is well again")
        struck.strike(trouble, times=times)
        return reply({"success": True})

    async def _recover(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        for app in self.apis.apps.values():
            app[TROUBLES].recover()
        return reply({"success": True})

    def _spoil_mirrors(self, fault: Fault, count: int | None, index: int | None) -> None:
        for mirror in self.mirrors if index is None else [self.mirrors[index]]:
            mirror.faults.switch_on(MIRROR_FAULTS[fault], requests=count)

    def _hurt(self, fault: Fault, number: int, count: int | None) -> None:
        machine = self.cloud.find(number)
        if machine is None:
            raise Refusal(404, "no_such_instance", f"Instance {number} not found.")
        machine.suffer(fault, count)

    def _expect(self, fault: Fault, count: int | None, body: dict[str, Any]) -> None:
        if fault is Fault.LISTING_STALE:
            self.cloud.freeze_rows()
        self.cloud.troubles.pending.append(
            Pending(
                fault=fault,
                left=count,
                machine=body.get("machine"),
                host=body.get("host"),
                operation=body.get("operation"),
            )
        )


async def _pass_time(unless: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(HEARTBEAT_S):
            await unless.wait()
    except TimeoutError:
        pass
