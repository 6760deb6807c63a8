"""What we say to RunPod, in its words and units. Only what its published specification of REST v2 knows."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator.adapters.clouds.runpod.start import guard_lines, plain_key, start_script
from orchestrator.domain.ids import LaunchKey, OfferId
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.ports.cloud import LaunchOrder

SMALLEST_DISK_GB = 20
"""Pods with 10 GB were refused by hosts that took 20 (seen by third parties); a GB is taken for a GiB."""

MOUNT = "/workspace"
"""Where pods have the network volume; the API has no usual place (REST v2, NetworkMount)."""

BALANCE = "query{myself{clientBalance currentSpendPerHr}}"
"""Undocumented, and used by several third-party clients: REST v2 has no balance."""


class Tier(StrEnum):
    """Whose computers: RunPod's own data centres, or anybody's."""

    SECURE = "SECURE"
    COMMUNITY = "COMMUNITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    What is ordered at RunPod: any free machine of one tier with one type of GPU.

    Attributes:
        volume: Id of the network volume that it is to have; empty: none.
    """

    tier: Tier
    gpu: str
    volume: str = ""

    @property
    def id(self) -> OfferId:
        return OfferId("/".join([self.tier, self.gpu, *([self.volume] if self.volume else [])]))


def kind_of(offer: OfferId) -> Kind:
    """
    Read an id that :attr:`Kind.id` has written.

    Raises:
        ValueError: It is none.
    """
    tier, _, rest = offer.partition("/")
    gpu, _, volume = rest.partition("/")
    return Kind(tier=Tier(tier), gpu=gpu, volume=volume)


def disk_gb(disk_gib: int) -> int:
    return max(disk_gib, SMALLEST_DISK_GB)


def catalog_query(tier: Tier, requirements: Requirements) -> dict[str, str]:
    """Ask for one tier's GPUs and their stock for pods with one GPU."""
    query = {"include": "AVAILABILITY", "product": "POD", "count": "1", "cloud": tier}
    if requirements.cuda > 0:
        query["minCudaVersion"] = _version(requirements.cuda)
    return query


def order_body(key: LaunchKey, offer: Offer, order: LaunchOrder, *, url: str, ordered_at: datetime) -> dict[str, Any]:
    """
    Order one pod.

    The start command goes into ``args`` as JSON, which replaces the image's own start: the published specification
    knows ``args`` alone, later documentation of createPod also ``entrypoint`` and ``cmd``, and both read this form.
    ``PUBLIC_KEY`` in ``env`` wins over the account's keys; ``startSsh`` would add nothing but those.
    A network volume is attached by the order alone, and only where it is: the offer's location is its data centre.

    Args:
        url: Of RunPod's API, which the pod's dead-man's switch calls.
        ordered_at: Now: a pod whose disk a restart wipes knows its age from it.

    Raises:
        ValueError: The offer or the key is none of this cloud's.
    """
    kind = kind_of(offer.id)
    gpu: dict[str, Any] = {"id": kind.gpu, "count": 1}
    if offer.cuda > 0:
        gpu["minCudaVersion"] = _version(offer.cuda)
    armed = guard_lines(url, order.dead_man, ordered_at) if order.dead_man is not None else ""
    return {
        "name": key,
        "image": order.image,
        "cloud": kind.tier,
        "gpu": gpu,
        "disk": disk_gb(order.disk_gib),
        "ports": ["22/tcp"],
        "env": {"PUBLIC_KEY": plain_key(order.ssh_public_key)},
        "args": json.dumps({"entrypoint": ["/bin/sh", "-c"], "cmd": [start_script(armed)]}),
        **(_attached(kind.volume, offer.location) if kind.volume else {}),
    }


def page_query(after: str | None) -> dict[str, str]:
    """Ask for all pods; pages come only where RunPod has begun to make them."""
    return {} if after is None else {"cursor": after}


def _attached(volume: str, data_center: str) -> dict[str, Any]:
    return {"dataCenterIds": [data_center], "mounts": {"network": [{"volumeId": volume, "path": MOUNT}]}}


def _version(cuda: float) -> str:
    return f"{cuda:.1f}"
