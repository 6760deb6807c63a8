"""The sandbox cloud, rented from by the production adapter for Vast, as a stage of the contract suite."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp

from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.vast.cloud import SANDBOX, VastCloud
from orchestrator.domain.ids import CloudRef
from orchestrator.faults import Fault
from orchestrator.ports.cloud import CloudProvider, Rental, RentalState
from orchestrator.sandbox.options import DataFolder, SandboxOptions
from orchestrator.sandbox.server import Sandbox, open_sandbox
from tests.contract.cloud_suite import Trouble
from tests.contract.vast_stage import IMPATIENT, INTRUDERS_KEY

SANDBOX_KEY = "5a4db0c5a4db0c5a4db0c5a4db0c5a4db0c5a4db0c5a4db0c5a4db0c5a4db0c5"
HOSTS = 160
SPEED = 50.0
"""A machine boots in tens of milliseconds."""
SETTLED = timedelta(seconds=20)
OPERATIONS = ("search", "create", "list", "show", "destroy", "user")
"""All but SSH keys: what an order asks for first must not hide how the order itself ends."""

FAULTS: Mapping[Trouble, Fault] = {
    Trouble.ANSWER_LOST: Fault.CREATE_ANSWER_DROPPED,
    Trouble.ANSWER_EMPTY: Fault.CREATE_ANSWER_WITHOUT_ID,
    Trouble.LIST_SHORT: Fault.LISTING_TRUNCATED,
    Trouble.LIST_MALFORMED: Fault.LISTING_RESHAPED,
}
FAULTS_OF_ALL: Mapping[Trouble, Fault] = {
    Trouble.OUT_OF_ORDER: Fault.API_500,
    Trouble.TOO_OFTEN: Fault.API_429_RETRY_AFTER,
    Trouble.GARBLED: Fault.API_GARBAGE,
    Trouble.SILENT: Fault.API_HANGS,
}


class SandboxStage:
    """One account at a sandbox of our own process."""

    exempt: Mapping[str, str] = {
        trouble: f"the sandbox has no fault for: {trouble}"
        for trouble in Trouble
        if trouble not in FAULTS and trouble not in FAULTS_OF_ALL
    }
    retry_after = timedelta(seconds=1)
    secrets: tuple[str, ...] = (SANDBOX_KEY, INTRUDERS_KEY)

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self._sandbox = sandbox
        self._session = session
        self._orders = 0
        self.cloud: CloudProvider = self._open(SANDBOX_KEY, Limits())
        self.intruder: CloudProvider = self._open(INTRUDERS_KEY, Limits())

    async def until_running(self, ref: CloudRef) -> None:
        await self._until(ref, lambda rental: rental is not None and rental.state is RentalState.RUNNING)

    async def until_unlisted(self, ref: CloudRef) -> None:
        await self._until(ref, lambda rental: rental is None)

    async def vanish(self, ref: CloudRef) -> None:
        await self._tell("POST", fault=Fault.VANISHES, machine=int(ref))
        await self.until_unlisted(ref)

    async def spend_everything(self) -> None:
        self._sandbox.cloud.balance_usd = 0.0

    async def strike(self, trouble: Trouble) -> None:
        if trouble in FAULTS:
            await self._tell("POST", fault=FAULTS[trouble])
            return
        for operation in OPERATIONS:
            await self._tell("POST", fault=FAULTS_OF_ALL[trouble], operation=operation, count=None)
        if trouble is Trouble.SILENT:
            self.cloud = self._open(SANDBOX_KEY, IMPATIENT)

    async def recover(self) -> None:
        await self._tell("DELETE")

    async def orders_received(self) -> int:
        return len(self._sandbox.cloud.bill.meters)

    async def _until(self, ref: CloudRef, is_so: Callable[[Rental | None], bool]) -> None:
        async with asyncio.timeout(SETTLED.total_seconds()):
            while not is_so(await self.cloud.rental(ref)):
                await asyncio.sleep(0.01)

    async def _tell(self, method: str, **body: object) -> None:
        """Use the sandbox's own API, as a person with a terminal would."""
        headers = {"Authorization": f"Bearer {SANDBOX_KEY}"}
        url = f"{self._sandbox.url}/sandbox/faults"
        async with self._session.request(method, url, json=body, headers=headers, raise_for_status=True):
            pass

    def _open(self, key: str, limits: Limits) -> VastCloud:
        return VastCloud(url=self._sandbox.url, key=key, session=self._session, name=SANDBOX, limits=limits, pace=0)


@asynccontextmanager
async def sandbox_stage() -> AsyncIterator[SandboxStage]:
    """Set it, with more hosts than usual, in a folder of its own."""
    options = SandboxOptions(key=SANDBOX_KEY, hosts=HOSTS, speed=SPEED)
    with tempfile.TemporaryDirectory() as folder:
        async with open_sandbox(DataFolder(Path(folder)), options) as sandbox, aiohttp.ClientSession() as session:
            yield SandboxStage(sandbox, session)
