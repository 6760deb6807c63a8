"""The computers that can be rented here: who owns them, what they are, what they cost, which are free."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.faults import HOSTS_PER_GROUP, Profile

FIRST_HOST_ID = 60_100
FIRST_RIG_ID = 11_200
FIRST_ASK_ID = 7_300_000
ASKS_PER_RIG = 1_000
USUAL_HOSTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A card, as the market names it."""

    name: str
    ram_mb: int
    usd_hour: float
    """What it usually costs."""
    tflops: float
    dlperf: float
    compute_cap: int
    mem_bw: float

    @property
    def driver_name(self) -> str:
        """What the driver calls it, which is not quite what the market does."""
        is_for_games = self.name.removeprefix("RTX ").removesuffix(" Ti").isdigit()
        return f"NVIDIA GeForce {self.name}" if is_for_games else f"NVIDIA {self.name}"


GPUS = (
    Gpu(name="RTX 4090", ram_mb=24564, usd_hour=0.34, tflops=82.6, dlperf=112.0, compute_cap=890, mem_bw=1008.0),
    Gpu(name="RTX 3090", ram_mb=24576, usd_hour=0.21, tflops=35.6, dlperf=57.0, compute_cap=860, mem_bw=936.0),
    Gpu(name="RTX 5090", ram_mb=32607, usd_hour=0.52, tflops=104.8, dlperf=178.0, compute_cap=1200, mem_bw=1792.0),
    Gpu(name="RTX A6000", ram_mb=49140, usd_hour=0.44, tflops=38.7, dlperf=62.0, compute_cap=860, mem_bw=768.0),
    Gpu(name="L40S", ram_mb=46068, usd_hour=0.68, tflops=91.6, dlperf=106.0, compute_cap=890, mem_bw=864.0),
)
SMALL_GPU = Gpu(name="RTX 3060", ram_mb=12288, usd_hour=0.07, tflops=12.7, dlperf=16.0, compute_cap=860, mem_bw=360.0)
"""Too small for the first workflows: a search that forgets to filter finds it first, being the cheapest."""
MEDIUM_GPU = Gpu(
    name="RTX 4060 Ti", ram_mb=16380, usd_hour=0.1, tflops=22.1, dlperf=34.0, compute_cap=890, mem_bw=288.0
)
"""Big enough for a lighter variant of the first workflows only."""
OLD_GPU = Gpu(name="Tesla P40", ram_mb=24576, usd_hour=0.11, tflops=11.8, dlperf=12.0, compute_cap=610, mem_bw=347.0)
"""Big enough, well connected, cheap and without bf16: what a search finds first that asks for memory alone."""
OTHERS = {0: SMALL_GPU, 2: OLD_GPU, 3: SMALL_GPU, 5: MEDIUM_GPU}
"""Cards of the hosts after the first group, by their number modulo 6."""

PLACES = ("Sweden, SE", "Texas, US", "Czechia, CZ", "Quebec, CA", "Poland, PL", "Taiwan, TW", "Norway, NO")


@dataclass(slots=True, kw_only=True)
class Rig:
    """
    One computer of one host.

    Attributes:
        host: The host's number, from 0: what fault profiles go by.
        boot_factor: How long it takes to boot; 1 is usual.
        asks: How often it has been offered: each offer is good for one order.
        contracts: Machines that run on it now.
        is_sold_twice: Whether its offer stands although it is taken.
    """

    host: int
    index: int
    gpu: Gpu
    dph_base: float
    storage_cost: float
    disk_gb: float
    inet_down: float
    inet_up: float
    reliability: float
    verified: bool
    cuda: float
    driver: str
    geolocation: str
    cpu_cores: int
    cpu_ram_mb: int
    boot_factor: float
    asks: int = 0
    contracts: set[int] = field(default_factory=set)
    is_sold_twice: bool = False

    @property
    def host_id(self) -> int:
        return FIRST_HOST_ID + 7 * self.host

    @property
    def id(self) -> int:
        return FIRST_RIG_ID + 13 * self.index

    @property
    def ask_id(self) -> int:
        """Number of the offer that stands now; a new one each time the rig comes free."""
        return FIRST_ASK_ID + ASKS_PER_RIG * self.index + self.asks

    @property
    def is_free(self) -> bool:
        return not self.contracts or self.is_sold_twice


class Market:
    """
    All rigs of one sandbox. What is offered exists and is free.

    Args:
        each_host_once: Who was rented goes to somebody else afterwards, until every host had a turn.
    """

    def __init__(self, *, seed: int, hosts: int, each_host_once: bool = False) -> None:
        self.rigs = tuple(_rigs(random.Random(seed), hosts))
        self._each_host_once = each_host_once
        self._had: set[int] = set()

    def free(self) -> tuple[Rig, ...]:
        return tuple(rig for rig in self.rigs if rig.is_free and rig.host not in self._had)

    def occupy(self, rig: Rig, contract: int) -> None:
        rig.contracts.add(contract)
        if self._each_host_once:
            self._had.add(rig.host)
        if self._had == {each.host for each in self.rigs}:
            self._had.clear()

    def find(self, ask_id: int) -> Rig | None:
        """Find the rig that an offer is for, taken or not; None when that offer is history or never was."""
        return next((rig for rig in self.rigs if rig.ask_id == ask_id), None)

    def release(self, rig: Rig, contract: int) -> None:
        """Put a rig back on the market once nothing runs on it, under a new offer number."""
        rig.contracts.discard(contract)
        if not rig.contracts:
            rig.asks += 1
            rig.is_sold_twice = False


def usual_hosts(profile: Profile) -> int:
    return HOSTS_PER_GROUP if profile is Profile.FIRST_USER else USUAL_HOSTS


def _rigs(dice: random.Random, hosts: int) -> Iterator[Rig]:
    index = 0
    for host in range(hosts):
        place = dice.choice(PLACES)
        rigs_of_host = 2 if host % HOSTS_PER_GROUP == HOSTS_PER_GROUP - 1 else 1
        for _ in range(rigs_of_host):
            yield _rig(dice, host=host, index=index, place=place)
            index += 1


def _rig(dice: random.Random, *, host: int, index: int, place: str) -> Rig:
    # The first group of hosts is fit for the first workflows, so that each profile has somewhere to go.
    is_poor = host >= HOSTS_PER_GROUP and host % 3 == 0
    gpu = GPUS[index % len(GPUS)] if host < HOSTS_PER_GROUP else OTHERS.get(host % 6, GPUS[index % len(GPUS)])
    cores = dice.choice((12, 16, 24, 32))
    return Rig(
        host=host,
        index=index,
        gpu=gpu,
        dph_base=round(gpu.usd_hour * dice.uniform(0.85, 1.3), 4),
        storage_cost=round(dice.uniform(0.1, 0.25), 3),
        disk_gb=round(dice.uniform(220, 900), 1),
        inet_down=round(dice.uniform(1000, 6000) if not is_poor else dice.uniform(60, 300), 1),
        inet_up=round(dice.uniform(400, 1500), 1),
        reliability=round(dice.uniform(0.985, 0.9995) if not is_poor else dice.uniform(0.80, 0.93), 4),
        verified=host % 4 != 3 or host < HOSTS_PER_GROUP,
        cuda=dice.choice((12.8, 12.9, 13.0)) if not is_poor else 12.2,
        driver=dice.choice(("570.172.08", "575.64.03", "580.95.05")) if not is_poor else "535.86.05",
        geolocation=place,
        cpu_cores=cores,
        cpu_ram_mb=dice.choice((64_000, 128_000)),
        boot_factor=round(dice.uniform(0.75, 1.15), 2),
    )
