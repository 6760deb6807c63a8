"""A cloud in memory: its books, and the client through which one life of the bot talks to it."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable
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
    InstallationId,
    InstanceId,
    LaunchKey,
    installation_of,
    launch_key,
)
from orchestrator.domain.instance import Address
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.faults import SCOPES, Fault, Scope, WorldFault
from orchestrator.ports.cloud import Account, CloudProvider, LaunchOrder, Rental, RentalState
from orchestrator.sim.machine import SimMachine
from orchestrator.sim.market import SimMarket
from orchestrator.sim.timeline import Timeline
from orchestrator.sim.weather import Weather

ORDER_CHANCE = 0.3
"""How likely each fault of a world falls on an order."""

STALE_BY = 90.0
LATE_BY = (3.0, 900.0)
HANGS_S = 20.0
SPACED_BY = 2.0
"""Seconds between two requests: adapters wait their turn, as their clouds demand."""

INSTALLATION = InstallationId("sim")
STRANGERS = ("render farm", launch_key(InstallationId("other"), 3, InstanceId("000001i00000")))

NOT_DRAWN = frozenset({Fault.OFFER_SOLD_TWICE})
API = tuple(fault for fault, scope in SCOPES.items() if scope is Scope.API)
LISTING_REFUSED = (Fault.LISTING_TRUNCATED, Fault.LISTING_RESHAPED, Fault.LISTING_410, WorldFault.LISTING_404)
LOST_ANSWERS = (Fault.CREATE_ANSWER_DROPPED, Fault.CREATE_ANSWER_WITHOUT_ID)


class SimAccount:
    """
    What is true at the cloud: machines, what they cost, and what is left to spend.

    Args:
        on_change: Told of each change of each machine, with what happened.
    """

    def __init__(
        self,
        name: CloudName,
        *,
        timeline: Timeline,
        market: SimMarket,
        weather: Weather,
        dice: random.Random,
        balance: MicroUsd,
        on_change: Callable[[SimMachine, str], None],
    ) -> None:
        self.name = name
        self.timeline = timeline
        self.market = market
        self.weather = weather
        self.dice = dice
        self.balance = balance
        self.machines: dict[CloudRef, SimMachine] = {}
        self._on_change = on_change
        self._listings: deque[tuple[float, tuple[Rental, ...]]] = deque()
        self._count = 0
        self.told_at = 0.0

    # What it bills.

    def live(self) -> list[SimMachine]:
        return [machine for machine in self.machines.values() if machine.ended_at is None]

    def ours(self) -> list[SimMachine]:
        """What was ever ordered by the bot of this world."""
        return [machine for machine in self.machines.values() if installation_of(machine.label) == INSTALLATION]

    def bill(self) -> MicroUsd:
        """For the bot's machines; whoever shares the account pays for theirs."""
        return MicroUsd(sum(machine.bill(self.timeline.now) for machine in self.ours()))

    @property
    def money_left(self) -> MicroUsd:
        return MicroUsd(self.balance - self.bill())

    def collect(self) -> None:
        """An account without money loses its machines."""
        if self.money_left <= 0:
            for machine in self.live():
                self.weather.struck[WorldFault.BALANCE_RUNS_OUT] += 1
                machine.end("no money left")

    # What it sells.

    def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        return self.market.offers(requirements, self._taken())

    def admit_strangers(self) -> None:
        """Somebody's workstation, and a machine of another bot, on the same account."""
        for label in STRANGERS:
            offer = self.offers(Requirements(vram_mib=24_000, disk_gib=50))[0]
            self.order(offer, label, LaunchOrder(image="theirs", disk_gib=50, ssh_public_key=""))

    def _taken(self) -> frozenset[int]:
        return frozenset(machine.host.number for machine in self.live())

    def order(self, offer: Offer, label: str, order: LaunchOrder) -> SimMachine:
        """
        Rent the machine behind *offer*.

        Raises:
            OfferGone: Somebody has it.
            AccountProblem: There is no money.
        """
        host = self.market.host_of(offer.id)
        if self.money_left <= 0:
            raise AccountProblem(self.name, "no money left")
        is_sold_twice = self.weather.falls(Fault.OFFER_SOLD_TWICE, ORDER_CHANCE)
        if host.number in self._taken() and not is_sold_twice:
            raise OfferGone(self.name, "somebody else was faster")
        self._count += 1
        faults = self._faults(host.number) | ({Fault.OFFER_SOLD_TWICE} if is_sold_twice else frozenset())
        machine = SimMachine(
            timeline=self.timeline,
            dice=random.Random(self.dice.random()),
            ref=CloudRef(str(70_000 + self._count)),
            label=label,
            host=host,
            offer=offer,
            price_factor=2 if Fault.DEARER_THAN_OFFERED in faults else 1,
            faults=frozenset(faults),
            dead_man=order.dead_man,
            ordered_at=self.timeline.now,
            unlisted_at=self.told_at,
            on_change=self._on_change,
        )
        self.machines[machine.ref] = machine
        self._on_change(machine, "ordered")
        return machine

    def _faults(self, host: int) -> frozenset[Fault]:
        scoped = {fault for fault in self.weather.faults if isinstance(fault, Fault)} - NOT_DRAWN
        drawn = {fault for fault in sorted(scoped) if self.weather.falls_on_a_machine(fault, self.timeline.now)}
        own = self.market.fault_of(self.market.hosts[host], self.timeline.now)
        if own is not None and own not in drawn:
            self.weather.struck[own] += 1
        return frozenset(drawn | ({own} if own else set()))

    # What it tells.

    def listing(self) -> tuple[Rental, ...]:
        return tuple(self.rental_of(machine) for machine in self.live())

    def rental_of(self, machine: SimMachine) -> Rental:
        state = RentalState.STARTING
        if machine.failed:
            state = RentalState.FAILED
        elif machine.is_lost:
            state = RentalState.LOST
        elif machine.running_at is not None:
            state = RentalState.RUNNING
        return Rental(
            cloud=self.name,
            ref=machine.ref,
            label=machine.label,
            state=state,
            address=Address(host=f"{machine.ref}.sim", port=22) if machine.running_at is not None else None,
            gpu=machine.host.gpu,
            price=MicroUsdPerHour(machine.offer.tariff.per_hour * machine.price_factor),
            started_at=self.timeline.date() - timedelta(seconds=self.timeline.now - machine.ordered_at),
        )

    def remember(self) -> None:
        """Keep today's listings for whoever is shown an old one."""
        now = self.timeline.now
        self._listings.append((now, self.listing()))
        while now - self._listings[0][0] > 2 * STALE_BY:
            self._listings.popleft()

    def listing_of(self, ago: float) -> tuple[Rental, ...]:
        now = self.timeline.now
        older = [listing for at, listing in self._listings if at <= now - ago]
        return older[-1] if older else ()


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
        trouble = weather.any_on(API, self._now)
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
        trouble = self._account.weather.any_on(API, self._now)
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
