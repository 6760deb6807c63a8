"""
Machines you own, behind the port: never launched, never destroyed, lent to one session at a time.

An order takes a lease, a file in the bot's folder; the machines of the account are the leases. Sessions that find none
free are given no offer, and ask again as they do where a cloud has sold out.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import aiohttp

from orchestrator.adapters.clouds.static.hosts import StaticHost, parse_hosts
from orchestrator.adapters.clouds.static.leases import Damaged, Lease, Leases
from orchestrator.adapters.clouds.static.parting import Parting, parting
from orchestrator.adapters.ssh import SshConnector, load_or_create_key
from orchestrator.adapters.system import SystemClock
from orchestrator.domain.errors import CloudProtocolError, CloudUnavailable, OfferGone
from orchestrator.domain.gpu import capability_of
from orchestrator.domain.ids import CloudName, CloudRef, HostId, LaunchKey, MachineId, OfferId
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.ports.clock import Clock
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental, RentalState

STATIC = CloudName("static")
FREE_OF_CHARGE = MicroUsdPerHour(0)
REST_S = 300
"""After a failure a machine is left alone for so long at most."""

Result = TypeVar("Result")


class StaticCloud(CloudProvider):
    """Keeps nothing in memory but the settings: leases are files, so that they outlive us."""

    def __init__(self, *, hosts: str, folder: Path, clock: Clock, part: Parting) -> None:
        """
        Read the setting.

        Args:
            hosts: See :func:`hosts.parse_hosts`.
            folder: The bot's own; leases are in one of their own below it.
            part: Leaves a machine in order when its lease ends.

        Raises:
            ValueError: The setting cannot be read.
        """
        self._hosts = parse_hosts(hosts)
        self._leases = Leases(folder / STATIC)
        self._clock = clock
        self._part = part

    @property
    def name(self) -> CloudName:
        return STATIC

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        """See the port. Disk, link and driver are whatever they are: they are measured when it is prepared."""
        taken = {lease.host for lease in await self._on_disk(self._leases.all)}
        return tuple(
            _offer(host, requirements, self._clock.now())
            for host in self._hosts.values()
            if host.name not in taken
            and host.vram_mib >= requirements.vram_mib * VRAM_SLACK
            and not 0 < capability_of(host.gpu) < requirements.compute_capability
        )

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:  # noqa: ARG002 - it is running
        if offer.id not in self._hosts:
            raise OfferGone(STATIC, f"{offer.id} is not among your machines any more")
        lease = Lease(host=offer.id, label=key, since=self._clock.now())
        if not await self._on_disk(lambda: self._leases.take(lease)):
            raise OfferGone(STATIC, f"{offer.id} works for another session")
        return lease.ref

    async def rentals(self) -> tuple[Rental, ...]:
        return tuple(self._rental(lease) for lease in await self._on_disk(self._leases.all))

    async def rental(self, ref: CloudRef) -> Rental | None:
        lease = await self._on_disk(lambda: self._leases.of(ref))
        return None if lease is None else self._rental(lease)

    async def terminate(self, ref: CloudRef) -> bool:
        """See the port. The machine goes on; what we started there is stopped before anybody else may take it."""
        lease = await self._on_disk(lambda: self._leases.of(ref))
        if lease is None:
            return False
        if host := self._hosts.get(lease.host):
            await self._part(host.address)
        return await self._on_disk(lambda: self._leases.give_up(ref))

    async def account(self) -> Account:
        """See the port. Nobody is paid."""
        await self._on_disk(self._leases.all)
        return Account(balance=None)

    def _rental(self, lease: Lease) -> Rental:
        """A machine that the settings do not name any more is lost: it can only be given up."""
        host = self._hosts.get(lease.host)
        return Rental(
            cloud=STATIC,
            ref=lease.ref,
            label=lease.label,
            state=RentalState.LOST if host is None else RentalState.RUNNING,
            address=None if host is None else host.address,
            gpu="" if host is None else host.gpu,
            price=FREE_OF_CHARGE,
            started_at=lease.since,
            detail="not in the settings any more" if host is None else "lent",
        )

    async def _on_disk(self, work: Callable[[], Result]) -> Result:
        """
        Do what blocks in a thread; an error is never an absence.

        A thread cannot be cancelled, so its end is waited for: what a cancelled call has done is there when it is over.
        """
        doing = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            await asyncio.wait([doing])
            raise
        except Damaged as error:
            raise CloudProtocolError(STATIC, str(error)) from error
        except OSError as error:
            raise CloudUnavailable(STATIC, f"the leases cannot be used: {error}; see to the disk") from error


def _offer(host: StaticHost, requirements: Requirements, now: datetime) -> Offer:
    """
    Offer a machine, for these five minutes under one name.

    A machine that failed is not tried again for an hour, by its name: a market has others, its owner perhaps none.
    """
    return Offer(
        cloud=STATIC,
        id=OfferId(host.name),
        machine=MachineId(f"{host.name}~{int(now.timestamp() // REST_S)}"),
        host=HostId(host.name),
        gpu=host.gpu,
        vram_mib=host.vram_mib,
        disk_gib=requirements.disk_gib,
        tariff=Tariff(running=FREE_OF_CHARGE),
        reliability=1.0,
        inet_down_mbps=float(requirements.inet_down_mbps),
        location="yours",
        compute_capability=capability_of(host.gpu),
    )


def static(*, url: str | None, key: str, session: aiohttp.ClientSession, folder: Path) -> CloudProvider:  # noqa: ARG001 - nobody is asked
    """
    Lend the machines that *url*, the setting, names.

    Raises:
        ValueError: It cannot be read; one sentence says why.
    """

    async def connector() -> SshConnector:
        return SshConnector(await asyncio.to_thread(load_or_create_key, folder))

    return StaticCloud(hosts=url or "", folder=folder, clock=SystemClock(), part=parting(connector))
