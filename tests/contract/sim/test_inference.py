"""The managed API in memory against the rules of ``inference_suite``."""

from math import inf

import pytest

from orchestrator.faults import WorldFault
from orchestrator.sim.inference import SimInference
from orchestrator.sim.weather import Window
from tests.contract.inference_suite import InferenceContract, Subject
from tests.contract.sim.stage import Certain, calm, timeline_now


class TestSimInference(InferenceContract):
    @pytest.fixture
    async def subject(self) -> Subject:
        weather = calm()

        async def take_down() -> None:
            weather.windows = {WorldFault.BRIDGE_FAILS: (Window(begin=0.0, end=inf),)}

        return Subject(api=SimInference(timeline_now(), weather, Certain()), take_down=take_down)
