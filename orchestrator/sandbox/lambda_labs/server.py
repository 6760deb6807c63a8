"""Lambda Cloud's HTTP API, as far as it is used here, over the sandbox's machines."""

import asyncio
import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from orchestrator.sandbox.cloud import Cloud, Refusal
from orchestrator.sandbox.gate import loopback_only
from orchestrator.sandbox.lambda_labs.account import FIRST_FILE_SYSTEM, Account, SoldOut
from orchestrator.sandbox.lambda_labs.troubles import Trouble
from orchestrator.sandbox.lambda_labs.wire import REGIONS, Row
from orchestrator.sandbox.machine import public_data
from orchestrator.sandbox.replies import Handler, cut, read_object, reply
from orchestrator.sandbox.struck import TROUBLES

ACCOUNT: web.AppKey[Account] = web.AppKey("account", Account)
BASE = "/api/v1"
SILENCE_S = 3600.0
LONG = 9 * 2**20
PAGE = 20
RETRY_AFTER_S = 17
INTERVALS_S = {"launch": 12.0}
USUAL_INTERVAL_S = 1.0
LARGEST_BODY = 2 * 1024 * 1024
TAG_KEY = re.compile(r"[a-z][a-z0-9:-]{1,54}")
FILE_SYSTEM = re.compile(r"(?=.{1,60}$)[a-zA-Z]+[0-9a-zA-Z-]*")
LONGEST_NAME = 64
LONGEST_VALUE = 128
GARBAGE = "<!doctype html><h1>Just a moment...</h1>"

NO_SUCH = "global/object-does-not-exist"


class _Problem(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message, **({"suggestion": suggestion} if suggestion else {})}}


def app(cloud: Cloud, key: str, *, has_limits: bool = True) -> web.Application:
    """
    Build the server of one account; its troubles are struck through :data:`TROUBLES`.

    Args:
        key: The account's only key.
        has_limits: Whether calls that come too often are refused: more than one a second, or one order in 12 s.
    """
    account = Account(cloud=cloud)
    account.add_file_system(*FIRST_FILE_SYSTEM)
    api = _Api(account=account, key=key, has_limits=has_limits)
    app = web.Application(middlewares=[loopback_only, api.guard], client_max_size=LARGEST_BODY)
    app[ACCOUNT], app[TROUBLES] = account, account.troubles
    app.add_routes(
        [
            web.get(f"{BASE}/instance-types", api.types, name="types"),
            web.get(f"{BASE}/instances", api.list, name="list"),
            web.get(f"{BASE}/instances/{{id}}", api.show, name="show"),
            web.post(f"{BASE}/instance-operations/launch", api.launch, name="launch"),
            web.post(f"{BASE}/instance-operations/terminate", api.terminate, name="terminate"),
            web.get(f"{BASE}/ssh-keys", api.keys, name="keys"),
            web.post(f"{BASE}/ssh-keys", api.add_key, name="add_key"),
            web.get(f"{BASE}/file-systems", api.file_systems, name="file_systems"),
            web.post(f"{BASE}/filesystems", api.add_file_system, name="add_file_system"),  # not spelt as the other
        ]
    )
    return app


