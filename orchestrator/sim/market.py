"""Who rents out what: hosts with their links, prices and bad days."""

import random
from dataclasses import dataclass

from orchestrator.domain.ids import CloudName, HostId, MachineId, OfferId
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.faults import Fault, Profile, host_fault

CARDS = (("RTX 4090", 24_564, 8.9), ("RTX 3090", 24_576, 8.6), ("RTX A5000", 24_564, 8.6), ("L40S", 46_068, 8.9))
DISK_PRICE = 200
"""Micro-dollars an hour for each GiB."""

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimHost:
    """
    One machine that somebody rents out.

    Attributes:
        bps: What its link really moves, in bytes a second.
        boast: How many times that it advertises.
        cold_start_s: From the order until it is ready; None lets the steps take what they take.
        picture_s: For a picture of four steps; None as fast as `speed`.
    """

    number: int
    gpu: str
    vram_mib: int
    compute_capability: float
    price: int
    bps: float
    speed: float
    cold_start_s: float | None = None
    picture_s: float | None = None
    boast: float = 1.0


class SimMarket:
    """
    All hosts of one cloud; what is wrong with each on a day follows from the seed.

    Args:
        hosts: In place of drawn ones.
    """

    def __init__(
        self,
        cloud: CloudName,
        *,
        seed: int,
        size: int,
        profile: Profile,
        hosts: tuple[SimHost, ...] = (),
        disk_price: int = DISK_PRICE,
    ) -> None:
        self._cloud = cloud
        self._seed = seed
        self._profile = profile
        self._disk_price = disk_price
        dice = random.Random(f"market/{cloud}/{seed}")
        tongues = random.Random(f"boasts/{cloud}/{seed}")
        self.hosts = hosts or tuple(_host(number, dice, tongues) for number in range(size))

    def fault_of(self, host: SimHost, now: float) -> Fault | None:
        return host_fault(self._profile, host=host.number, day=int(now / DAY), seed=self._seed)

    def host_of(self, offer: OfferId) -> SimHost:
        return self.hosts[int(offer) - 1000]

    def offers(self, requirements: Requirements, taken: frozenset[int]) -> tuple[Offer, ...]:
        """What is free and meets the requirements."""
        found = (self._offer(host, requirements) for host in self.hosts if host.number not in taken)
        return tuple(offer for offer in found if _meets(offer, requirements))

    def _offer(self, host: SimHost, requirements: Requirements) -> Offer:
        tariff = Tariff(
            running=MicroUsdPerHour(host.price), always=MicroUsdPerHour(self._disk_price * requirements.disk_gib)
        )
        return Offer(
            cloud=self._cloud,
            id=OfferId(str(1000 + host.number)),
            machine=MachineId(str(5000 + host.number)),
            host=HostId(str(200 + host.number)),
            gpu=host.gpu,
            vram_mib=host.vram_mib,
            disk_gib=400,
            tariff=tariff,
            reliability=0.99,
            inet_down_mbps=host.boast * host.bps * 8 / 1e6,
            location="DE",
            cuda=12.4,
            compute_capability=host.compute_capability,
        )


def _host(number: int, dice: random.Random, tongues: random.Random) -> SimHost:
    gpu, vram, capability = dice.choice(CARDS)
    return SimHost(
        number=number,
        gpu=gpu,
        vram_mib=vram,
        compute_capability=capability,
        price=dice.randint(180_000, 600_000),
        bps=dice.uniform(65e6, 900e6),
        speed=dice.uniform(0.6, 1.6),
        boast=tongues.uniform(1.0, 4.0),
    )


def _meets(offer: Offer, requirements: Requirements) -> bool:
    return (
        offer.vram_mib >= requirements.vram_mib * VRAM_SLACK
        and offer.disk_gib >= requirements.disk_gib
        and offer.cuda >= requirements.cuda
        and offer.compute_capability >= requirements.compute_capability
        and offer.inet_down_mbps >= requirements.inet_down_mbps
    )
