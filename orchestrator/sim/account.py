"""What is true at a cloud: its machines, what they cost, and what is left to spend."""

import random
from collections import deque
from collections.abc import Callable
from datetime import timedelta

from orchestrator.domain.errors import (
    AccountProblem,
    OfferGone,
)
from orchestrator.domain.ids import (
    CloudName,
    CloudRef,
    InstallationId,
    InstanceId,
    installation_of,
    launch_key,
)
from orchestrator.domain.instance import Address
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements
from orchestrator.faults import Fault, WorldFault
from orchestrator.ports.cloud import LaunchOrder, Rental, RentalState
from orchestrator.sim.machine import SimMachine
from orchestrator.sim.market import SimMarket
from orchestrator.sim.timeline import Timeline
from orchestrator.sim.weather import Weather

ORDER_CHANCE = 0.3
"""How likely each fault of a world falls on an order."""

STALE_BY = 90.0

INSTALLATION = InstallationId("sim")
STRANGERS = ("render farm", launch_key(InstallationId("other"), 3, InstanceId("000001i00000")))

NOT_DRAWN = frozenset({Fault.OFFER_SOLD_TWICE})


class SimAccount:
    """
    What is true at the cloud: machines, what they cost, and what is left to spend.

    Args:
        place: Which of the world's clouds it is, and how many there are.
        has_switch: Machines can end themselves.
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
        place: tuple[int, int] = (0, 1),
        has_switch: bool = True,
        on_change: Callable[[SimMachine, str], None],
    ) -> None:
        self.name = name
        self.timeline = timeline
        self.market = market
        self.weather = weather
        self.dice = dice
        self.balance = balance
        self.place = place
        self.has_switch = has_switch
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
            ref=CloudRef(str(70_000 + 1_000 * self.place[0] + self._count)),
            label=label,
            host=host,
            offer=offer,
            price_factor=2 if Fault.DEARER_THAN_OFFERED in faults else 1,
            faults=frozenset(faults),
            dead_man=order.dead_man if self.has_switch else None,
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

    def forget_what_was_told(self, since: float) -> None:
        """The bot was killed, and has perhaps not written down that a machine was gone, if it heard so *since* then."""
        for machine in self.machines.values():
            if machine.missed_at is not None and machine.missed_at >= since:
                machine.missed_at = None

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
