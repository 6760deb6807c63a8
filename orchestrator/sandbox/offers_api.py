"""Searching and ordering over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from orchestrator.faults import Fault
from orchestrator.sandbox.cloud import Cloud, Refusal
from orchestrator.sandbox.machine import Machine, Order
from orchestrator.sandbox.replies import Route, cut, number_in_path, read_object, reply

LONGEST_LABEL = 256
LONGEST_IMAGE = 1024
LONGEST_START = 4096
LONGEST_VARIABLE = 256
LONGEST_ENVIRONMENT = 32_768
MOST_PORTS = 64
SMALLEST_DISK_GB = 8.0
USUAL_DISK_GB = 10.0


@dataclass(frozen=True, slots=True)
class OffersApi:
    cloud: Cloud

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                operation="search",
                method="POST",
                path="/api/v0/bundles{slash:/?}",
                handler=self._search,
                needs_key=False,
            ),
            Route(
                operation="search",
                method="PUT",
                path="/api/v0/search/asks{slash:/?}",
                handler=self._search,
                needs_key=False,
            ),
            Route(operation="create", method="PUT", path=r"/api/v0/asks/{id:\d+}{slash:/?}", handler=self._create),
        )

    async def _search(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        query = body["q"] if isinstance(body.get("q"), dict) else body
        return reply({"offers": self.cloud.search(query)})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        """Accept an order; most of what can go wrong here costs money without saying so."""
        ask_id, body = number_in_path(request), await read_object(request)
        order, strikes = read_order(body), self.cloud.troubles.take
        if strikes(Fault.CREATE_REFUSED_POLITELY):
            return reply({"success": False, "msg": f"no_such_ask Instance type {ask_id} is no longer available."})
        if strikes(Fault.CREATE_FAILS_BUT_BILLS):
            stopped = self.cloud.create(ask_id, replace(order, starts=False))
            told = "bid price is too low; the instance is created stopped"
            raise Refusal(400, "invalid_price", told, new_contract=stopped.id)
        machine = self.cloud.create(ask_id, order)
        if strikes(Fault.CREATE_ANSWER_DROPPED):
            return cut(request)
        if strikes(Fault.CREATE_ANSWER_WITHOUT_ID):
            return reply({"success": True})
        if strikes(Fault.LATE_MACHINE):
            self.cloud.turn_up_later(machine)
            return web.Response(status=504, text="Gateway Time-out")
        return reply(_accepted(machine))


def read_order(body: Mapping[str, Any]) -> Order:
    """
    Check an order against the documented limits.

    Raises:
        Refusal: It breaks one of them; what the real cloud says to an over-long start command is not known.
    """
    image, label = body.get("image"), body.get("label")
    _check(isinstance(image, str) and 0 < len(image) <= LONGEST_IMAGE, "image is required, of 1024 characters at most")
    _check(label is None or (isinstance(label, str) and len(label) <= LONGEST_LABEL), "label: 256 characters at most")
    disk = USUAL_DISK_GB if body.get("disk") is None else body["disk"]
    _check(isinstance(disk, int | float) and disk >= SMALLEST_DISK_GB, f"disk: at least {SMALLEST_DISK_GB} GB")
    _check(body.get("target_state") in {None, "running", "stopped"}, "target_state is running or stopped")
    onstart, args = _read_start(body)
    return Order(
        image=str(image),
        disk_gb=float(disk),
        label=label,
        env=_read_environment(body.get("env")),
        onstart=onstart,
        runtype=str(body.get("runtype") or ("args" if args else "ssh")),
        args=args,
        starts=body.get("target_state") != "stopped",
        is_dropped_if_taken=body.get("cancel_unavail") is not False,
    )


def _read_start(body: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    onstart, args = body.get("onstart") or "", body.get("args") or []
    _check(isinstance(args, list), "args is a list")
    parts = [onstart, body.get("args_str") or "", *args]
    _check(all(isinstance(part, str) for part in parts), "onstart, args_str and what is in args are text")
    _check(sum(len(part) for part in parts) <= LONGEST_START, "args, args_str and onstart: 4096 characters at most")
    return onstart, tuple(part for part in parts[1:] if part)


def _read_environment(value: object) -> dict[str, str]:
    env = {} if value is None else value
    if not isinstance(env, dict):
        raise Refusal(400, "invalid_args", "Invalid args: env must be an object; a string is not applied")
    pairs = {str(name): str(text) for name, text in env.items()}
    _check(all(len(text) <= LONGEST_VARIABLE for pair in pairs.items() for text in pair), "env: 256 characters each")
    _check(sum(len(name) + len(text) for name, text in pairs.items()) <= LONGEST_ENVIRONMENT, "env: 32768 in all")
    _check(sum(name.startswith("-p ") for name in pairs) <= MOST_PORTS, f"env: {MOST_PORTS} ports at most")
    return pairs


def _check(is_fine: bool, rule: str) -> None:
    if not is_fine:
        raise Refusal(400, "invalid_args", f"Invalid args: {rule}")


def _accepted(machine: Machine) -> dict[str, object]:
    return {"success": True, "new_contract": machine.id, "instance_api_key": machine.key}
