"""The fake of Together as a stage of the contract suite; it is held against the vendor's specification meanwhile."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
from aiohttp.test_utils import TestServer

from orchestrator.adapters.inference.exchange import Limits
from orchestrator.adapters.inference.together.api import Together
from orchestrator.domain.money import MicroUsd, micro_usd
from orchestrator.sandbox.studio import Studio
from orchestrator.sandbox.together import OFFICE, Office, TogetherTrouble, app
from tests.adapters.together.specification import held
from tests.contract.inference_suite import INTRUDERS_KEY, Trouble

KEY = "tgp_v1_5c21b1ee0f1d42d3a3a6a1c8d0e7f7b9"
IMPATIENT = Limits(order=timedelta(seconds=0.3), ask=timedelta(seconds=0.3))
SMALL = 2**23
NO_IDS = "an order has no name there, and nobody can ask for it"
TROUBLES: Mapping[Trouble, TogetherTrouble] = {
    Trouble.ANSWER_LOST: TogetherTrouble.ANSWER_LOST,
    Trouble.NO_ROOM: TogetherTrouble.TOO_OFTEN,
    Trouble.OUT_OF_ORDER: TogetherTrouble.OUT_OF_ORDER,
    Trouble.SILENT: TogetherTrouble.SILENT,
    Trouble.GARBLED: TogetherTrouble.GARBLED,
    Trouble.TOO_LONG: TogetherTrouble.TOO_LONG,
    Trouble.FILTERED: TogetherTrouble.REFUSES_WORDS,
    Trouble.FAILS: TogetherTrouble.FAILS,
    Trouble.NO_MONEY: TogetherTrouble.NO_CREDIT,
    Trouble.MODEL_GONE: TogetherTrouble.MODEL_GONE,
    Trouble.TOO_FEW: TogetherTrouble.TOO_FEW,
    Trouble.NO_PICTURE: TogetherTrouble.NO_PICTURE,
    Trouble.ENDLESS: TogetherTrouble.ENDLESS,
}


class TogetherStage:
    """One account at the fake."""

    exempt: Mapping[str, str] = {
        "test_what_the_api_calls_it_is_noted_once_before_the_pictures": NO_IDS,
        "test_a_noted_order_of_an_earlier_life_is_followed_and_not_ordered_again": NO_IDS,
        "test_cancelling_what_runs_stops_it": "nothing there can be stopped",
    }

    def __init__(self, office: Office, url: str, session: aiohttp.ClientSession) -> None:
        self.office = office
        self.url = url
        self.session = session
        self.api = self.open(KEY)
        self.intruder = self.open(INTRUDERS_KEY)

    def open(self, key: str = KEY, limits: Limits | None = None) -> Together:
        return Together(key=key, session=self.session, url=self.url, limits=limits or Limits(answer_bytes=SMALL))

    async def strike(self, trouble: Trouble) -> None:
        self.office.troubles.strike(TROUBLES[trouble], times=1 if trouble is Trouble.ANSWER_LOST else None)
        if trouble is Trouble.SILENT:
            self.api = self.open(limits=IMPATIENT)

    async def recover(self) -> None:
        self.office.troubles.recover()
        self.api = self.open()

    async def orders(self) -> int:
        return self.office.orders

    async def charged(self) -> MicroUsd:
        return micro_usd(self.office.studio.charged_usd("together"))


@asynccontextmanager
async def together_stage() -> AsyncIterator[TogetherStage]:
    """Set it; afterwards, whatever was said must be what the specification allows."""
    served = app(Studio(speed=1000), KEY)
    faults = held(served)
    server = TestServer(served)
    await server.start_server(shutdown_timeout=0.1, access_log=None)
    try:
        async with aiohttp.ClientSession() as session:
            yield TogetherStage(served[OFFICE], str(server.make_url("")), session)
    finally:
        await server.close()
    assert not faults, faults
