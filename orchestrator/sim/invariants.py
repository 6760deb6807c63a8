"""
What must hold in every world at every step.

1. ``leak``      no machine is billed for long without an owner or a recorded intent; in the end there is none, and the
                 ledger equals the bill
2. ``lost``      every accepted job ends, and its person is told
3. ``twice``     no picture is posted twice, no job is charged twice
4. ``too many``  never more live-or-unknown launches than the limit
5. ``budget``    booked and reserved fit the cap at each launch; booked is at most 1.2 times the cap and a tick's worth,
                 but for what machines without a switch cost while the bot was away
6. ``two warm``  a session has one warm machine, but for a hedge in flight
7. ``moves``     states move along the tables, events explain each move, and a card never goes backwards

Beside them ``unexpected``: an error that no code of ours has a name for.
"""

import json
import math
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.domain import instance, job, session
from orchestrator.domain.ids import installation_of
from orchestrator.domain.money import MicroUsd
from orchestrator.faults import Fault, WorldFault
from orchestrator.sim.account import INSTALLATION, STRANGERS
from orchestrator.sim.machine import SimMachine

if TYPE_CHECKING:
    from orchestrator.sim.world import World

NEXT = {"job": job.NEXT, "session": session.NEXT, "instance": instance.NEXT}
FAIR_UNOWNED_S = 300.0
"""With the bot up and nothing else amiss, a machine that nobody owns is found and ended within this."""

MOST_UNOWNED_S = 1500.0
"""Whatever is amiss, its dead-man's switch ends it: the first heartbeat's limit, and a minute."""

CENT = 10_000
CLOCKS = frozenset({WorldFault.CLOCK_BACK, WorldFault.CLOCK_FORWARD})
BOOKED_FOR = """
    SELECT coalesce(sum(amount), 0) FROM booking WHERE instance_id IN (SELECT id FROM instance WHERE ref = ?)
"""
CAME_LATE = """
    SELECT 1 FROM instance WHERE ref = ? AND (
        user_id = 'nobody' OR EXISTS (SELECT 1 FROM event WHERE subject = instance.id AND reason = 'turned up')
    )
"""
ORDERED = "'LAUNCHING', 'BOOTING', 'PREPARING', 'READY', 'DRAINING', 'TERMINATING'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    invariant: str
    at: float
    text: str


