"""The cloud in memory against the rules of ``cloud_suite``."""

import pytest

from tests.contract.cloud_suite import CloudInTroubleSuite, CloudSuite, Stage, TroubledStage
from tests.contract.sim.stage import SimStage


class TestSimCloud(CloudSuite):
    exempt = SimStage.exempt

    @pytest.fixture(params=["memory"])
    async def subject(self) -> Stage:
        return SimStage(hosts=60)


class TestSimCloudInTrouble(CloudInTroubleSuite):
    exempt = SimStage.exempt

    @pytest.fixture(params=["memory"])
    async def subject(self) -> TroubledStage:
        return SimStage(hosts=200)
