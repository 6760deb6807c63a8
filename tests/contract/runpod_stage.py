"""The sandbox's RunPod, rented from by the adapter for RunPod, as a stage of the contract suite."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from orchestrator.adapters.clouds.limits import Limits
from orchestrator.domain.ids import CloudRef
from orchestrator.ports.cloud import CloudProvider
from orchestrator.sandbox.runpod import Trouble as Ours
from tests.adapters.runpod.world import KEY, World, world
from tests.contract.cloud_suite import Trouble
from tests.contract.vast_stage import INTRUDERS_KEY

SHORT = timedelta(seconds=0.4)
IMPATIENT = Limits(read=SHORT, search=SHORT, listing=SHORT, launch=SHORT, terminate=SHORT)

ONCE: Mapping[Trouble, Ours] = {
    Trouble.ANSWER_LOST: Ours.ANSWER_LOST,
    Trouble.ANSWER_CUT: Ours.ANSWER_CUT,
    Trouble.ANSWER_GARBLED: Ours.ANSWER_GARBLED,
    Trouble.ANSWER_EMPTY: Ours.ANSWER_EMPTY,
    Trouble.ANSWER_5XX: Ours.ANSWER_5XX,
}
ALL_THE_TIME: Mapping[Trouble, Ours] = {
    Trouble.OUT_OF_ORDER: Ours.OUT_OF_ORDER,
    Trouble.TOO_OFTEN: Ours.TOO_OFTEN,
    Trouble.TOO_LONG: Ours.TOO_LONG,
    Trouble.GARBLED: Ours.GARBLED,
    Trouble.SILENT: Ours.SILENT,
    Trouble.LIST_MALFORMED: Ours.LIST_MALFORMED,
    Trouble.LIST_NULL: Ours.LIST_NULL,
    Trouble.LIST_ENDLESS: Ours.LIST_ENDLESS,
}


class RunPodStage:
    """One account at a RunPod of our own process."""

    exempt: Mapping[str, str] = {
        Trouble.LIST_SHORT: "a listing counts nothing: only its last page says that it is the last",
        "test_a_taken_offer_is_gone": "an offer is a kind, and can be ordered while any machine of the kind is free",
        "test_a_listing_goes_on_beyond_one_page": "it sells fewer kinds than a page holds; see tests/adapters/runpod",
    }
    retry_after = timedelta(seconds=12)
    secrets: tuple[str, ...] = (KEY, INTRUDERS_KEY)

    def __init__(self, served: World) -> None:
        self._world = served
        self.had_trouble = False
        self.cloud: CloudProvider = served.open()
        self.intruder: CloudProvider = served.open(key=INTRUDERS_KEY)

    async def until_running(self, ref: CloudRef) -> None:
        await self._world.until_running(ref)

    async def until_unlisted(self, ref: CloudRef) -> None:
        """It is gone at once."""

    async def vanish(self, ref: CloudRef) -> None:
        self._world.machine(ref).vanish()

    async def spend_everything(self) -> None:
        self._world.cloud.balance_usd = 0.0

    async def strike(self, trouble: Trouble) -> None:
        self.had_trouble = True
        if trouble in ONCE:
            self._world.troubles.strike(ONCE[trouble], times=1)
            return
        self._world.troubles.strike(ALL_THE_TIME[trouble])
        if trouble is Trouble.SILENT:
            self.cloud = self._world.open(limits=IMPATIENT)

    async def recover(self) -> None:
        self._world.troubles.recover()

    async def orders_received(self) -> int:
        return self._world.count("launch")


@asynccontextmanager
async def runpod_stage() -> AsyncIterator[RunPodStage]:
    """Set it; afterwards, what was said without any trouble must be what the specification allows."""
    async with world() as served:
        stage = RunPodStage(served)
        yield stage
    assert stage.had_trouble or served.faults == []
