"""What a cloud offers and what it charges."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.domain.ids import CloudName, HostId, MachineId, OfferId
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour, price_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a workflow needs of a machine."""

    vram_mib: int
    disk_gib: int
    cuda: float = 0.0
    """The newest CUDA version that the driver must support, such as 12.4; 0 asks for none."""
    inet_down_mbps: int = 0
    """Megabits per second towards the machine."""
    compute_capability: float = 0.0
    """The oldest generation of card that will do, as NVIDIA numbers them, such as 8.0; 0 takes any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """
    How one cloud bills one machine: a value that its adapter knows.

    Attributes:
        running: While the machine runs.
        always: From the order until the machine is gone (disk, mostly).
        per_gib_down: For each GiB that the machine downloads.
        bills_boot: Whether *running* is billed from the order on, not only once the machine is up.
    """

    running: MicroUsdPerHour
    always: MicroUsdPerHour = MicroUsdPerHour(0)
    per_gib_down: MicroUsd = MicroUsd(0)
    bills_boot: bool = True

    @property
    def per_hour(self) -> MicroUsdPerHour:
        return MicroUsdPerHour(self.running + self.always)

    def cost(self, *, ordered: datetime, running: datetime | None, until: datetime, bytes_down: int = 0) -> MicroUsd:
        """What a machine has cost by *until*; *running* is when the cloud first said that it was up."""
        up = ordered if self.bills_boot else running
        gpu = price_of(self.running, until - up) if up is not None else 0
        wire = -(-self.per_gib_down * bytes_down // 2**30)
        return MicroUsd(gpu + price_of(self.always, until - ordered) + wire)

    def worst_case(self, span: timedelta, *, bytes_down: int) -> MicroUsd:
        """The most that *span* can cost, from the order on."""
        return MicroUsd(price_of(self.per_hour, span) + -(-self.per_gib_down * bytes_down // 2**30))


DEARER = 1.02
"""Clouds round; more than this is another price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A machine for a price, now; usually gone within a minute."""

    cloud: CloudName
    id: OfferId
    machine: MachineId
    host: HostId
    gpu: str
    vram_mib: int
    disk_gib: int
    tariff: Tariff
    reliability: float
    """The cloud's own figure, 0 to 1."""
    inet_down_mbps: float
    location: str
    cuda: float = 0.0
    compute_capability: float = 0.0
    """0 where the cloud does not say."""
    is_kind: bool = False
    """Whether it stands for any of several like machines: whoever has one of them may order another."""
    volume: str = ""
    """Path on the machine of a folder that outlives it, and that other machines have at the same time; empty: none."""

    def charged(self, price: MicroUsdPerHour) -> "Offer":
        """The same machine for what its cloud really takes; disk costs what it was said to cost."""
        running = MicroUsdPerHour(price - self.tariff.always)
        return replace(self, tariff=replace(self.tariff, running=running))


def is_dearer(offer: Offer, price: MicroUsdPerHour) -> bool:
    """Whether a cloud charges more than it offered."""
    return price > offer.tariff.per_hour * DEARER
