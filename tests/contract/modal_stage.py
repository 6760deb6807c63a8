"""The fake of Modal, with our app's own code behind it, as a stage of the contract suite."""

import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

import aiohttp
from aiohttp.test_utils import TestServer

from orchestrator.adapters.inference.exchange import Limits
from orchestrator.adapters.inference.modal.api import Modal
from orchestrator.domain.money import MicroUsd, micro_usd
from orchestrator.sandbox.modal import FRONT, Front, ModalTrouble, app
from orchestrator.sandbox.studio import Studio
from tests.contract.inference_suite import INTRUDERS_KEY, Trouble

KEY, SECRET = "wk-5c21b1ee0f1d42d3", "ws-a3a6a1c8d0e7f7b9"
SMALL = 2**23
LIMITS = Limits(answer_bytes=SMALL)
IMPATIENT = Limits(order=timedelta(seconds=0.3), ask=timedelta(seconds=0.3), answer_bytes=SMALL)
TROUBLES: Mapping[Trouble, ModalTrouble] = {
    Trouble.ANSWER_LOST: ModalTrouble.ANSWER_LOST,
    Trouble.NO_ROOM: ModalTrouble.TOO_OFTEN,
    Trouble.OUT_OF_ORDER: ModalTrouble.OUT_OF_ORDER,
    Trouble.SILENT: ModalTrouble.SILENT,
    Trouble.GARBLED: ModalTrouble.GARBLED,
    Trouble.TOO_LONG: ModalTrouble.TOO_LONG,
    Trouble.FAILS: ModalTrouble.FAILS,
    Trouble.MODEL_GONE: ModalTrouble.STOPPED,
    Trouble.TOO_FEW: ModalTrouble.TOO_FEW,
    Trouble.NO_PICTURE: ModalTrouble.NO_PICTURE,
    Trouble.ENDLESS: ModalTrouble.ENDLESS,
}


class ModalStage:
    """One deployed app."""

    exempt: Mapping[str, str] = {
        Trouble.FILTERED: "it is our own graph, which keeps nothing back",
        Trouble.NO_MONEY: "a workspace over its budget has its apps stopped, as when the model is gone",
    }

    def __init__(self, front: Front, url: str, session: aiohttp.ClientSession) -> None:
        self.front = front
        self.url = url
        self.session = session
        self.api = self.open()
        self.intruder = self.open(secret=INTRUDERS_KEY)

    def open(self, *, key: str = KEY, secret: str = SECRET, limits: Limits = LIMITS) -> Modal:
        return Modal(url=self.url, key=key, secret=secret, session=self.session, limits=limits)

    async def strike(self, trouble: Trouble) -> None:
        self.front.troubles.strike(TROUBLES[trouble], times=1 if trouble is Trouble.ANSWER_LOST else None)
        if trouble is Trouble.SILENT:
            self.api = self.open(limits=IMPATIENT)

    async def recover(self) -> None:
        self.front.troubles.recover()
        self.api = self.open()

    async def orders(self) -> int:
        return self.front.orders

    async def charged(self) -> MicroUsd:
        return micro_usd(self.front.studio.charged_usd("modal"))


@cache
def models() -> Path:
    """One folder for all tests of a process; gone at its end."""
    folder = tempfile.mkdtemp(prefix="glowplug-models-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@asynccontextmanager
async def modal_stage() -> AsyncIterator[ModalStage]:
    served = app(Studio(speed=1000), KEY, secret=SECRET, models=models())
    server = TestServer(served)
    await server.start_server(shutdown_timeout=0.1, access_log=None)
    try:
        async with aiohttp.ClientSession() as session:
            yield ModalStage(served[FRONT], str(server.make_url("")), session)
    finally:
        await server.close()
