"""Which offer to take: the cheapest acceptable one that is not on a bad host."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.ids import CloudName, HostId, MachineId
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements

BAD_FOR = timedelta(hours=24)
"""How long a machine that failed is avoided."""

VRAM_SLACK = 0.93
"""Cards report a little less memory than their name says: a 24 GB card 24,564 MiB or fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A machine that failed us, and when."""

    cloud: CloudName
    machine: MachineId
    host: HostId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A machine that is already ours or ordered: a second order for it would clash."""

    cloud: CloudName
    machine: MachineId
    host: HostId


def is_acceptable(offer: Offer, requirements: Requirements, *, max_price: MicroUsdPerHour) -> bool:
    """Whether *offer* can run the workflow at a price that the operator allows."""
    return (
        offer.vram_mib >= requirements.vram_mib * VRAM_SLACK
        and offer.disk_gib >= requirements.disk_gib
        and offer.inet_down_mbps >= requirements.inet_down_mbps
        and (offer.cuda == 0 or offer.cuda >= requirements.cuda)
        and (offer.compute_capability == 0 or offer.compute_capability >= requirements.compute_capability)
        and offer.tariff.per_hour <= max_price
    )


def rank_offers(
    offers: Iterable[Offer],
    requirements: Requirements,
    *,
    marks: Iterable[Mark],
    taken: Iterable[Taken],
    max_price: MicroUsdPerHour,
    now: datetime,
) -> tuple[Offer, ...]:
    """
    Sort out and sort: acceptable offers, cheapest first; ties by reliability, then by id.

    A machine that failed within :data:`BAD_FOR` is left out; its host's other machines come last.
    """
    bad = [mark for mark in marks if now - mark.at < BAD_FOR]
    bad_machines = {(mark.cloud, mark.machine) for mark in bad}
    bad_hosts = {(mark.cloud, mark.host) for mark in bad}
    busy = {(t.cloud, t.machine) for t in taken} | {(t.cloud, t.host) for t in taken}
    usable = [
        offer
        for offer in offers
        if is_acceptable(offer, requirements, max_price=max_price)
        and (offer.cloud, offer.machine) not in (bad_machines | busy)
        and (offer.cloud, offer.host) not in busy
    ]
    return tuple(
        sorted(
            usable,
            key=lambda o: ((o.cloud, o.host) in bad_hosts, o.tariff.per_hour, -o.reliability, o.cloud, o.id),
        )
    )
