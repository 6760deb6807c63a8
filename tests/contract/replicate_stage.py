"""Replicate's server of the sandbox as a stage of the contract suite."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
from aiohttp.test_utils import TestServer

from orchestrator.adapters.inference.replicate import Replicate
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.domain.money import MicroUsd, micro_usd
from orchestrator.ports.inference import InferenceApi
from orchestrator.sandbox.replicate import ACCOUNT, app
from orchestrator.sandbox.replicate.account import Account
from orchestrator.sandbox.replicate.troubles import Trouble as Struck
from tests.adapters.replicate.specification import Witness
from tests.adapters.sketchbook import Sketchbook
from tests.contract.inference_suite import INTRUDERS_KEY, Trouble

KEY = "r8_thekeyofthisaccount0000000000000000000"
SHORT = timedelta(seconds=0.3)
QUICK = Limits(
    settle=timedelta(seconds=3),
    queue=SHORT,
    poll=timedelta(seconds=0.02),
    answer_bytes=2**20,
    picture_bytes=2**18,
)
IMPATIENT = Limits(
    order=SHORT, read=SHORT, settle=SHORT, queue=SHORT, poll=SHORT, run=SHORT, download=SHORT, answer_bytes=2**20
)

TROUBLES: Mapping[Trouble, Struck] = {
    Trouble.ANSWER_LOST: Struck.ANSWER_LOST,
    Trouble.NO_ROOM: Struck.THROTTLED,
    Trouble.OUT_OF_ORDER: Struck.OUT_OF_ORDER,
    Trouble.SILENT: Struck.SILENT,
    Trouble.GARBLED: Struck.GARBLED,
    Trouble.TOO_LONG: Struck.TOO_LONG,
    Trouble.FILTERED: Struck.FILTERED,
    Trouble.FAILS: Struck.FAILS,
    Trouble.NO_MONEY: Struck.NO_MONEY,
    Trouble.MODEL_GONE: Struck.MODEL_GONE,
    Trouble.TOO_FEW: Struck.TOO_FEW,
    Trouble.NO_PICTURE: Struck.NO_PICTURE,
    Trouble.ENDLESS: Struck.ENDLESS,
}
ALL_ANSWERS = frozenset({Struck.SILENT, Struck.OUT_OF_ORDER, Struck.GARBLED, Struck.TOO_LONG})
"""What falls on every answer falls on the looking for lost ones, too."""


class ReplicateStage:
    """One account at the sandbox's Replicate."""

    exempt: Mapping[str, str] = {}
    retry_after = timedelta(seconds=30)

    def __init__(self, url: str, account: Account, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.account = account
        self._session = session
        self.api: InferenceApi = self.open(limits=QUICK)
        self.intruder: InferenceApi = self.open(key=INTRUDERS_KEY)

    async def strike(self, trouble: Trouble) -> None:
        struck = TROUBLES[trouble]
        self.account.troubles.strike(struck, times=1 if struck is Struck.ANSWER_LOST else None)
        if struck is Struck.ENDLESS:
            self.account.troubles.strike(Struck.SLOW)  # the answer names the order before it is over
        if struck in ALL_ANSWERS:
            self.api = self.open(limits=IMPATIENT)

    async def recover(self) -> None:
        self.account.troubles.recover()

    async def orders(self) -> int:
        return self.account.orders

    async def charged(self) -> MicroUsd:
        return micro_usd(self.account.studio.charged_usd("replicate"))

    def open(self, *, key: str = KEY, limits: Limits = QUICK) -> Replicate:
        return Replicate(url=self.url, key=key, session=self._session, limits=limits)


@asynccontextmanager
async def replicate_stage() -> AsyncIterator[ReplicateStage]:
    """Set it; afterwards, whatever was said must be what is known of the API."""
    studio, witness = Sketchbook(speed=100.0), Witness()
    server = app(studio, KEY)
    server.middlewares.insert(0, witness.watch)
    async with TestServer(server) as served, aiohttp.ClientSession() as session:
        yield ReplicateStage(str(served.make_url("/")), server[ACCOUNT], session)
    assert not witness.faults, witness.faults
