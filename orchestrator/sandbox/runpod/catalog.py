"""What this RunPod sells: the sandbox's rigs, sorted by type of GPU and by whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.cloud import Cloud
from orchestrator.sandbox.market import Rig

Row = dict[str, Any]
SECURE, COMMUNITY = "SECURE", "COMMUNITY"
TIERS = (SECURE, COMMUNITY)
SECURE_DEARER = 1.3
DISK_USD_A_MONTH = 0.10
MIB = 1024
FEW, SOME = 1, 3
DATA_CENTERS = {"SB-LOCAL-1": "Sandbox 1", "SB-LOCAL-2": "Sandbox 2"}
"""By id: what each is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """
    One type of GPU in one tier.

    Attributes:
        rigs: What is free of it now.
    """

    gpu_id: str
    name: str
    memory_gb: int
    tier: str
    usd_hour: float
    rigs: tuple[Rig, ...]

    @property
    def stock(self) -> str:
        return stock_of(self.rigs)


def shelves(cloud: Cloud, *, min_cuda: float = 0.0) -> list[Shelf]:
    """List every kind there is, empty ones too, with the rigs whose driver knows *min_cuda*."""
    free = [rig for rig in cloud.market.free() if rig.cuda >= min_cuda]
    kinds = {(rig.gpu.driver_name, tier_of(rig)): rig.gpu for rig in cloud.market.rigs}
    return [
        Shelf(
            gpu_id=gpu_id,
            name=gpu.name,
            memory_gb=-(-gpu.ram_mb // MIB),
            tier=tier,
            usd_hour=round(gpu.usd_hour * (SECURE_DEARER if tier == SECURE else 1.0), 2),
            rigs=tuple(rig for rig in free if (rig.gpu.driver_name, tier_of(rig)) == (gpu_id, tier)),
        )
        for (gpu_id, tier), gpu in sorted(kinds.items())
    ]


def stock_of(rigs: Sequence[Rig]) -> str:
    free = len(rigs)
    return "NONE" if not free else "LOW" if free <= FEW else "MEDIUM" if free <= SOME else "HIGH"


def tier_of(rig: Rig) -> str:
    return SECURE if rig.host % 2 == 0 else COMMUNITY


def data_center_of(rig: Rig) -> str:
    return list(DATA_CENTERS)[rig.host // 2 % len(DATA_CENTERS)]


def gpu_rows(all_shelves: Sequence[Shelf], *, tier: str | None, has_stock: bool) -> list[Row]:
    """Describe the types as REST v2 does; a *tier* narrows the stock, not the list."""
    return [_row(gpu_id, all_shelves, tier, has_stock=has_stock) for gpu_id in sorted({s.gpu_id for s in all_shelves})]


def _row(gpu_id: str, all_shelves: Sequence[Shelf], tier: str | None, *, has_stock: bool) -> Row:
    kinds = {shelf.tier: shelf for shelf in all_shelves if shelf.gpu_id == gpu_id}
    shelf = next(iter(kinds.values()))
    prices = {each.lower(): kinds[each].usd_hour if each in kinds else 0.0 for each in TIERS}
    row: Row = {
        "id": gpu_id,
        "name": shelf.name,
        "pool": None,
        "manufacturer": "NVIDIA",
        "memory": shelf.memory_gb,
        "secure": SECURE in kinds,
        "community": COMMUNITY in kinds,
        "price": prices,
        "maxCount": {each.lower(): 1 if each in kinds else 0 for each in TIERS},
    }
    if not has_stock:
        return row
    counted = [kind for kind in kinds.values() if tier in {None, kind.tier}]
    best = max(counted, key=lambda kind: len(kind.rigs), default=None)
    row["availability"] = "NONE" if best is None else best.stock
    versions = sorted({rig.cuda for kind in counted for rig in kind.rigs})
    row["cudaVersions"] = [{"version": f"{version:.1f}", "available": True} for version in versions]
    if row["availability"] != "NONE":
        row["dataCenters"] = _by_data_center([rig for kind in counted for rig in kind.rigs])
    return row


def _by_data_center(rigs: Sequence[Rig]) -> list[Row]:
    there = {name: [rig for rig in rigs if data_center_of(rig) == name] for name in DATA_CENTERS}
    return [
        {"id": name, "name": DATA_CENTERS[name], "availability": stock_of(left)} for name, left in there.items() if left
    ]
