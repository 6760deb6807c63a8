"""What we say to the cloud, in its words and units."""

import json
from dataclasses import dataclass
from typing import Any

from orchestrator.adapters.clouds.vast.guard import guard_steps
from orchestrator.adapters.clouds.vast.onstart import first_steps
from orchestrator.domain.ids import LaunchKey
from orchestrator.domain.offer import Requirements
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.ports.cloud import LaunchOrder

MOST_OFFERS = 64
PAGE = 25
SMALLEST_DISK_GB = 8
CAPABILITY_UNIT = 100
"""A compute capability of 8.9 is the integer 890 here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """
    What we ask of every machine, whatever the workflow.

    Attributes:
        gpus: Names of cards to accept, with spaces or underscores; none accepts all that are big enough.
        reliability: The cloud's own figure, 0 to 1.
    """

    gpus: tuple[str, ...] = ()
    reliability: float = 0.98


def search_body(requirements: Requirements, taste: Taste) -> dict[str, Any]:
    """Ask for what can be ordered now, with prices for the disk that we are going to order."""
    disk = max(requirements.disk_gib, SMALLEST_DISK_GB)
    filters: dict[str, Any] = {
        "verified": {"eq": True},
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "external": {"eq": False},
        "num_gpus": {"eq": 1},
        "gpu_ram": {"gte": int(requirements.vram_mib * VRAM_SLACK)},
        "disk_space": {"gte": disk},
        "reliability": {"gte": taste.reliability},
        "direct_port_count": {"gte": 1},
        "type": "on-demand",
        "allocated_storage": disk,
        "order": [["dph_total", "asc"]],
        "limit": MOST_OFFERS,
    }
    if taste.gpus:
        filters["gpu_name"] = {"in": [gpu.replace("_", " ") for gpu in taste.gpus]}
    if requirements.cuda > 0:
        filters["cuda_max_good"] = {"gte": requirements.cuda}
    if requirements.compute_capability > 0:
        filters["compute_cap"] = {"gte": round(requirements.compute_capability * CAPABILITY_UNIT)}
    if requirements.inet_down_mbps > 0:
        filters["inet_down"] = {"gte": requirements.inet_down_mbps}
    return filters


def order_body(key: LaunchKey, order: LaunchOrder, url: str) -> dict[str, Any]:
    """
    Order for good or not at all.

    Args:
        url: Of the cloud's API, which the machine's dead-man's switch calls.

    No price: with one the machine is a bid that others can top. `cancel_unavail`: without it a machine that cannot
    start is kept stopped, and its disk is billed.
    """
    guard = guard_steps(url, order.dead_man) if order.dead_man is not None else ""
    return {
        "client_id": "me",
        "image": order.image,
        "disk": max(order.disk_gib, SMALLEST_DISK_GB),
        "label": key,
        "env": {},
        "onstart": first_steps(order.ssh_public_key, guard),
        "runtype": "ssh_direc ssh_proxy",
        "target_state": "running",
        "cancel_unavail": True,
    }


def page_query(after: str | None) -> dict[str, str]:
    """Ask for one page of all machines; a fixed order keeps pages from overlapping."""
    query = {"limit": str(PAGE), "order_by": json.dumps([{"col": "id", "dir": "asc"}])}
    return query if after is None else {**query, "after_token": after}