@dataclass(slots=True, kw_only=True)
class _Api:
    account: Account
    key: str
    has_limits: bool
    _last: dict[str, float] = field(default_factory=dict)

    @property
    def guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            """Let in who has the key and comes in turn, and let happen what befalls every answer."""
            operation = request.match_info.route.name or ""
            try:
                self._admit(request)
                self._limit(operation)
                return await self._befall(request, handler, operation)
            except _Problem as problem:
                answer = reply(problem.body, status=problem.status)
                if problem.status == 429:
                    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
                return answer
            except Refusal:  # the body is no JSON object
                return reply(_invalid().body, status=400)

        return guard

    def _admit(self, request: web.Request) -> None:
        """Take the key as Bearer or, for curl's sake, as Basic with an empty password."""
        given = request.headers.get("Authorization", "")
        suggestion = "Check your API key or create a new one, then try again."
        if not given:
            raise _Problem(401, "global/invalid-api-key", "No API key was provided.", suggestion)
        basic = f"Basic {base64.b64encode(f'{self.key}:'.encode()).decode()}"
        if not any(hmac.compare_digest(given.encode(), right.encode()) for right in (f"Bearer {self.key}", basic)):
            raise _Problem(401, "global/invalid-api-key", "API key was invalid, expired, or deleted.", suggestion)

    def _limit(self, operation: str) -> None:
        now, speed = self.account.cloud.now, self.account.cloud.ground.speed
        lanes = {"all": USUAL_INTERVAL_S} | ({operation: INTERVALS_S[operation]} if operation in INTERVALS_S else {})
        is_early = any(now < self._last.get(lane, -1e9) + interval / speed for lane, interval in lanes.items())
        if self.has_limits and is_early:
            raise _too_often()
        self._last |= dict.fromkeys(lanes, now)

    async def _befall(self, request: web.Request, handler: Handler, operation: str) -> web.StreamResponse:
        def strikes(trouble: Trouble) -> bool:
            return self.account.troubles.take(trouble, operation)

        if strikes(Trouble.SILENT):
            await asyncio.sleep(SILENCE_S)
        if strikes(Trouble.TOO_OFTEN):
            raise _too_often()
        if strikes(Trouble.OUT_OF_ORDER):
            raise _Problem(500, "global/internal-error", "An internal error occurred.", "Try again.")
        if strikes(Trouble.REGION_DOWN):
            raise _Problem(503, "provider/internal-unavailable", "Provider unavailable", "Try again shortly")
        if strikes(Trouble.INACTIVE):
            raise _inactive()
        if strikes(Trouble.GARBLED):
            return web.Response(text=GARBAGE, content_type="text/html")
        if strikes(Trouble.TOO_LONG):
            return web.Response(body=b" " * LONG, content_type="application/json")
        return await handler(request)

    async def types(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002  (aiohttp's signature)
        return reply({"data": self.account.types()})

    async def list(self, request: web.Request) -> web.StreamResponse:
        strikes, rows = self.account.troubles.take, self.account.rows()
        body: Row = {"data": rows}
        if strikes(Trouble.PAGED):
            token = request.query.get("page_token", "0")
            start = int(token) if token.isdecimal() else 0
            body = {"data": rows[start : start + PAGE]}
            body |= {"page_token": str(start + PAGE)} if start + PAGE < len(rows) else {}
        if strikes(Trouble.LIST_MALFORMED):
            body = {"data": [{name: row[name] for name in row if name != "id"} for row in rows]}
        if strikes(Trouble.LIST_NULL):
            body = {"data": None}
        if strikes(Trouble.LIST_ENDLESS):
            body = {"data": rows, "page_token": "round"}
        return reply(body)

    async def show(self, request: web.Request) -> web.StreamResponse:
        ref = request.match_info["id"]
        machine = self.account.machine(ref)
        if machine is None:
            raise _no_such_machine()
        return reply({"data": self.account.row(ref, machine)})

    async def launch(self, request: web.Request) -> web.StreamResponse:
        """Refuse, or boot; what befalls the answer comes after that."""
        self.account.arrived += 1
        order = await read_object(request)
        ref = self._launch(order)
        strikes = self.account.troubles.take
        if strikes(Trouble.ANSWER_LOST):
            return cut(request)
        if strikes(Trouble.ANSWER_CUT):
            return await _half(request)
        if strikes(Trouble.ANSWER_GARBLED):
            return web.Response(text=GARBAGE, content_type="text/html")
        if strikes(Trouble.ANSWER_EMPTY):
            return reply({"data": {"instance_ids": []}})
        if strikes(Trouble.ANSWER_5XX):
            raise _Problem(500, "global/internal-error", "An internal error occurred.", "Try again.")
        return reply({"data": {"instance_ids": [ref]}})

    def _launch(self, order: Mapping[str, Any]) -> str:
        _check(order)
        account, strikes = self.account, self.account.troubles.take
        key = account.key(order["ssh_key_names"][0])
        if strikes(Trouble.KEY_GONE) and key is not None:
            del account.keys[key.id]
            key = None
        if not account.knows_type(order["instance_type_name"]) or key is None:
            raise _Problem(404, NO_SUCH, "Specified resource does not exist.", "Check what you named.")
        self._check_file_systems(order)
        if account.cloud.credit_usd <= 0:
            raise _inactive()
        if strikes(Trouble.QUOTA):
            raise _Problem(400, "global/quota-exceeded", "Quota exceeded.", "Contact Support to increase your quota.")
        try:
            if strikes(Trouble.NO_CAPACITY):
                raise SoldOut  # noqa: TRY301  (one answer for both)
            return account.launch(order, key)
        except SoldOut:
            raise _Problem(
                400,
                "instance-operations/launch/insufficient-capacity",
                "Not enough capacity to fulfill launch request.",
                "Choose an instance type with more availability, or try again later.",
            ) from None

    def _check_file_systems(self, order: Mapping[str, Any]) -> None:
        """See that each is there, and where the machine is to be."""
        found = [self.account.file_systems.get(name) for name in order.get("file_system_names", [])]
        if None in found:
            raise _Problem(404, NO_SUCH, "Specified resource does not exist.", "Check what you named.")
        if any(each is not None and each.region != order["region_name"] for each in found):
            code = "instance-operations/launch/file-system-in-wrong-region"
            raise _Problem(400, code, "The file system is in another region.", "Launch where it is.")

    async def file_systems(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002  (aiohttp's signature)
        account = self.account
        return reply({"data": [account.file_system_row(each) for each in account.file_systems.values()]})

    async def add_file_system(self, request: web.Request) -> web.StreamResponse:
        body = await read_object(request)
        name, region = body.get("name"), body.get("region")
        if not isinstance(name, str) or not FILE_SYSTEM.fullmatch(name) or region not in REGIONS:
            raise _invalid()
        if name in self.account.file_systems:
            raise _Problem(400, "global/duplicate", "A file system of that name exists already.")
        return reply({"data": self.account.file_system_row(self.account.add_file_system(name, str(region)))})

    async def terminate(self, request: web.Request) -> web.StreamResponse:
        """End all that are named, or none where one of them is not there."""
        refs = (await read_object(request)).get("instance_ids")
        if not isinstance(refs, list) or not all(isinstance(ref, str) for ref in refs):
            raise _invalid()
        machines = {ref: self.account.machine(ref) for ref in refs}
        found = {ref: machine for ref, machine in machines.items() if machine is not None}
        if len(found) < len(machines):
            raise _no_such_machine()
        for machine in found.values():
            self.account.end(machine)
        rows = [self.account.row(ref, machine) for ref, machine in found.items()]
        return reply({"data": {"terminated_instances": [row | {"status": "terminating"} for row in rows]}})

    async def keys(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002  (aiohttp's signature)
        return reply({"data": [key.as_json() for key in self.account.keys.values()]})

    async def add_key(self, request: web.Request) -> web.StreamResponse:
        body = await read_object(request)
        name, text = body.get("name"), body.get("public_key")
        is_key = isinstance(text, str) and public_data(text) is not None
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not is_key:
            raise _invalid()
        if self.account.key(name) is not None:
            raise _Problem(400, "global/invalid-parameters", "Public key name already exists.")
        return reply({"data": self.account.add_key(name, str(text)).as_json()})


def _check(order: Mapping[str, Any]) -> None:
    """Hold an order against what the specification says of it."""
    names, tags, name = order.get("ssh_key_names"), order.get("tags", []), order.get("name", "")
    is_good = (
        order.get("region_name") in REGIONS
        and isinstance(order.get("instance_type_name"), str)
        and isinstance(names, list)
        and len(names) == 1
        and isinstance(name, str)
        and len(name) <= LONGEST_NAME
        and isinstance(order.get("file_system_names", []), list)
        and all(TAG_KEY.fullmatch(tag["key"]) and len(tag["value"]) <= LONGEST_VALUE for tag in tags)
    )
    if not is_good:
        raise _invalid()


async def _half(request: web.Request) -> web.StreamResponse:
    """Promise more than comes."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "100"})
    await answer.prepare(request)
    await answer.write(b'{"data": {"instance_ids"')
    cut(request)
    return answer


def _invalid() -> _Problem:
    return _Problem(400, "global/invalid-parameters", "Invalid request data.")


def _too_often() -> _Problem:
    """Its body is not specified; this one is what a third party's emulator says, and misleads."""
    return _Problem(429, "global/quota-exceeded", "Quota exceeded.", "Contact Support to increase your quota.")


def _inactive() -> _Problem:
    return _Problem(
        403,
        "global/account-inactive",
        "Your account is inactive.",
        "Make sure you have verified your email address and have a valid payment method.",
    )


def _no_such_machine() -> _Problem:
    return _Problem(404, NO_SUCH, "Specified instance does not exist.")
