"""Replicate's server of the sandbox as a stage of the contract suite."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import aiohttp
from aiohttp.test_utils import TestServer

from orchestrator.adapters.inference.replicate import Replicate
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.domain.money import MicroUsd, micro_usd
from orchestrator.ports.inference import InferenceApi
from orchestrator.sandbox.replicate import ACCOUNT, Trouble, app
from orchestrator.sandbox.replicate.account import Account
from orchestrator.sandbox.studio import SECONDS, Studio
from tests.adapters.replicate.specification import Witness

KEY = "r8_thekeyofthisaccount0000000000000000000"
INTRUDERS_KEY = "r8_thekeyofsomebodyelse00000000000000000"
SHORT = timedelta(seconds=0.3)
QUICK = Limits(
    settle=timedelta(seconds=3),
    queue=SHORT,
    poll=timedelta(seconds=0.02),
    answer_bytes=2**20,
    picture_bytes=2**18,
)
IMPATIENT = Limits(order=SHORT, read=SHORT, settle=SHORT, queue=SHORT, poll=SHORT, run=SHORT, download=SHORT)

TROUBLES: Mapping[str, Trouble] = {
    "ANSWER_LOST": Trouble.ANSWER_LOST,
    "NO_ROOM": Trouble.THROTTLED,
    "OUT_OF_ORDER": Trouble.OUT_OF_ORDER,
    "SILENT": Trouble.SILENT,
    "GARBLED": Trouble.GARBLED,
    "TOO_LONG": Trouble.TOO_LONG,
    "FILTERED": Trouble.FILTERED,
    "FAILS": Trouble.FAILS,
    "NO_MONEY": Trouble.NO_MONEY,
    "MODEL_GONE": Trouble.MODEL_GONE,
    "TOO_FEW": Trouble.TOO_FEW,
    "NO_PICTURE": Trouble.NO_PICTURE,
}
"""The suite's troubles, by name. What falls on every answer falls on the looking for lost ones, too."""


@dataclass(slots=True, kw_only=True)
class Sketchbook(Studio):
    """Paints so small that a hundred pictures take a second: nobody here looks at them."""

    async def paint(
        self, prompt: str, *, width: int, height: int, seed: int, form: str = "PNG", seconds: float = SECONDS
    ) -> bytes:
        return await Studio.paint(
            self, prompt, width=width // 16, height=height // 16, seed=seed, form=form, seconds=seconds
        )


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

    async def strike(self, trouble: StrEnum) -> None:
        struck = TROUBLES[trouble.name]
        self.account.troubles.strike(struck, times=1 if struck is Trouble.ANSWER_LOST else None)
        if struck in {Trouble.SILENT, Trouble.OUT_OF_ORDER, Trouble.GARBLED, Trouble.TOO_LONG}:
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
