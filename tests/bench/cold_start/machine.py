"""A machine of the laboratory: OpenSSH's server, a folder as its disk, and a cloud that rents it once."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from orchestrator.domain.ids import CloudName, CloudRef, HostId, LaunchKey, MachineId, OfferId
from orchestrator.domain.instance import Address
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental, RentalState
from orchestrator.sandbox import reaper
from orchestrator.sandbox.image import install_programs
from tests.bench.cold_start.scale import PROVISION_S, SSH_S, WIRE_BPS, Scale
from tests.contract.machines import openssh

LAB = CloudName("lab")
GPU = "RTX 4090"
VRAM_MIB = 24_564
PRICE = MicroUsdPerHour(300_000)


@asynccontextmanager
async def machine(folder: Path, known: asyncssh.SSHKey) -> AsyncIterator[Address]:
    """Serve SSH to whoever has the key *known*; what runs there ends with the block."""
    root, programs = folder / "root", folder / "programs"
    (root / "tmp").mkdir(parents=True)
    install_programs(programs, gpu=GPU, memory_mb=VRAM_MIB, driver="550.54.15", cuda=12.4)
    mark = f"lab.{secrets.token_hex(4)}."
    path = f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin"
    seen = {"HOME": root, "GLOWPLUG_ROOT": root, "TMPDIR": root / "tmp", "PATH": path, reaper.MARK: mark}
    options = "SetEnv " + " ".join(f'{name}="{value}"' for name, value in seen.items()) + "\n"
    try:
        async with openssh(folder, options=options, known=known) as subject:
            yield subject.address
    finally:
        await asyncio.to_thread(reaper.end_marked, mark)


@dataclass(slots=True, kw_only=True)
class Lab(CloudProvider):
    """
    A cloud with one machine, which takes as long as his to be ordered and to open its SSH.

    Attributes:
        group: The machine lives in it.
    """

    folder: Path
    scale: Scale
    group: asyncio.TaskGroup
    label: str = ""
    address: Address | None = None
    living: asyncio.Task[None] | None = None
    key: str = ""
    ref: CloudRef = field(default_factory=lambda: CloudRef(secrets.token_hex(4)))
    name: CloudName = LAB

    async def account(self) -> Account:
        return Account(balance=None)

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        if self.living is not None:
            return ()
        offer = Offer(
            cloud=LAB,
            id=OfferId("1"),
            machine=MachineId("1"),
            host=HostId("1"),
            gpu=GPU,
            vram_mib=VRAM_MIB,
            disk_gib=requirements.disk_gib,
            tariff=Tariff(running=PRICE),
            reliability=1.0,
            inet_down_mbps=WIRE_BPS * 8 / 1e6,
            location="loopback",
        )
        return (offer,)

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        self.label = key
        await self.order(order.ssh_public_key)
        return self.ref

    async def order(self, public_key: str) -> None:
        """Order it; its SSH opens as long after that as his did."""
        await asyncio.sleep(self.scale.seconds(PROVISION_S))
        self.living = self.group.create_task(self._live(asyncssh.import_public_key(public_key)))

    async def _live(self, known: asyncssh.SSHKey) -> None:
        await asyncio.sleep(self.scale.seconds(SSH_S))
        async with machine(self.folder, known) as address:
            self.address = address
            await asyncio.Event().wait()

    async def rentals(self) -> tuple[Rental, ...]:
        rental = await self.rental(self.ref)
        return () if rental is None else (rental,)

    async def rental(self, ref: CloudRef) -> Rental | None:
        if self.living is None or self.living.done():
            return None
        return Rental(
            cloud=LAB,
            ref=ref,
            label=self.label,
            state=RentalState.STARTING if self.address is None else RentalState.RUNNING,
            address=self.address,
            gpu=GPU,
            price=PRICE,
            started_at=None,
        )

    async def terminate(self, ref: CloudRef) -> bool:
        was_there = self.living is not None and not self.living.done()
        if self.living is not None:
            self.living.cancel()
        return was_there
