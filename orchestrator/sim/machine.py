"""One rented machine: it boots, lets us in, runs our agent and ComfyUI, counts our silence, and ends."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.domain.ids import CloudRef
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.offer import Offer
from orchestrator.faults import Fault
from orchestrator.ports.cloud import DeadMan
from orchestrator.sim.comfy import ComfyServer
from orchestrator.sim.market import SimHost
from orchestrator.sim.timeline import Timeline

NEVER_BOOTS = frozenset({Fault.STUCK_LOADING, Fault.OFFER_SOLD_TWICE})
FAILS_TO_BOOT = frozenset({Fault.BOOT_FAILS, Fault.BOOT_EXITS})
NO_SSH = frozenset({Fault.SSH_NEVER_OPENS, Fault.SSH_REFUSES_KEY})
DESTROYS_IGNORED = 3
DROPS_AFTER = 6.0
FLAPS_FOR = 40.0
BOOT_SHARE = 0.05
"""Of a cold start whose length is given."""


@dataclass(slots=True, kw_only=True, eq=False)
class SimMachine:
    """
    What is true about it, whatever anybody says.

    Attributes:
        label: What the order named it.
        ended_at: When its bill stopped.
        is_dead: Nothing on it runs any more; the cloud may still list and bill it.
        seen_at: When a true answer last showed it to the bot alive.
        missed_at: When one first lacked it.
        end_by: Why its bill stopped.
        falters_after: Prompts that a ComfyUI which is going to hang or run out of memory still takes.
        download_began: When the agent first began to fetch.
        models_bytes: Of what it fetched then; 0 before that.
        further: What it has fetched since, by path.
        connections: What is to be told when it dies, for the life of the bot that opened them.
    """

    timeline: Timeline
    dice: random.Random
    ref: CloudRef
    label: str
    host: SimHost
    offer: Offer
    price_factor: int
    faults: frozenset[Fault]
    dead_man: DeadMan | None
    ordered_at: float
    on_change: Callable[["SimMachine", str], None]
    end_by: str = ""
    falters_after: int = 0
    running_at: float | None = None
    failed: bool = False
    ended_at: float | None = None
    is_dead: bool = False
    is_lost: bool = False
    heard_at: float | None = None
    destroys: int = 0
    unlisted_at: float = 0.0
    seen_at: float | None = None
    missed_at: float | None = None
    download_began: float | None = None
    models_bytes: int = 0
    bytes_down: int = 0
    further: set[str] = field(default_factory=set)
    pictures: int = 0
    comfy: ComfyServer = field(init=False)
    connections: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin its life."""
        self.comfy = ComfyServer(self)
        self.falters_after = self.dice.choice((0, 1, 3))
        boots_in = self.dice.uniform(15.0, 90.0)
        if self.host.cold_start_s is not None:
            boots_in = BOOT_SHARE * self.host.cold_start_s
        if not self.faults & NEVER_BOOTS:
            self.timeline.after(boots_in, self._boot)

    # What it does by itself.

    def _boot(self) -> None:
        if self.ended_at is not None:
            return
        if self.faults & FAILS_TO_BOOT:
            self.failed = True
            self.on_change(self, "failed")
            return
        self.running_at = self.timeline.now
        self.on_change(self, "runs")
        if Fault.VANISHES in self.faults:
            self.timeline.after(self.dice.uniform(1.0, 60.0), self.vanish)
        if Fault.STATUS_FLAPS in self.faults:
            self.timeline.after(self.dice.uniform(5.0, 200.0), self._flap)
        self._watch()

    def _watch(self) -> None:
        """The dead-man's switch: a process beside everything else, armed by the order."""
        if self.dead_man is None or self.ended_at is not None or self.running_at is None:
            return
        if self.heard_at is None:
            deadline = self.running_at + self.dead_man.first.total_seconds()
        else:
            deadline = self.heard_at + self.dead_man.silent.total_seconds()
        if self.is_dead:
            return  # and so is the switch
        if self.timeline.now >= deadline:
            self.end("dead man's switch")
        else:
            self.timeline.at(deadline, self._watch)

    def _flap(self) -> None:
        self.is_lost = True
        self.timeline.after(FLAPS_FOR, self._recover)

    def _recover(self) -> None:
        self.is_lost = self.is_dead

    def vanish(self) -> None:
        """Gone at once, row and all."""
        self.end("vanished")

    def go_offline(self) -> None:
        """The cloud loses touch with its host: still listed, still billed, dead."""
        if self.ended_at is None and not self.is_dead:
            self.is_lost = True
            self._die()
            self.on_change(self, "offline")

    def end(self, why: str) -> None:
        if self.ended_at is not None:
            return
        self.end_by = why
        self.ended_at = self.timeline.now
        self._die()
        self.on_change(self, why)

    def _die(self) -> None:
        self.is_dead = True
        told, self.connections = self.connections, []
        for tell in told:
            tell()

    # What others do to it.

    def destroy(self) -> bool:
        """The cloud was told to end it; says whether it does."""
        self.destroys += 1
        if Fault.DESTROY_IGNORED in self.faults and self.destroys <= DESTROYS_IGNORED:
            return False
        self.end("destroyed")
        return True

    def told(self, *, lives: bool, at: float) -> None:
        """An answer, true at the time *at*, has reached the bot."""
        if lives:
            self.seen_at = at if self.seen_at is None else max(self.seen_at, at)
        elif self.missed_at is None:
            self.missed_at = self.timeline.now

    def beat(self) -> None:
        """A heartbeat of ours arrived."""
        self.heard_at = self.timeline.now

    @property
    def opens_ssh(self) -> bool:
        return self.running_at is not None and not self.is_dead and not self.faults & NO_SSH

    @property
    def bps(self) -> float:
        return self.host.bps / (100 if Fault.SLOW_LINK in self.faults else 1)

    def bill(self, now: float) -> MicroUsd:
        """What the cloud charges for it by *now*, in micro-dollars."""
        hours = ((now if self.ended_at is None else self.ended_at) - self.ordered_at) / 3600.0
        return MicroUsd(round(self.offer.tariff.per_hour * self.price_factor * hours))
