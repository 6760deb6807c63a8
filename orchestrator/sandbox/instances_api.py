"""The account's machines over HTTP: one, all, their labels, keys, logs and ends."""

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from orchestrator.faults import Fault
from orchestrator.sandbox.cloud import Cloud, Refusal
from orchestrator.sandbox.machine import Machine, Wanted, public_data
from orchestrator.sandbox.query import QueryError, check_filters, matches, page
from orchestrator.sandbox.replies import Route, number_in_path, read_object, reply
from orchestrator.sandbox.wire import STORED_COLUMNS, Row, instance_row

LARGEST_PAGE = 25
PAGE_FOR_NONSENSE = 5
LONGEST_LABEL = 1024
UPLOAD_S = 0.3
ALL = r"/api/v0/instances{slash:/?}"
ONE = r"/api/v0/instances/{id:\d+}{slash:/?}"


@dataclass(slots=True)
class InstancesApi:
    cloud: Cloud
    _logs: dict[str, tuple[float, str]] = field(default_factory=dict)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(operation="list", method="GET", path=r"/api/v1/instances{slash:/?}", handler=self._list),
            Route(operation="list-v0", method="GET", path=ALL, handler=self._list_v0),
            Route(operation="list", method="GET", path=r"/api/v0/instances/filters{slash:/?}", handler=self._filters),
            Route(operation="destroy", method="DELETE", path=ALL, handler=self._destroy_several),
            Route(operation="manage", method="PUT", path=ALL, handler=self._manage_several),
            Route(operation="show", method="GET", path=ONE, handler=self._show, for_machines=True),
            Route(operation="manage", method="PUT", path=ONE, handler=self._manage, for_machines=True),
            Route(operation="destroy", method="DELETE", path=ONE, handler=self._destroy, for_machines=True),
            Route(
                operation="reboot",
                method="PUT",
                path=r"/api/v0/instances/reboot/{id:\d+}{slash:/?}",
                handler=self._reboot,
            ),
            Route(
                operation="logs",
                method="PUT",
                path=r"/api/v0/instances/request_logs/{id:\d+}{slash:/?}",
                handler=self._request_logs,
            ),
            Route(
                operation="ssh",
                method="POST",
                path=r"/api/v0/instances/{id:\d+}/ssh{slash:/?}",
                handler=self._attach_key,
            ),
            Route(
                operation="ssh",
                method="GET",
                path=r"/api/v0/instances/{id:\d+}/ssh{slash:/?}",
                handler=self._show_keys,
            ),
            Route(
                operation="ssh",
                method="DELETE",
                path=r"/api/v0/instances/{id:\d+}/ssh/{key:\d+}{slash:/?}",
                handler=self._detach_key,
            ),
        )

    async def _list(self, request: web.Request) -> web.Response:
        strikes, rows = self.cloud.troubles.take, self.cloud.rows()
        if strikes(Fault.LISTING_410):
            return reply(_retired("/api/v1/instances/", "/api/v2/instances/"), status=410)
        if strikes(Fault.LISTING_STALE):
            rows = self.cloud.frozen_rows
        if strikes(Fault.LISTING_EMPTY):
            rows = []
        answer = list_instances(rows, request.query)
        if strikes(Fault.LISTING_TRUNCATED):
            kept = answer["instances"][: len(answer["instances"]) // 2]
            answer |= {"instances": kept, "instances_found": len(kept), "next_token": None}
        if strikes(Fault.LISTING_RESHAPED):
            answer["results"] = answer.pop("instances")
        return reply(answer)

    async def _list_v0(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        return reply(_retired("/api/v0/instances/", "/api/v1/instances/"), status=410)

    async def _filters(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        columns = ("actual_status", "gpu_name", "verification")
        return reply({"filters": [{column: row[column] for column in columns} for row in self.cloud.rows()]})

    async def _show(self, request: web.Request) -> web.Response:
        number = number_in_path(request)
        machine = self.cloud.find(number)
        if machine is None and number not in self.cloud.bill.meters:
            raise _no_such_instance(number)
        if machine is None:
            return reply({"instances": None})  # there has been one: then this is how "gone" looks
        return reply({"instances": instance_row(machine, now=self.cloud.now, credit=self.cloud.credit_usd)})

    async def _manage(self, request: web.Request) -> web.Response:
        machine = self._machine(request)
        self._change(machine, await read_object(request))
        return reply({"success": True})

    async def _manage_several(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        for machine in self._several(body.get("ids")):
            self._change(machine, body)
        return reply({"success": True})

    def _change(self, machine: Machine, body: dict[str, Any]) -> None:
        if "label" in body:
            label = body["label"]
            if label is not None and (not isinstance(label, str) or len(label) > LONGEST_LABEL):
                raise Refusal(400, "invalid_args", "Invalid args: label is text of 1024 characters at most")
            machine.label = label
        if "state" in body:
            if body["state"] not in {Wanted.RUNNING, Wanted.STOPPED}:
                raise Refusal(400, "invalid_args", "Invalid args: state is running or stopped")
            machine.want(Wanted(body["state"]))

    async def _reboot(self, request: web.Request) -> web.Response:
        self._machine(request).want(Wanted.RUNNING)
        return reply({"success": True})

    async def _destroy(self, request: web.Request) -> web.Response:
        self.cloud.destroy(self._machine(request))
        return reply({"success": True, "msg": "Instance destroyed successfully"})

    async def _destroy_several(self, request: web.Request) -> web.Response:
        for machine in self._several((await read_object(request)).get("instance_ids")):
            self.cloud.destroy(machine)
        return reply({"success": True, "msg": "Instances destroyed successfully"})

    async def _request_logs(self, request: web.Request) -> web.Response:
        """Promise the log under an address that needs no key, where it is found a moment later."""
        machine, wish = self._machine(request), await read_object(request)
        text = await asyncio.to_thread(_read_log, machine)
        lines = [line for line in text.splitlines() if str(wish.get("filter") or "") in line]
        tail = int(wish.get("tail") or 1000)
        name = secrets.token_hex(16)
        self._logs[name] = (time.monotonic() + UPLOAD_S, "".join(f"{line}\n" for line in lines[-tail:]))
        return reply({"success": True, "result_url": f"http://{request.host}/sandbox/logs/{name}.log", "msg": ""})

    async def show_log(self, request: web.Request) -> web.Response:
        ready, text = self._logs.get(request.match_info["name"], (float("inf"), ""))
        if time.monotonic() < ready:
            raise web.HTTPNotFound
        return web.Response(text=text)

    async def _attach_key(self, request: web.Request) -> web.Response:
        machine, text = self._machine(request), str((await read_object(request)).get("ssh_key") or "")
        if public_data(text) is None:
            raise Refusal(400, "invalid_args", "Invalid args: ssh_key is not a public key")
        machine.instance_keys[self.cloud.number()] = text.strip()
        return reply({"success": True, "msg": "SSH key attached successfully"})

    async def _show_keys(self, request: web.Request) -> web.Response:
        keys = [{"id": number, "public_key": text} for number, text in self._machine(request).instance_keys.items()]
        return reply({"success": True, "ssh_keys": json.dumps(keys)})

    async def _detach_key(self, request: web.Request) -> web.Response:
        if self._machine(request).instance_keys.pop(int(request.match_info["key"]), None) is None:
            raise Refusal(404, "not_found", "No such ssh key on this instance")
        return reply({"success": True})

    def _machine(self, request: web.Request) -> Machine:
        number = number_in_path(request)
        machine = self.cloud.find(number)
        if machine is None:
            raise _no_such_instance(number)
        return machine

    def _several(self, numbers: object) -> list[Machine]:
        if not isinstance(numbers, list):
            raise Refusal(400, "invalid_args", "Invalid args: a list of instance ids is required")
        wanted = {number for number in numbers if isinstance(number, int)}
        return [machine for number in sorted(wanted) if (machine := self.cloud.find(number)) is not None]


def list_instances(rows: Sequence[Row], query: Any) -> dict[str, Any]:
    """
    Answer a listing: filter, order, cut one page, trim columns.

    Raises:
        QueryError: A column cannot be searched for, or a parameter is no JSON.
        Refusal: The token is none of ours.
    """
    filters = _json(query, "select_filters", {})
    order = [(str(entry["col"]), str(entry.get("dir"))) for entry in _json(query, "order_by", [])]
    for column in [*filters, *(column for column, _ in order)]:
        if column not in STORED_COLUMNS:
            raise QueryError(f"{column} is not a valid search key")
    check_filters(filters)
    found = [row for row in rows if matches(row, filters)]
    limit = _json(query, "limit", LARGEST_PAGE)
    limit = min(LARGEST_PAGE, limit) if limit > 0 else PAGE_FOR_NONSENSE
    try:
        cut, token = page(found, order=[*order, ("id", "asc")], limit=limit, after=query.get("after_token"))
    except QueryError as error:
        raise Refusal(400, "invalid_token", str(error)) from error
    columns = _json(query, "select_cols", ["*"])
    return {
        "success": True,
        "instances_found": len(cut),
        "total_instances": len(found),
        "label_counts": dict(Counter(row["label"] or "" for row in found)),
        "next_token": token,
        "instances": cut if "*" in columns else [{column: row.get(column) for column in columns} for row in cut],
    }


def _json(query: Any, name: str, default: Any) -> Any:
    try:
        value = json.loads(query[name]) if name in query else default
    except ValueError as error:
        raise QueryError(f"{name} is not JSON") from error
    if not isinstance(value, type(default)):
        raise QueryError(f"{name} has the wrong type")
    return value


def _retired(old: str, new: str) -> dict[str, object]:
    return {"success": False, "error": "deprecated_endpoint", "msg": f"{old} is deprecated. Use {new} instead."}


def _no_such_instance(number: int) -> Refusal:
    return Refusal(404, "no_such_instance", f"Instance {number} not found.")


def _read_log(machine: Machine) -> str:
    file = machine.root / "onstart.log"
    said = file.read_text(errors="replace") if file.exists() else ""
    return f"{machine.message or ''}\n{said}"
