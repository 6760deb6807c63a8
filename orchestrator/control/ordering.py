"""
From PLANNED to an accepted order: the one place that spends money.

The order is written down (LAUNCHING, its label, its worst case) before it is sent. When its answer is lost, its
label is looked for until it is found or two complete listings lacked it; nothing is ordered twice.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache

from orchestrator.control.budgets import caps_in_force
from orchestrator.control.market import Market
from orchestrator.control.moves import end_instance
from orchestrator.control.shared import Shared
from orchestrator.control.timekeeping import note_time
from orchestrator.domain.errors import (
    AccountProblem,
    CloudError,
    CloudUnavailable,
    LaunchUncertain,
    NoCapacity,
    OfferGone,
    RateLimited,
)
from orchestrator.domain.ids import CloudName, CloudRef, launch_key
from orchestrator.domain.instance import ORDERED, EndReason, Instance, InstanceState
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.domain.policy.memory import MOST_OUTCOMES, WINDOW
from orchestrator.domain.policy.placement import Taken, Wait, rank_offers
from orchestrator.domain.policy.spend import broken_cap
from orchestrator.domain.policy.variants import choose, link_of, moved, searches
from orchestrator.domain.policy.wire import MOST_LINKS, NEWEST_STARTS, Forecast, Wire
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.cloud import CloudProvider, DeadMan, LaunchOrder
from orchestrator.ports.store import Books, Details

log = logging.getLogger(__name__)

OFFERS_TRIED = 5
"""Offers tried for one plan: others are buying too."""


class Ordering:
    """Chooses and orders; search-and-buy is serialised per cloud."""

    def __init__(
        self, shared: Shared, clouds: Mapping[CloudName, CloudProvider], market: Market, *, ssh_public_key: str
    ) -> None:
        self._shared = shared
        self._clouds = clouds
        self._market = market
        self._ssh_public_key = ssh_public_key
        self._locks: defaultdict[CloudName, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def order(self, instance: Instance, workflow: Workflow) -> Instance:
        """
        Find the best offer and order it; the returned row says how far that went.

        A machine for a lighter variant is looked for where there is none for the full one.
        """
        errors: Mapping[CloudName, CloudError] = {}
        tried = False
        for asked in searches(workflow, self._shared.limits.variants):
            answers = await self._market.offers(asked)
            wait, ranked = await self._rank(answers.offers, workflow, asked)
            errors = answers.errors
            for offer in ranked[:OFFERS_TRIED]:
                tried = True
                async with self._locks[offer.cloud]:
                    instance = await self._try(instance, offer, workflow, asked, wait.wire)
                if instance.state is not InstanceState.PLANNED:
                    return instance
            if len(errors) == len(self._clouds):
                break
        return await self._give_up(instance, self._why_nothing(errors, tried=tried))

    async def _rank(
        self, offers: tuple[Offer, ...], workflow: Workflow, asked: Requirements
    ) -> tuple[Wait, tuple[Offer, ...]]:
        now, limits = self._shared.clock.now(), self._shared.limits
        async with self._shared.store.reading() as books:
            outcomes = await books.instances.outcomes(now - WINDOW, MOST_OUTCOMES) if limits.host_memory else ()
            wire = await self._wire(books, sorted({offer.cloud for offer in offers}), now)
            taken = await self._taken(books)

        @cache  # many offers have the same card
        def size_for(vram_mib: int) -> int:
            """Of the best files that fit a card: that a slow link would be given lighter ones is no merit."""
            return moved(choose(workflow, vram_mib, 0.0, limits.variants) or workflow)

        wait = Wait(wire=wire, size_of=lambda offer: size_for(offer.vram_mib), price=limits.wait_price)
        ranked = rank_offers(
            offers,
            asked,
            outcomes=outcomes,
            taken=taken,
            max_price=limits.max_price,
            now=now,
            wait=wait,
        )
        return wait, ranked

    async def _wire(self, books: Books, clouds: Iterable[CloudName], now: datetime) -> Wire:
        if not self._shared.limits.host_memory:
            return Wire((), {}, now)
        links = await books.instances.links(now - WINDOW, MOST_LINKS)
        starts = {cloud: await books.instances.start_times(cloud, NEWEST_STARTS) for cloud in clouds}
        return Wire(links, starts, now)

    async def _taken(self, books: Books) -> tuple[Taken, ...]:
        live = await books.instances.in_states(*sorted(ORDERED))
        return tuple(
            Taken(cloud=i.offer.cloud, machine=i.offer.machine, host=i.offer.host) for i in live if i.offer is not None
        )

    async def _try(
        self, instance: Instance, offer: Offer, workflow: Workflow, asked: Requirements, wire: Wire
    ) -> Instance:
        """Order *offer*, with the disk that was *asked* for: its price is for that."""
        link_bps = wire.measured_bps(offer) or link_of(offer, asked)
        chosen = choose(workflow, offer.vram_mib, link_bps, self._shared.limits.variants)
        if chosen is None:
            return instance
        forecast = wire.forecast(offer, moved(chosen))
        committed = await self._commit(instance, offer, chosen, forecast)
        if committed is None:
            return instance
        if committed.state is not InstanceState.LAUNCHING or committed.launch_key is None:
            return committed
        limits = self._shared.limits
        order = LaunchOrder(
            image=workflow.runtime.image,
            disk_gib=asked.disk_gib,
            ssh_public_key=self._ssh_public_key,
            dead_man=DeadMan(first=limits.boot_at(offer.cloud) + limits.dead_man, silent=limits.dead_man),
        )
        try:
            ref = await self._clouds[offer.cloud].launch(offer, committed.launch_key, order)
        except CloudError as error:
            return await self._refused(committed, error)
        what = f" with {committed.variant} files" if committed.variant else ""
        log.info("ordered %s at %s for instance %s%s: %s", offer.gpu, offer.cloud, instance.id, what, forecast)
        return await self._accepted(committed, ref)

    async def _commit(
        self, instance: Instance, offer: Offer, workflow: Workflow, forecast: Forecast
    ) -> Instance | None:
        """Write the intent; None when this offer clashes with a machine that was ordered meanwhile."""
        shared, now = self._shared, self._shared.clock.now()
        alone = shared.limits.boot_at(offer.cloud) + shared.limits.dead_man  # it may cost that once nobody reaches it
        worst = offer.tariff.worst_case(max(shared.limits.worst_case, alone), bytes_down=moved(workflow))
        async with shared.store.writing() as books:
            taken = await self._taken(books)
            if not offer.is_kind and any(
                offer.cloud == t.cloud and (offer.machine == t.machine or offer.host == t.host) for t in taken
            ):
                return None
            if not shared.gate.is_open:
                return await end_instance(books, instance, EndReason.SHUTDOWN, now)
            if await self._breaks_a_cap(books, instance, worst, now):
                return await end_instance(books, instance, EndReason.OVER_BUDGET, now)
            if len(taken) >= shared.limits.max_machines:
                return await end_instance(books, instance, EndReason.NO_OFFER, now, details={"machines": len(taken)})
            launching = replace(
                instance.moved_to(InstanceState.LAUNCHING, now),
                cloud=offer.cloud,
                offer=offer,
                variant=workflow.variant,
                ordered_at=now,
                reserved=worst,
                launch_key=launch_key(shared.installation, shared.epoch, shared.ids.instance()),
            )
            details: Details = {
                "offer": offer.id,
                "usd_per_hour_micro": offer.tariff.per_hour,
                "worst_case_micro": worst,
                "cold_s": round(forecast.cold_s, 1),
                "link_bps": round(forecast.link_bps),
            }
            ordered = await books.instances.change(instance, launching, reason="ordering", details=details)
            await note_time(books, shared.clock)
            if ordered.session is not None:  # from now on it can be late
                await books.sessions.touch(ordered.session, now)
            return ordered

    async def _breaks_a_cap(self, books: Books, instance: Instance, worst: MicroUsd, now: datetime) -> bool:
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        spent = await books.ledger.spent(instance.user, day=day, month=day.replace(day=1))
        cap = broken_cap(await caps_in_force(books, self._shared), spent, worst)
        if cap is not None:
            log.warning("no machine for %s: %s cap would be broken", instance.user, cap)
        return cap is not None

    async def _accepted(self, instance: Instance, ref: CloudRef) -> Instance:
        async with self._shared.store.writing() as books:
            booting = replace(instance.moved_to(InstanceState.BOOTING, self._shared.clock.now()), ref=ref)
            return await books.instances.change(instance, booting, reason="accepted")

    async def _refused(self, instance: Instance, error: CloudError) -> Instance:
        """Nothing was ordered, or nobody knows: only the first lets another offer be tried."""
        now = self._shared.clock.now()
        match error:
            case LaunchUncertain(ref=None):
                log.warning("order of instance %s: %s; looking for its label", instance.id, error)
                return instance
            case LaunchUncertain(ref=ref):
                async with self._shared.store.writing() as books:
                    named = await books.instances.change(instance, replace(instance, ref=ref), reason="half accepted")
                    return await end_instance(books, named, EndReason.LAUNCH_LOST, now)
            case OfferGone() | NoCapacity():
                return await self._back_to_plan(instance, str(error))
            case RateLimited() | CloudUnavailable():  # nothing was ordered; asking on at once would not help
                await self._market.refused(error)
                planned = await self._back_to_plan(instance, str(error))
                return await self._give_up(planned, EndReason.CLOUD_UNAVAILABLE)
            case AccountProblem():
                await self._market.refused(error)
                return await self._give_up(await self._back_to_plan(instance, str(error)), EndReason.ACCOUNT)
            case _:
                log.warning("order of instance %s: %s", instance.id, error)
                return instance

    async def _back_to_plan(self, instance: Instance, why: str) -> Instance:
        now = self._shared.clock.now()
        planned = replace(
            instance.moved_to(InstanceState.PLANNED, now),
            cloud=None,
            offer=None,
            variant="",
            ordered_at=None,
            launch_key=None,
            reserved=MicroUsd(0),
        )
        async with self._shared.store.writing() as books:
            return await books.instances.change(instance, planned, reason="not ordered", details={"why": why})

    async def _give_up(self, instance: Instance, reason: EndReason) -> Instance:
        async with self._shared.store.writing() as books:
            return await end_instance(books, instance, reason, self._shared.clock.now())

    def _why_nothing(self, errors: Mapping[CloudName, CloudError], *, tried: bool) -> EndReason:
        if tried:
            return EndReason.OFFER_GONE
        if len(errors) < len(self._clouds):
            return EndReason.NO_OFFER
        if all(isinstance(error, AccountProblem) for error in errors.values()):
            return EndReason.ACCOUNT
        return EndReason.CLOUD_UNAVAILABLE