class Watch:
    """
    Looks at the database as it was last committed, and at what is true at the cloud.

    Attributes:
        ended: When each job came to its end.
        has_news: Whether an event was written since the last look, perhaps not for good.
        commits: Whether it was committed in this step.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._db: sqlite3.Connection | None = None
        self._last_event = 0
        self._states: dict[str, dict[str, str]] = {kind: {} for kind in NEXT}
        self._unowned: dict[str, tuple[float, float]] = {}
        self._unwatched = 0
        self._two_warm: dict[str, float] = {}
        self.violations: list[Violation] = []
        self.ended: dict[str, float] = {}
        self.has_news = False
        self.commits = False

    def fail(self, invariant: str, text: str) -> None:
        self._world.note(f"VIOLATION {invariant}: {text}")
        self.violations.append(Violation(invariant=invariant, at=self._world.timeline.now, text=text))

    def _rows(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        if self._db is None:
            path = self._world.around.path
            if not path.exists():
                return []
            self._db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        return self._db.execute(sql, values).fetchall()

    # After a step.

    def after_step(self) -> None:
        """Cheap when no event was committed."""
        if not self.commits:
            return
        self.has_news = self.commits = False
        for row in self._rows(
            "SELECT id, kind, subject, before, after, reason, details FROM event WHERE id > ?", self._last_event
        ):
            self._last_event = row[0]
            kind, subject, before, after, reason, details = row[1:]
            said = f" {details}" if details != "{}" else ""
            self._world.note(f"{kind} {subject}: {before or '-'} -> {after} ({reason}){said}")
            self._move(kind, subject, before, after, reason)

    def _move(self, kind: str, subject: str, before: str, after: str, reason: str) -> None:
        known = self._states[kind].get(subject, "")
        if known != before:
            self.fail("moves", f"{kind} {subject} moved from {before}, but was {known}")
        if before and after != before and after not in NEXT[kind][before]:  # type: ignore[index]
            self.fail("moves", f"{kind} {subject}: {before} -> {after} is not in the table")
        if not reason:
            self.fail("moves", f"{kind} {subject}: {before} -> {after} is not explained")
        self._states[kind][subject] = after
        if kind == "instance" and after == "LAUNCHING":
            self._launch(subject)
        if kind == "job" and not NEXT["job"][after]:  # type: ignore[index]
            self.ended[subject] = self._world.timeline.now
        if kind == "job" and after == "SUCCEEDED":
            self._charged_once(subject)

    def _launch(self, name: str) -> None:
        limit = self._world.around.rules.limits.max_machines
        ((count,),) = self._rows(f"SELECT count(*) FROM instance WHERE state IN ({ORDERED})")  # noqa: S608
        if count > limit:
            self.fail("too many", f"{count} machines are live or unknown, {limit} may be (launch of {name})")
        ((payer,),) = self._rows("SELECT user_id FROM instance WHERE id = ?", name)
        for label, cap, spent, reserved in self._spent():
            # A machine that ran on while the bot was away may have cost its own person more: nobody else must wait.
            if label in {payer, "day"} and spent + reserved > cap:
                self.fail("budget", f"{label}: {spent} booked + {reserved} reserved > {cap} at the launch of {name}")

    def _spent(self) -> list[tuple[str, int, int, int]]:
        """Of each cap: its name, its limit, and what is booked today and reserved."""
        caps = self._world.around.rules.caps
        if caps.day is None or caps.person_day is None:
            return []
        now = self._world.life.clock.now()
        day = int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1_000_000)
        booked: dict[str, int] = dict(
            self._rows("SELECT user_id, sum(amount) FROM booking WHERE at >= ? GROUP BY 1", day)
        )
        reserved: dict[str, int] = dict(
            self._rows(
                "SELECT user_id, sum(max(reserved - booked, 0)) FROM instance WHERE state <> 'TERMINATED' GROUP BY 1"
            )
        )
        people = sorted(booked | reserved)
        found = [
            (who, int(caps.person_day), booked.get(who, 0), reserved.get(who, 0)) for who in people if who != "nobody"
        ]
        return [*found, ("day", int(caps.day), sum(booked.values()), sum(reserved.values()))]

    def _charged_once(self, name: str) -> None:
        for cloud, count in self._rows("SELECT cloud, count(*) FROM booking WHERE job_id = ? GROUP BY 1", name):
            if count > 1:
                self.fail("twice", f"job {name} is charged {count} times by {cloud}")

    def machine_changed(self, machine: SimMachine, what: str) -> None:
        limit = self._world.around.rules.limits.max_machines
        if what == "ordered" and self._known(machine):
            orders = {m.label for account in self._world.accounts for m in account.live() if self._known(m)}
            if len(orders) > limit:
                self.fail("too many", f"{len(orders)} orders of machines are billed, {limit} may be")

    def _known(self, machine: SimMachine) -> bool:
        """Whether our books know of it: by its name or by the label of its order."""
        return bool(
            self._rows(
                "SELECT 1 FROM instance WHERE state <> 'TERMINATED' AND (ref = ? OR launch_key = ?)",
                machine.ref,
                machine.label,
            )
        )

    # Each minute.

    def each_minute(self) -> None:
        if self._last_event == 0:
            return
        self._no_leak()
        self._one_warm()
        self._no_move_without_event()
        self._note_unwatched()
        self._within_budget()

    def _no_leak(self) -> None:
        world, now = self._world, self._world.timeline.now
        fair = world.is_up_since is not None and world.weather.is_fair(now)
        for account in world.accounts:
            for machine in account.live():
                if installation_of(machine.label) != INSTALLATION or self._known(machine):
                    self._unowned.pop(machine.ref, None)
                    continue
                whole, in_fair = self._unowned.get(machine.ref, (0.0, 0.0))
                whole, in_fair = whole + 60.0, in_fair + 60.0 if fair else 0.0
                self._unowned[machine.ref] = whole, in_fair
                if in_fair > FAIR_UNOWNED_S:
                    self.fail(
                        "leak", f"machine {machine.ref} is nobody's for {in_fair:.0f} s, and nothing else is amiss"
                    )
                if whole > MOST_UNOWNED_S and not machine.is_dead and machine.dead_man is not None:
                    self.fail("leak", f"machine {machine.ref} is nobody's for {whole:.0f} s")

    def _one_warm(self) -> None:
        warm = self._rows("SELECT session_id FROM instance WHERE state = 'READY' GROUP BY 1 HAVING count(*) > 1")
        names = {name for (name,) in warm}
        self._two_warm = {name: self._two_warm.get(name, 0) + 1 for name in sorted(names)}
        for name, minutes in self._two_warm.items():
            if minutes > 1 and self._world.is_up_since is not None:
                self.fail("two warm", f"session {name} has two warm machines")

    def _no_move_without_event(self) -> None:
        for kind, told in self._states.items():
            written = dict(self._rows(f"SELECT id, state FROM {kind}"))  # noqa: S608
            for subject, state in sorted(written.items() - told.items()):
                self.fail("moves", f"{kind} {subject} is {state}, and no event says so")

    def _note_unwatched(self) -> None:
        """A machine that cannot end itself costs money for as long as the bot is away, whatever the cap."""
        if self._world.is_up_since is None:
            machines = [machine for account in self._world.accounts for machine in account.ours()]
            alone = [machine for machine in machines if machine.ended_at is None and machine.dead_man is None]
            self._unwatched += sum(_price(machine, 60.0) for machine in alone)

    def _within_budget(self) -> None:
        ticks = self._world.around.rules.limits.max_machines * 800_000 // 30
        for label, cap, spent, _ in self._spent():
            if spent > 1.2 * cap + ticks + self._unwatched:
                self.fail("budget", f"{label}: {spent} booked, {cap} may be")

    # In the end.

    def at_end(self) -> None:
        if self.violations:
            return
        for account in self._world.accounts:
            for machine in account.ours():
                if machine.ended_at is None:
                    self.fail("leak", f"machine {machine.ref} lives on in the quiet")
            for machine in account.machines.values():
                if machine.destroys and machine.label in STRANGERS:
                    self.fail("leak", f"machine {machine.ref} is of somebody else, and was told to end")
        self._all_told()
        self._accounts_agree()
        for text in self._world.surface.violations():
            self.fail("twice" if "twice" in text else "moves", text)

    def _all_told(self) -> None:
        for name, state, told in self._rows("SELECT id, state, acknowledged_at FROM job"):
            if state in {"QUEUED", "RUNNING"}:
                self.fail("lost", f"job {name} is still {state}")
            elif told is None:
                self.fail("lost", f"job {name} is {state}, and nobody was told")
        for wish in self._world.people.wishes:
            if wish.job is not None and not self._rows("SELECT 1 FROM job WHERE id = ?", wish.job):
                self.fail("lost", f"job {wish.job} was accepted, and nobody knows it")
            if not wish.is_done:
                self.fail("lost", f"{wish.person} was never answered on {wish.key}")

    def _accounts_agree(self) -> None:
        """To the cent; of a machine that ended unseen, to the time in which nobody could look."""
        total, slack = 0, CENT
        for account in self._world.accounts:
            for machine in account.ours():
                ((booked,),) = self._rows(BOOKED_FOR, machine.ref)
                billed, unseen = machine.bill(self._world.timeline.now), _unseen(machine)
                if self._world.weather.faults & CLOCKS and self._rows(CAME_LATE, machine.ref):
                    # when it began is not to be had from two clocks
                    unseen += billed + _price(machine, machine.ordered_at - machine.unlisted_at)
                if abs(booked - billed) > unseen + CENT / 4:
                    self.fail("leak", f"machine {machine.ref} ({machine.end_by}): {booked} booked, {billed} billed")
                total, slack = total + booked - billed, slack + unseen
        bridge = self._world.bridge
        ((booked,),) = self._rows("SELECT coalesce(sum(amount), 0) FROM booking WHERE cloud = ?", bridge.name)
        if booked < bridge.charged:  # what is perhaps charged is booked as spent: it may be too much, never too little
            self.fail("leak", f"{bridge.name} has charged {bridge.charged}, and {booked} is booked")
        if abs(total) > slack:
            self.fail("leak", f"the ledger is {total / 1e6:.4f} dollars above the bill")

    # For the report.

    def job_ends(self) -> dict[str, int]:
        found = dict(self._rows("SELECT state, count(*) FROM job GROUP BY 1 ORDER BY 1"))
        for (failure,) in self._rows("SELECT failure FROM job WHERE state = 'FAILED'"):
            key = f"failed: {json.loads(failure).get('key')}"
            found[key] = found.get(key, 0) + 1
        refused = sum(bool(wish.refusal) for wish in self._world.people.wishes)
        return found | ({"refused": refused} if refused else {})

    def jobs_in(self, state: str) -> set[str]:
        return {name for (name,) in self._rows("SELECT id FROM job WHERE state = ?", state)}

    def booked(self) -> MicroUsd:
        ((amount,),) = self._rows("SELECT coalesce(sum(amount), 0) FROM booking")
        return MicroUsd(amount)


def _unseen(machine: SimMachine) -> int:
    """What the time costs in which it had ended, its switch allowing, and no true answer of its cloud had told us."""
    began = machine.ordered_at if machine.seen_at is None else machine.seen_at
    if machine.end_by == "destroyed" and machine.ended_at is not None:  # at our word, so we know how long it lived
        began = machine.ended_at
    known = machine.missed_at if machine.missed_at is not None else machine.timeline.now
    has_switch = machine.dead_man is not None and machine.running_at is not None  # one that never boots arms none
    ends_itself = has_switch and Fault.GOES_OFFLINE not in machine.faults
    longest = MOST_UNOWNED_S if ends_itself else math.inf
    return _price(machine, min(known - began, longest))


def _price(machine: SimMachine, seconds: float) -> int:
    return round(machine.offer.tariff.per_hour * machine.price_factor * seconds / 3600)
