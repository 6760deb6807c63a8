"""
Which offer to take: the acceptable one whose *ready* machine should cost least, with what is remembered of each.

A try that fails is paid for as well, so a machine that gets ready once in three tries costs three times its price. A
slow link is paid for twice: the machine runs while it downloads, and somebody waits.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.ids import CloudName, HostId, MachineId
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.domain.policy.memory import Memory, Outcome
from orchestrator.domain.policy.wire import Forecast, Wire

VRAM_SLACK = 0.93
"""Cards report a little less memory than their name says: a 24 GB card 24,564 MiB or fewer."""


SESSION_S = 1200.0
"""A usual session once its machine is ready: a burst of fifteen pictures, one every 40 s, and ten idle minutes."""

HOUR_S, GIB = 3600.0, 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A machine that is already ours or ordered: a second order for it would clash."""

    cloud: CloudName
    machine: MachineId
    host: HostId


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """
    What decides beside prices: how long each machine is waited for, and what that is worth.

    Attributes:
        wire: What is known of links and cold starts.
        size_of: Bytes that the machine of an offer downloads.
        price: Of an hour of the person who waits.
    """

    wire: Wire
    size_of: Callable[[Offer], int]
    price: MicroUsdPerHour

    def forecast(self, offer: Offer) -> Forecast:
        return self.wire.forecast(offer, self.size_of(offer))


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
    wait: Wait | None = None,
) -> tuple[Offer, ...]:
    """
    Sort out and sort: acceptable offers, the cheapest *ready* machine first; ties by reliability, then by id.

    A machine that failed just now is left out, also when nothing else is on offer; one that is doubtful, by itself or
    by its host, comes after all others.

    Args:
        outcomes: What became of earlier machines; without any, each is as likely to get ready as another.
        wait: Without it, each is ready as soon as another: price decides.
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
        price = ready_price(offer, memory) if wait is None else session_price(offer, memory, wait)
        return memory.is_doubtful(*at), price, -offer.reliability, offer.cloud, offer.id

    return tuple(sorted(usable, key=worth))


def ready_price(offer: Offer, memory: Memory) -> float:
    """Micro-dollars an hour times the tries that a ready machine should take there."""
    return offer.tariff.per_hour / memory.trust(offer.cloud, offer.host, offer.machine)


def session_price(offer: Offer, memory: Memory, wait: Wait) -> float:
    """Micro-dollars: a usual session with its start and its download, times those tries, and the wait for it."""
    forecast = wait.forecast(offer)
    cold_h = forecast.cold_s / HOUR_S
    wire = offer.tariff.per_gib_down * forecast.size / GIB
    trust = memory.trust(offer.cloud, offer.host, offer.machine)
    return (offer.tariff.per_hour * (cold_h + SESSION_S / HOUR_S) + wire) / trust + wait.price * cold_h
