"""The painter's container: our own app's code over a ComfyUI that paints without a GPU."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.modal_app import Calls, Complaint, Json, Meter, paint
from orchestrator.sandbox.comfyui.executor import Pace
from orchestrator.sandbox.comfyui.server import ServerSettings, open_server
from orchestrator.sandbox.modal.troubles import ModalTrouble
from orchestrator.sandbox.models import make_models
from orchestrator.sandbox.struck import Struck
from orchestrator.sandbox.studio import SECONDS, Studio

API = "modal"
BOOT_S = 20.0
WINDOW_S = 60.0
MACHINE = {"gpu": "L40S", "cores": 2.0, "gib": 24.0, "window_s": WINDOW_S}
USD_A_SECOND = 0.000542 + 2 * 0.0000131 + 24 * 0.00000222
"""Modal's prices of 2026-07 for such a machine: an L40S, cores, memory."""

KEPT_ORDERS = 64
POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class _ComfyUi:
    """Where it is, and the file that tells it what goes wrong next."""

    url: str
    fault_file: Path


@dataclass(slots=True, kw_only=True)
class LocalCalls(Calls):
    """
    Orders as tasks, remembered by their ids. ComfyUI starts with the first of them, as at a cold start.

    Attributes:
        orders: How many were begun.
    """

    studio: Studio
    troubles: Struck[ModalTrouble]
    tasks: asyncio.TaskGroup
    orders: int = 0
    _begun: dict[str, asyncio.Task[Json]] = field(default_factory=dict)
    _meter: Meter | None = None
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _comfyui: asyncio.Future[_ComfyUi] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def stand_by(self, models: Path | None) -> None:
        """Run ComfyUI from the first order on, until cancelled."""
        await self._wanted.wait()
        async with _open_comfyui(self.studio, models) as comfyui:
            self._comfyui.set_result(comfyui)
            await asyncio.Event().wait()

    async def begin(self, order: Json) -> None:
        if order["id"] in self._begun:
            return
        self.orders += 1
        self._begun[order["id"]] = self.tasks.create_task(self._run(order))
        while len(self._begun) > KEPT_ORDERS:
            self._begun.pop(next(iter(self._begun))).cancel()

    async def result(self, name: str) -> Json | None:
        task = self._begun.get(name)
        if task is None:
            return None
        await asyncio.wait({task})
        answer = Complaint("stopped", "it was stopped").as_json() if task.cancelled() else task.result()
        return {**answer, "machine": MACHINE}

    async def cancel(self, name: str) -> None:
        if name in self._begun:
            self._begun[name].cancel()

    def end(self) -> None:
        """Stop whatever still runs."""
        for task in self._begun.values():
            task.cancel()

    async def _run(self, order: Json) -> Json:
        self._wanted.set()
        if self._meter is None:
            self._meter = Meter(time.monotonic, started=time.monotonic(), tail_s=WINDOW_S / self.studio.speed)
            await asyncio.sleep(BOOT_S / self.studio.speed)
        comfyui = await asyncio.shield(self._comfyui)
        if self.troubles.take(ModalTrouble.ENDLESS):
            await asyncio.Event().wait()
        if self.troubles.take(ModalTrouble.FAILS):
            comfyui.fault_file.write_text("oom 1")
        answer = await paint(comfyui.url, order, poll_s=POLL_S)
        seconds = self._meter.take()
        self.studio.charge(API, order["id"], seconds * USD_A_SECOND)
        return {**self._spoiled(answer), "seconds": seconds}

    def _spoiled(self, answer: Json) -> Json:
        pictures = answer.get("pictures", [])
        if pictures and self.troubles.take(ModalTrouble.TOO_FEW):
            return {**answer, "pictures": pictures[:-1]}
        if pictures and self.troubles.take(ModalTrouble.NO_PICTURE):
            return {**answer, "pictures": [base64.b64encode(b"no picture at all").decode() for _ in pictures]}
        return answer


@asynccontextmanager
async def open_painter(
    studio: Studio, troubles: Struck[ModalTrouble], models: Path | None
) -> AsyncIterator[LocalCalls]:
    """
    Run it within the block.

    Args:
        models: Where the sandbox's model files are; None has them made.
    """
    async with asyncio.TaskGroup() as tasks:
        calls = LocalCalls(studio=studio, troubles=troubles, tasks=tasks)
        comfyui = tasks.create_task(calls.stand_by(models))
        try:
            yield calls
        finally:
            calls.end()
            comfyui.cancel()


@asynccontextmanager
async def _open_comfyui(studio: Studio, models: Path | None) -> AsyncIterator[_ComfyUi]:
    with TemporaryDirectory(prefix="glowplug-modal-") as base:
        where = models or Path(base) / "made"
        await asyncio.to_thread(make_models, where)
        (Path(base) / "models").symlink_to(where)
        pace = Pace(sampling_s=SECONDS / studio.speed, loading_s=SECONDS / studio.speed)
        fault_file = Path(base) / "fault"
        settings = ServerSettings(listen="127.0.0.1", port=0, base=Path(base), pace=pace, fault_file=fault_file)
        async with open_server(settings) as url:
            yield _ComfyUi(url=url, fault_file=fault_file)
