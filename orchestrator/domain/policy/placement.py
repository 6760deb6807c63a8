"""
Which offer to take: the acceptable one whose *ready* machine should cost least, with what is remembered of each.

A try that fails is paid for as well, so a machine that gets ready once in three tries costs three times its price.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.ids import CloudName, HostId, MachineId
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.domain.policy.memory import Memory, Outcome

VRAM_SLACK = 0.93
"""Cards report a little less memory than their name says: a 24 GB card 24,564 MiB or fewer."""


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
    outcomes: Iterable[Outcome],
    taken: Iterable[Taken],
    max_price: MicroUsdPerHour,
    now: datetime,
) -> tuple[Offer, ...]:
    """
    Sort out and sort: acceptable offers, the cheapest *ready* machine first; ties by reliability, then by id.

    A machine that failed just now is left out, also when nothing else is on offer; one that is doubtful, by itself or
    by its host, comes after all others.

    Args:
        outcomes: What became of earlier machines; without any, price alone decides.
    """
    memory = Memory(outcomes, now)
    busy = {pair for t in taken for pair in ((t.cloud, t.machine), (t.cloud, t.host))}
    usable = [
        offer
        for offer in offers
        if is_acceptable(offer, requirements, max_price=max_price)
        and (offer.is_kind or not busy & {(offer.cloud, offer.machine), (offer.cloud, offer.host)})
        and not memory.is_resting(offer.cloud, offer.machine)
    ]

    def worth(offer: Offer) -> tuple[bool, float, float, str, str]:
        at = (offer.cloud, offer.host, offer.machine)
        return memory.is_doubtful(*at), ready_price(offer, memory), -offer.reliability, offer.cloud, offer.id

    return tuple(sorted(usable, key=worth))


def ready_price(offer: Offer, memory: Memory) -> float:
    """Micro-dollars an hour times the tries that a ready machine should take there."""
    return offer.tariff.per_hour / memory.trust(offer.cloud, offer.host, offer.machine)
