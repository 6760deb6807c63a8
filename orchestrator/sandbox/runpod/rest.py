"""RunPod's REST v2: pods and catalogue."""

import json
from collections.abc import Mapping

from aiohttp import web

from orchestrator.sandbox.machine import Wanted
from orchestrator.sandbox.replies import cut
from orchestrator.sandbox.runpod.catalog import TIERS, gpu_rows, shelves
from orchestrator.sandbox.runpod.pods import NO_CAPACITY, Pods, Problem, Row
from orchestrator.sandbox.runpod.requests import read_action, read_wish
from orchestrator.sandbox.runpod.troubles import Trouble
from orchestrator.sandbox.struck import Struck

PAGE = 25
MUCH_LONGER = 10
REFUSED: Mapping[Trouble, tuple[int, str]] = {
    Trouble.NO_CAPACITY: (400, NO_CAPACITY),
    Trouble.RULE_BROKEN: (400, "the combination of settings is not supported"),
    Trouble.NO_MONEY: (402, "insufficient balance"),
    Trouble.NOT_ALLOWED: (403, "access denied"),
}


class RestApi:
    """The operations; who may ask is somebody else's business."""

    def __init__(self, pods: Pods, troubles: Struck[Trouble]) -> None:
        self._pods = pods
        self._troubles = troubles

    async def gpus(self, request: web.Request) -> web.Response:
        query = request.query
        has_stock = query.get("include") == "AVAILABILITY"
        if has_stock and "product" not in query:
            raise Problem(400, "product is required with include=AVAILABILITY")
        tier = query.get("cloud")
        if tier not in {None, *TIERS}:
            raise Problem(422, "query does not match the schema", "cloud: not one of the allowed values")
        kinds = shelves(self._pods.cloud, min_cuda=float(query.get("minCudaVersion", 0)))
        return reply({"gpus": gpu_rows(kinds, tier=tier, has_stock=has_stock)})

    async def list(self, request: web.Request) -> web.Response:
        """List pods; pages are a later invention, and shown only where one does not hold all."""
        self._stir()
        rows = [self._pods.row(machine) for machine in self._pods.all()]
        begin = int(request.query.get("cursor", "0"))
        page: Row = {"pods": rows[begin : begin + PAGE]}
        more = begin + PAGE < len(rows)
        if more or begin:
            page["pagination"] = {"nextCursor": str(begin + PAGE) if more else None, "hasNextPage": more}
        return reply(self._spoilt(page))

    async def create(self, request: web.Request) -> web.Response:
        wish = await read_wish(request)
        refused = self._troubles.take_one(REFUSED)
        if refused is not None:
            raise Problem(*REFUSED[refused])
        row = self._pods.row(self._pods.create(wish))
        row["actions"] = ["start", "terminate"]  # so the specification's own example
        return self._ordered(request, row)

    async def volumes(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        return reply({"networkVolumes": [each.as_json() for each in self._pods.volumes.values()]})

    async def show(self, request: web.Request) -> web.Response:
        return reply(self._pods.row(self._pods.find(request.match_info["id"])))

    async def delete(self, request: web.Request) -> web.Response:
        self._pods.end(self._pods.find(request.match_info["id"]))
        return web.Response(status=204)

    async def act(self, request: web.Request) -> web.Response:
        machine, action = self._pods.find(request.match_info["id"]), read_action(await request.text())
        if action not in self._pods.row(machine)["actions"]:
            raise Problem(409, f"cannot {action} a pod in status {self._pods.status(machine)}")
        if action == "terminate":
            self._pods.end(machine)
            return web.Response(status=204)
        if action == "restart":
            machine.move()
        else:
            machine.want(Wanted.STOPPED if action == "stop" else Wanted.RUNNING)
        return reply(self._pods.row(machine))

    def _stir(self) -> None:
        """Let happen to pods what happens to them without anybody's doing."""
        happened = self._troubles.take_one((Trouble.RELOCATED, Trouble.WITHOUT_GPU))
        if happened is None:
            return
        for machine in self._pods.all():
            machine.move()
            if happened is Trouble.WITHOUT_GPU:
                self._pods.bare.add(machine.id)

    def _spoilt(self, page: Row) -> Row:
        rows = page["pods"]
        spoilt: Mapping[Trouble, Row] = {
            Trouble.LIST_MALFORMED: {"pods": [{**row, "id": None} for row in rows]},
            Trouble.LIST_NULL: {"pods": None},
            Trouble.LIST_ENDLESS: {"pagination": {"nextCursor": "0", "hasNextPage": True}},
            Trouble.UNKNOWN_STATUS: {"pods": [{**row, "status": "HIBERNATING"} for row in rows]},
        }
        struck = self._troubles.take_one(spoilt)
        return page if struck is None else page | spoilt[struck]

    def _ordered(self, request: web.Request, row: Row) -> web.Response:
        """Answer an order that was carried out; some answers do not arrive as they were sent."""
        if self._troubles.take(Trouble.ANSWER_LOST):
            return cut(request)
        if self._troubles.take(Trouble.ANSWER_GARBLED):
            return web.Response(text="<html>created</html>", status=201, content_type="text/html")
        if self._troubles.take(Trouble.ANSWER_EMPTY):
            return reply({}, status=201)
        if self._troubles.take(Trouble.ANSWER_5XX):
            raise Problem(500, "internal error")
        if self._troubles.take(Trouble.ANSWER_5XX_NAMES_POD):
            return reply({**Problem(500, "internal error").body, "id": row["id"]}, status=500)
        answer = reply(row, status=201)
        if self._troubles.take(Trouble.ANSWER_CUT):
            answer.headers["Content-Length"] = str(MUCH_LONGER * len(json.dumps(row)))
            answer.force_close()
        return answer


def reply(body: object, *, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")
