"""RunPod's job API of the sandbox as a stage of the contract suite."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from orchestrator.domain.money import MicroUsd, micro_usd
from orchestrator.ports.inference import InferenceApi
from orchestrator.sandbox.runpod_serverless import Trouble as Struck
from tests.adapters.runpod_serverless.service import IMPATIENT, Service, serving
from tests.contract.inference_suite import INTRUDERS_KEY, Trouble

TROUBLES: Mapping[Trouble, Struck] = {
    Trouble.ANSWER_LOST: Struck.ANSWER_LOST,
    Trouble.NO_ROOM: Struck.TOO_OFTEN,
    Trouble.OUT_OF_ORDER: Struck.OUT_OF_ORDER,
    Trouble.SILENT: Struck.SILENT,
    Trouble.GARBLED: Struck.GARBLED,
    Trouble.TOO_LONG: Struck.TOO_LONG,
    Trouble.FAILS: Struck.FAILS,
    Trouble.NO_MONEY: Struck.NO_MONEY,
    Trouble.MODEL_GONE: Struck.ENDPOINT_GONE,
    Trouble.TOO_FEW: Struck.TOO_FEW,
    Trouble.NO_PICTURE: Struck.NO_PICTURE,
    Trouble.ENDLESS: Struck.ENDLESS,
}


class RunPodServerlessStage:
    """One account with one endpoint that runs worker-comfyui."""

    exempt: Mapping[str, str] = {Trouble.FILTERED: "the graph is ours, and it has no filter"}

    def __init__(self, service: Service) -> None:
        self._service = service
        self.api: InferenceApi = service.worker()
        self.intruder: InferenceApi = service.worker(key=INTRUDERS_KEY)

    async def strike(self, trouble: Trouble) -> None:
        self._service.witness.garbles = trouble in {Trouble.GARBLED, Trouble.TOO_LONG}
        self._service.desk.troubles.strike(TROUBLES[trouble], times=1 if trouble is Trouble.ANSWER_LOST else None)
        if trouble is Trouble.SILENT:
            self.api = self._service.worker(limits=IMPATIENT)

    async def recover(self) -> None:
        self._service.desk.troubles.recover()

    async def orders(self) -> int:
        return len(self._service.desk.jobs)

    async def charged(self) -> MicroUsd:
        return micro_usd(self._service.desk.studio.charged_usd("runpod_serverless"))


@asynccontextmanager
async def runpod_serverless_stage() -> AsyncIterator[RunPodServerlessStage]:
    async with serving() as service:
        yield RunPodServerlessStage(service)
