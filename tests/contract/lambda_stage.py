"""The sandbox's Lambda Cloud, rented from by the production adapter, as a stage of the contract suite."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp

from orchestrator.adapters.clouds.lambda_labs.cloud import LambdaCloud
from orchestrator.adapters.clouds.lambda_labs.limits import Limits
from orchestrator.domain.ids import CloudRef
from orchestrator.ports.cloud import CloudProvider, Rental, RentalState
from orchestrator.sandbox.lambda_labs import Trouble as Theirs
from orchestrator.sandbox.lambda_labs.server import RETRY_AFTER_S
from tests.adapters.lambda_labs.serving import KEY, Lambda, serving
from tests.adapters.lambda_labs.specification import OPERATIONS
from tests.contract.cloud_suite import Trouble
from tests.contract.vast_stage import INTRUDERS_KEY

LAMBDA_KEY = KEY
SHORT = timedelta(seconds=0.2)
IMPATIENT = Limits(read=SHORT, listing=SHORT, launch=SHORT, terminate=SHORT)
SETTLED = timedelta(seconds=20)
ONCE = {Trouble.ANSWER_LOST, Trouble.ANSWER_CUT, Trouble.ANSWER_GARBLED, Trouble.ANSWER_EMPTY, Trouble.ANSWER_5XX}
SPOILT = {Trouble.LIST_MALFORMED, Trouble.LIST_NULL}
"""What the specification is right to object to."""


class LambdaStage:
    """One account at a sandbox of our own process, whose listings come in pages."""

    exempt: Mapping[str, str] = {
        "test_the_card_is_paid_for_and_the_disk_beside_it": "a type's price includes its disk",
        "test_more_disk_costs_more": "the same",
        "test_a_running_machine_says_since_when_it_is_there": "the specification, 1.8.3, tells no time of a machine",
        "test_the_balance_is_told": "a bill comes each week; there is no balance",
        Trouble.LIST_SHORT: "a listing does not count",
    }
    retry_after = timedelta(seconds=RETRY_AFTER_S)
    secrets: tuple[str, ...] = (KEY, INTRUDERS_KEY)

    def __init__(self, server: Lambda, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session
        self.cloud: CloudProvider = self._open(KEY, Limits())
        self.intruder: CloudProvider = self._open(INTRUDERS_KEY, Limits())

    async def until_running(self, ref: CloudRef) -> None:
        await self._until(ref, lambda rental: rental is not None and rental.state is RentalState.RUNNING)

    async def until_unlisted(self, ref: CloudRef) -> None:
        await self._until(ref, lambda rental: rental is None)

    async def vanish(self, ref: CloudRef) -> None:
        machine = self.server.account.machine(ref)
        assert machine is not None
        machine.vanish()

    async def spend_everything(self) -> None:
        self.server.account.cloud.balance_usd = 0.0

    async def orders_received(self) -> int:
        return self.server.account.arrived

    async def strike(self, trouble: Trouble) -> None:
        strike = self.server.account.troubles.strike
        if trouble is Trouble.SILENT:  # all but SSH keys: what an order asks first must not hide how the order ends
            strike(Theirs.SILENT, operations=set(OPERATIONS) - {"keys", "add_key"})
            self.cloud = self._open(KEY, IMPATIENT)
        else:
            strike(Theirs[trouble.name], times=1 if trouble in ONCE else None)
        if trouble in SPOILT:
            self.server.faults.append("spoilt")

    async def recover(self) -> None:
        self.server.account.troubles.recover()

    async def _until(self, ref: CloudRef, is_so: Callable[[Rental | None], bool]) -> None:
        async with asyncio.timeout(SETTLED.total_seconds()):
            while not is_so(await self.cloud.rental(ref)):
                await asyncio.sleep(0.005)

    def _open(self, key: str, limits: Limits) -> LambdaCloud:
        return LambdaCloud(url=self.server.url, key=key, session=self._session, limits=limits, pace=0)


@asynccontextmanager
async def lambda_stage() -> AsyncIterator[LambdaStage]:
    """Set it; afterwards, whatever was said must be what the specification allows."""
    async with serving() as server, aiohttp.ClientSession() as session:
        server.account.troubles.strike(Theirs.PAGED)
        yield LambdaStage(server, session)
    assert not server.faults or server.faults[0] == "spoilt", server.faults
