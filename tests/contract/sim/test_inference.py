"""The managed API in memory against the rules of ``inference_suite``."""

from collections.abc import Mapping

import pytest

from orchestrator.domain.money import MicroUsd
from orchestrator.sim.inference import LIMIT_S, Mood, SimInference
from tests.contract import inference_suite
from tests.contract.inference_suite import InferenceContract, InferenceInTroubleContract, Trouble
from tests.contract.sim.stage import Certain, calm, timeline_now

MOODS: Mapping[Trouble, Mood] = {
    Trouble.ANSWER_LOST: Mood.LOSES_ANSWERS,
    Trouble.NO_ROOM: Mood.FULL,
    Trouble.OUT_OF_ORDER: Mood.DOWN,
    Trouble.SILENT: Mood.SILENT,
    Trouble.FILTERED: Mood.FILTERS,
    Trouble.FAILS: Mood.FAILS,
    Trouble.NO_MONEY: Mood.POOR,
    Trouble.MODEL_GONE: Mood.RETIRED,
    Trouble.TOO_FEW: Mood.FORGETS,
    Trouble.ENDLESS: Mood.ENDLESS,
}


class MemoryStage:
    """One account at the API of a world of its own."""

    exempt: Mapping[str, str] = {
        trouble: f"nothing in memory comes as bytes: {trouble}" for trouble in Trouble if trouble not in MOODS
    }

    def __init__(self) -> None:
        self.api = SimInference(timeline_now(), calm(), Certain())
        self.intruder = SimInference(timeline_now(), calm(), Certain(), key_is_good=False)

    async def strike(self, trouble: Trouble) -> None:
        self.api.mood = MOODS[trouble]

    async def recover(self) -> None:
        self.api.mood = Mood.WELL

    async def orders(self) -> int:
        return len(self.api.orders)

    async def charged(self) -> MicroUsd:
        return self.api.charged


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time costs nothing here, so the API's own limits are those of real ones."""
    monkeypatch.setattr(inference_suite, "PATIENCE_S", 2 * LIMIT_S)


class TestSimInference(InferenceContract):
    exempt = MemoryStage.exempt

    @pytest.fixture(params=["memory"])
    async def subject(self) -> MemoryStage:
        return MemoryStage()


class TestSimInferenceInTrouble(InferenceInTroubleContract):
    exempt = MemoryStage.exempt

    @pytest.fixture(params=["memory"])
    async def subject(self) -> MemoryStage:
        return MemoryStage()
