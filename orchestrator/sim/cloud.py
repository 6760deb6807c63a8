"""The client through which one life of the bot talks to a cloud in memory, and the wire between them."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from orchestrator.domain.errors import (
    AccountProblem,
    CloudProtocolError,
    CloudUnavailable,
    LaunchUncertain,
    OfferGone,
    RateLimited,
)
from orchestrator.domain.ids import (
    CloudName,
    CloudRef,
    LaunchKey,
)
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.faults import SCOPES, Fault, Scope, WorldFault
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental
from orchestrator.sim.account import ORDER_CHANCE, STALE_BY, SimAccount
from orchestrator.sim.machine import SimMachine

LATE_BY = (3.0, 900.0)
HANGS_S = 20.0
SPACED_BY = 2.0
"""Seconds between two requests: adapters wait their turn, as their clouds demand."""

API = tuple(fault for fault, scope in SCOPES.items() if scope is Scope.API)
LISTING_REFUSED = (Fault.LISTING_TRUNCATED, Fault.LISTING_RESHAPED, Fault.LISTING_410, WorldFault.LISTING_404)
LOST_ANSWERS = (Fault.CREATE_ANSWER_DROPPED, Fault.CREATE_ANSWER_WITHOUT_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How long a request and its answer take, in seconds."""

    there: float
    back: float


