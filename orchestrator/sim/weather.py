"""What goes wrong in one world, and when: drawn from its seed alone."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.faults import SCOPES, Fault, Profile, Scope, WorldFault

HOUR = 3600.0
MOST_FAULTS = 10
"""Different ones in one world; more only hide one another."""

AnyFault = Fault | WorldFault
MACHINE_CHANCE = 0.35
"""Of a machine that is ordered while a fault may fall on it."""


WINDOWED = frozenset(
    {
        *(fault for fault, scope in SCOPES.items() if scope in {Scope.LISTING, Scope.API}),
        WorldFault.STORE_BUSY,
        WorldFault.STORE_FULL,
        WorldFault.SURFACE_DOWN,
        WorldFault.ANSWERS_LATE,
        WorldFault.LISTING_DOUBLED,
        WorldFault.LISTING_404,
        WorldFault.CLOUD_DOWN,
        WorldFault.BRIDGE_FAILS,
        WorldFault.BRIDGE_LOSES_ANSWERS,
    },
)
"""They are there for a while and go again."""

SPELLS = frozenset(fault for fault, scope in SCOPES.items() if scope in {Scope.MACHINE, Scope.MIRROR})
"""Machines that are ordered while it lasts may have it."""

LONG = frozenset({WorldFault.SURFACE_DOWN, WorldFault.CLOUD_DOWN})
SHORT = frozenset({WorldFault.STORE_BUSY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    begin: float
    end: float


@dataclass(slots=True, kw_only=True)
class Weather:
    """
    Attributes:
        active_s: How long people are about; what is windowed is over within an hour after.
        faults: Those that were drawn for this world.
        struck: How often each has really fallen on something.
    """

    profile: Profile
    active_s: float
    faults: frozenset[AnyFault]
    windows: Mapping[AnyFault, tuple[Window, ...]]
    spells: Mapping[AnyFault, tuple[Window, ...]]
    dice: random.Random
    struck: Counter[AnyFault] = field(default_factory=Counter)

    def has(self, fault: AnyFault) -> bool:
        return fault in self.faults

    def is_on(self, fault: AnyFault, now: float) -> bool:
        """Whether something windowed is there now; it counts as having struck."""
        if fault not in self.windows or not any(w.begin <= now < w.end for w in self.windows[fault]):
            return False
        self.struck[fault] += 1
        return True

    def is_down(self, place: int, of: int, now: float) -> bool:
        """Whether the cloud at *place* of so many answers nothing: in each stretch it is another one's turn."""
        windows = self.windows.get(WorldFault.CLOUD_DOWN, ())
        for window in windows:
            if window.begin <= now < window.end:
                turn = int((now - window.begin) * of / (window.end - window.begin))
                if turn % of == place:
                    self.struck[WorldFault.CLOUD_DOWN] += 1
                    return True
        return False

    @property
    def ends_at(self) -> float:
        """When the last of what is windowed is over."""
        return max((w.end for windows in self.windows.values() for w in windows), default=0.0)

    def any_on(self, faults: Iterable[AnyFault], now: float) -> AnyFault | None:
        return next((fault for fault in faults if self.is_on(fault, now)), None)

    def falls(self, fault: AnyFault, chance: float) -> bool:
        """Whether a fault of this world falls on just this one thing."""
        if fault not in self.faults or self.dice.random() >= chance:
            return False
        self.struck[fault] += 1
        return True

    def falls_on_a_machine(self, fault: AnyFault, now: float) -> bool:
        """Whether a machine that is ordered now will have it."""
        if not any(spell.begin <= now < spell.end for spell in self.spells.get(fault, ())):
            return False
        return self.falls(fault, MACHINE_CHANCE)

    def is_fair(self, now: float) -> bool:
        """Nothing windowed is there now: whatever is wrong now is our own doing."""
        return not any(w.begin <= now < w.end for windows in self.windows.values() for w in windows)


def draw(seed: int, active_s: float, *, only: Iterable[AnyFault] | None = None) -> Weather:
    """
    Draw the weather of world *seed*.

    Args:
        only: Take just these faults.
    """
    dice = random.Random(f"weather/{seed}")
    everything: list[AnyFault] = [*Fault, *WorldFault]
    drawn = frozenset(dice.sample(everything, dice.randint(0, MOST_FAULTS)) if only is None else only)
    profile = dice.choice([Profile.NONE] * 5 + [Profile.MARKET] * 2 + [Profile.FIRST_USER])
    windows = {fault: _windows(fault, dice, active_s) for fault in everything if fault in drawn & WINDOWED}
    spells = {fault: _windows(fault, dice, active_s) for fault in everything if fault in drawn & SPELLS}
    return Weather(profile=profile, active_s=active_s, faults=drawn, windows=windows, spells=spells, dice=dice)


def _windows(fault: AnyFault, dice: random.Random, active_s: float) -> tuple[Window, ...]:
    longest = 3 * HOUR if fault in LONG | SPELLS else 60.0 if fault in SHORT else 600.0
    found = []
    for _ in range(dice.randint(1, 3)):
        begin = dice.uniform(0, active_s)
        found.append(Window(begin=begin, end=min(begin + dice.uniform(2.0, longest), active_s + HOUR)))
    return tuple(found)
