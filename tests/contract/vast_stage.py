"""The scripted Vast server as a stage of the contract suite."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp

from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.vast.cloud import VastCloud
from orchestrator.domain.ids import CloudRef
from orchestrator.ports.cloud import CloudProvider
from tests.adapters.vast.scripted import EVERYTHING, KEY, Reply, ScriptedVast, recorded, serving
from tests.contract.cloud_suite import Trouble

INTRUDERS_KEY = "0badc0de0badc0de0badc0de0badc0de0badc0de0badc0de0badc0de0badc0de"
SHORT = timedelta(seconds=0.2)
IMPATIENT = Limits(read=SHORT, search=SHORT, listing=SHORT, launch=SHORT, terminate=SHORT)
SMALL = 2**20

PAGE = {"success": True, "label_counts": {}, "next_token": None, "total_instances": 1}
LISTINGS: Mapping[Trouble, Any] = {
    Trouble.LIST_SHORT: {**PAGE, "total_instances": 2, "instances": [recorded("instance_loading")]},
    Trouble.LIST_MALFORMED: {**PAGE, "instances": [{**recorded("instance_loading"), "id": None}]},
    Trouble.LIST_NULL: {**PAGE, "instances": None},
    Trouble.LIST_ENDLESS: {**PAGE, "next_token": "round", "instances": [recorded("instance_loading")]},
}
ORDERS: Mapping[Trouble, Reply] = {
    Trouble.ANSWER_LOST: Reply(acts=True, then="drop"),
    Trouble.ANSWER_CUT: Reply(acts=True, then="half"),
    Trouble.ANSWER_GARBLED: Reply(acts=True, body=b"<html>done</html>"),
    Trouble.ANSWER_EMPTY: Reply(acts=True, body={"success": True}),
    Trouble.ANSWER_5XX: Reply(acts=True, status=502, body=b"bad gateway"),
}
ALL_THE_TIME: Mapping[Trouble, Reply] = {
    Trouble.OUT_OF_ORDER: Reply(status=503, body=b"<html>maintenance</html>"),
    Trouble.TOO_OFTEN: Reply(status=429, body=b"API requests too frequent", headers={"Retry-After": "17"}),
    Trouble.TOO_LONG: Reply(body=b" " * (SMALL + 1)),
    Trouble.GARBLED: Reply(body=b'{"success": tru'),
}


class VastStage:
    """One account at the scripted server."""

    exempt: Mapping[str, str] = {}
    retry_after = timedelta(seconds=17)
    secrets: tuple[str, ...] = (KEY, INTRUDERS_KEY, recorded("launched")["instance_api_key"])

    def __init__(self, server: ScriptedVast, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session
        self.cloud: CloudProvider = self._open(KEY, Limits(answer_bytes=SMALL))
        self.intruder: CloudProvider = self._open(INTRUDERS_KEY, Limits())

    async def until_running(self, ref: CloudRef) -> None:
        self.server.run(int(ref))

    async def until_unlisted(self, ref: CloudRef) -> None:
        """It is gone at once."""

    async def vanish(self, ref: CloudRef) -> None:
        del self.server.instances[int(ref)]

    async def spend_everything(self) -> None:
        self.server.credit = 0.0

    async def orders_received(self) -> int:
        return self.server.count("launch")

    async def strike(self, trouble: Trouble) -> None:
        if trouble in LISTINGS:
            self.server.always(Reply(body=LISTINGS[trouble]), "list")
        elif trouble in ORDERS:
            self.server.script("launch", ORDERS[trouble])
        elif trouble is Trouble.SILENT:
            self.server.always(Reply(then="hang"), *(set(EVERYTHING) - {"keys", "add_key"}))
            self.cloud = self._open(KEY, IMPATIENT)
        else:
            self.server.always(ALL_THE_TIME[trouble])

    async def recover(self) -> None:
        self.server.for_ever.clear()

    def _open(self, key: str, limits: Limits) -> VastCloud:
        return VastCloud(url=self.server.url, key=key, session=self._session, limits=limits, pace=0)


@asynccontextmanager
async def vast_stage() -> AsyncIterator[VastStage]:
    """Set it; afterwards, whatever was said must be what the specification allows."""
    async with serving() as server, aiohttp.ClientSession() as session:
        server.stock(200)
        yield VastStage(server, session)
    assert not server.faults, server.faults