class SimCloud(CloudProvider):
    """The adapter: what it raises is what the real ones make of the same trouble."""

    def __init__(self, account: SimAccount, dice: random.Random, *, key_is_good: bool = True) -> None:
        self._account = account
        self._dice = dice
        self._key_is_good = key_is_good
        self._free_at = 0.0

    @property
    def name(self) -> CloudName:
        return self._account.name

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        wire = await self._ask()
        found = self._account.offers(requirements)
        await asyncio.sleep(wire.back)
        return found

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        account, weather = self._account, self._account.weather
        wire = self._wire()
        await asyncio.sleep(wire.there)
        trouble = self._trouble()
        if not self._key_is_good or trouble is Fault.KEY_REVOKED:
            raise AccountProblem(self.name, "key refused")
        if trouble in {Fault.API_429, Fault.API_429_RETRY_AFTER, Fault.API_QUOTA}:
            raise self._refusal(trouble)
        if trouble is not None and self._dice.random() < 0.5:
            await self._lose_answer(trouble)
        self._refuse_perhaps()
        if weather.falls(Fault.LATE_MACHINE, ORDER_CHANCE):
            account.timeline.after(self._dice.uniform(*LATE_BY), lambda: _turn_up(account, offer, key, order))
            raise LaunchUncertain(self.name, "told to have failed")
        machine = account.order(offer, key, order)
        if weather.falls(WorldFault.ORDERS_DOUBLED, ORDER_CHANCE):
            _turn_up(account, self._another(offer), key, order)
        await asyncio.sleep(wire.back)
        if trouble is not None:
            await self._lose_answer(trouble)
        if weather.falls(Fault.CREATE_FAILS_BUT_BILLS, ORDER_CHANCE):
            raise LaunchUncertain(self.name, "an error that names a machine", ref=machine.ref)
        if any(weather.falls(fault, ORDER_CHANCE) for fault in LOST_ANSWERS):
            raise LaunchUncertain(self.name, "the answer was lost")
        return machine.ref

    def _refuse_perhaps(self) -> None:
        weather = self._account.weather
        if weather.falls(Fault.CREATE_NO_SUCH_ASK, ORDER_CHANCE):
            raise OfferGone(self.name, "no such ask")
        if weather.falls(Fault.CREATE_REFUSED_POLITELY, ORDER_CHANCE):
            raise LaunchUncertain(self.name, "success: false")
        if weather.falls(Fault.NO_MONEY, ORDER_CHANCE / 3):
            raise AccountProblem(self.name, "no money")

    def _another(self, offer: Offer) -> Offer:
        requirements = Requirements(vram_mib=0, disk_gib=offer.disk_gib)
        others = self._account.offers(replace(requirements, disk_gib=0))
        return replace(offer, id=self._dice.choice(others).id) if others else offer

    async def _lose_answer(self, trouble: object) -> None:
        if trouble is Fault.API_HANGS:
            await asyncio.sleep(HANGS_S)
        raise LaunchUncertain(self.name, f"no answer that says anything ({trouble})")

    async def rentals(self) -> tuple[Rental, ...]:
        account, weather = self._account, self._account.weather
        wire = await self._ask()
        refused = weather.any_on(LISTING_REFUSED, self._now)
        if refused is not None:
            raise CloudProtocolError(self.name, f"not a complete listing ({refused})")
        told: Iterable[SimMachine] | None = None
        if weather.is_on(Fault.LISTING_EMPTY, self._now):
            found: tuple[Rental, ...] = ()
        elif weather.is_on(Fault.LISTING_STALE, self._now):
            found = account.listing_of(STALE_BY)
        else:
            found = account.listing()
            told = account.machines.values()
        if weather.is_on(WorldFault.LISTING_DOUBLED, self._now):
            found = (*found, *found)
        asked_at = await self._tell(told or (), wire)
        if told is not None:
            account.told_at = asked_at
        return found

    async def rental(self, ref: CloudRef) -> Rental | None:
        wire = await self._ask()
        machine = self._account.machines.get(ref)
        found = None if machine is None or machine.ended_at is not None else self._account.rental_of(machine)
        # That it is none proves little by itself, so it is no end that we have to know of.
        await self._tell(() if machine is None or found is None else (machine,), wire)
        return found

    async def terminate(self, ref: CloudRef) -> bool:
        wire = await self._ask()
        machine = self._account.machines.get(ref)
        was_there = machine is not None and machine.ended_at is None
        if machine is not None and not machine.destroy():
            self._account.weather.struck[Fault.DESTROY_IGNORED] += 1
        await self._tell(() if machine is None else (machine,), wire)
        return was_there

    async def account(self) -> Account:
        await self._ask()
        return Account(balance=self._account.money_left)

    # The wire.

    @property
    def _now(self) -> float:
        return self._account.timeline.now

    async def _tell(self, machines: Iterable[SimMachine], wire: Wire) -> float:
        """An answer about *machines* as they are now is on its way to the bot, which may not live to read it."""
        told = [(machine, machine.ended_at is None) for machine in machines]
        at = self._now
        await asyncio.sleep(wire.back)
        for machine, lives in told:
            machine.told(lives=lives, at=at)
        return at

    def _trouble(self) -> Fault | WorldFault | None:
        account = self._account
        if account.weather.is_down(*account.place, self._now):
            return WorldFault.CLOUD_DOWN
        return account.weather.any_on(API, self._now)

    def _wire(self) -> Wire:
        slow = 30.0 if self._account.weather.is_on(WorldFault.ANSWERS_LATE, self._now) else 1.0
        return Wire(there=self._dice.uniform(0.02, 0.25) * slow, back=self._dice.uniform(0.02, 0.25) * slow)

    async def _ask(self) -> Wire:
        """Send a request, in its turn, that may be refused before it does anything."""
        self._free_at = max(self._free_at, self._now) + SPACED_BY
        await asyncio.sleep(self._free_at - self._now - SPACED_BY)
        wire = self._wire()
        await asyncio.sleep(wire.there)
        if not self._key_is_good:
            raise AccountProblem(self.name, "key refused")
        trouble = self._trouble()
        if trouble is Fault.API_HANGS:
            await asyncio.sleep(HANGS_S)
        if trouble is not None:
            raise self._refusal(trouble)
        return wire

    def _refusal(self, trouble: object) -> Exception:
        match trouble:
            case Fault.KEY_REVOKED | Fault.API_QUOTA:
                return AccountProblem(self.name, str(trouble))
            case Fault.API_429 | Fault.API_429_RETRY_AFTER:
                return RateLimited(self.name, str(trouble), retry_after=timedelta(seconds=self._dice.choice((2, 15))))
            case Fault.API_GARBAGE:
                return CloudProtocolError(self.name, str(trouble))
            case _:
                return CloudUnavailable(self.name, str(trouble))


def _turn_up(account: SimAccount, offer: Offer, key: LaunchKey, order: LaunchOrder) -> None:
    """A machine that nobody was told of."""
    try:
        account.order(offer, key, order)
    except (OfferGone, AccountProblem):
        account.weather.struck[Fault.LATE_MACHINE] -= 1
