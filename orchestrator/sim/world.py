"""
One world: people, a market, machines, and lives of the bot one after another; all of it follows from the seed.

    World
    ├─ timeline    what happens by itself: machines boot, vanish, and count our silence
    ├─ lives       each on a loop of its own; killed between two steps, or stopped
    └─ watch       holds everything to the invariants, after each step that changed something
"""

import asyncio
import logging
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from orchestrator.adapters.database.database import Statement
from orchestrator.api import Orchestrator
from orchestrator.control.shared import Limits
from orchestrator.domain.errors import DiskFull, StoreError
from orchestrator.domain.ids import CloudName
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.by_name import policy_by_name
from orchestrator.domain.policy.spend import Caps
from orchestrator.faults import WorldFault
from orchestrator.sim import traffic, weather
from orchestrator.sim.account import SimAccount
from orchestrator.sim.blobs import SimBlobs
from orchestrator.sim.inference import SimInference
from orchestrator.sim.invariants import Violation, Watch
from orchestrator.sim.life import Life, Rules, Surroundings
from orchestrator.sim.loop import Killed, SimLoop, uncollected
from orchestrator.sim.machine import SimMachine
from orchestrator.sim.market import SimMarket
from orchestrator.sim.names import SimIds, SimWall
from orchestrator.sim.timeline import Timeline
from orchestrator.sim.traffic import People, Wants

HOUR = 3600.0
QUIET_S = 2.2 * HOUR
"""After the last wish and the last fault: every deadline has passed by its end."""

JOB_DEADLINE = timedelta(minutes=30)
"""Half of the default: whoever waits in a bad market for longer sees nothing new."""

WRITES_DOWN_WITHIN_S = 5.0
"""What the bot heard so shortly before it was killed, or before its disk was full, may be lost with it."""

MINUTE = 60.0
POLICIES = "first-user", "first-user", "auto", "auto", "fixed(2,600,120)", "bridge-only", "always-on(6-10)"
CLOUDS = tuple(map(CloudName, ("sim", "sim-b", "sim-c")))
WITHOUT_SWITCH = 1
"""The place of the cloud whose machines cannot end themselves."""

SEVERAL = 0.4
"""How likely a world has more than one cloud."""

BESIDE = 0.5
"""How likely a world with clouds has an API beside them."""
BRIDGED = frozenset({WorldFault.BRIDGE_FAILS, WorldFault.BRIDGE_LOSES_ANSWERS})
CRASHES = frozenset({WorldFault.CRASH, WorldFault.CRASH_TWICE, WorldFault.CRASH_IN_RECOVERY, WorldFault.DOWN_FOR_HOURS})
EDGES = ("BEGIN", "COMMIT")
FATE = 0.03
"""How likely the bot is killed just after an order was taken or an end was shown, in a world with crashes."""


class Surface(Protocol):
    """Where the people of a world are told; it outlives the bot."""

    @property
    def name(self) -> str: ...

    async def serve(self, bot: Orchestrator) -> None:
        """Keep them posted, until cancelled."""
        ...

    def violations(self) -> list[str]:
        """What was shown that never may be."""
        ...


MakeSurface = Callable[["World"], Surface]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    How a world went.

    Attributes:
        log: What happened, a line each.
        struck: How often each fault fell on something.
        bill: For the bot's machines.
        bridged: What bridges charge.
        people: Who asked for pictures.
        requests: How often they did; some were refused, the others became jobs.
        waits: Seconds from each request to the end of its job, but for those that were cancelled.
        quiet_s: From the last wish, and the last fault of the weather, to the end.
    """

    seed: int
    violations: tuple[Violation, ...]
    log: tuple[str, ...]
    faults: tuple[str, ...]
    struck: dict[str, int]
    jobs: dict[str, int]
    hours: float
    lives: int
    steps: int
    machines: int
    bill: MicroUsd
    bridged: MicroUsd
    ledger: MicroUsd
    people: int
    requests: int
    waits: tuple[float, ...]
    quiet_s: float


class World:
    """
    Args:
        folder: Empty, for the database.
        make_surface: How people are told.
        only: Just these faults.
    """

    def __init__(
        self,
        seed: int,
        *,
        folder: Path,
        make_surface: MakeSurface,
        only: frozenset[weather.AnyFault] | None = None,
        jobs: int = 40,
    ) -> None:
        self.seed = seed
        self.dice = random.Random(f"world/{seed}")
        self.timeline = Timeline()
        self.weather = weather.draw(seed, self.dice.uniform(3.85, 4.6) * HOUR, only=only)
        self.wall = SimWall(self.timeline)
        self.log: list[str] = []
        self._folder = folder
        self._ends_at = self.weather.active_s + QUIET_S
        self._is_over = False
        self._lives = 0
        self._steps = 0
        self._planned: list[int] = []  # steps at which the next lives end, last one first
        self._fate = self._dice("fate")
        self._loop: SimLoop | None = None
        self._stop: asyncio.Event | None = None
        self._down_for = 5.0
        self.is_up_since: float | None = None
        self.accounts = self._make_accounts()
        self.bridge = SimInference(self.timeline, self.weather, self._dice("bridge"))
        self.people = People(
            traffic.draw(self._dice("traffic"), self.weather, jobs=jobs, people=self.dice.randint(3, 5)),
            self.timeline,
            surface="sim",
        )
        self.around = self._surroundings()
        self.watch = Watch(self)
        self.surface = make_surface(self)

    def _dice(self, name: str) -> random.Random:
        return random.Random(f"{name}/{self.seed}")

    def note(self, text: str) -> None:
        self.log.append(f"{self.timeline.now:10.3f}  {text}")

    # What it is made of.

    def _make_accounts(self) -> tuple[SimAccount, ...]:
        share = self.dice.random()  # jobs go over a bridge where nothing can be rented, so its faults need that
        if share < (0.25 if self.weather.faults & BRIDGED else 0.05):
            return ()
        several = self.dice.random() < SEVERAL
        count = self.dice.randint(2, 3) if several or self.weather.has(WorldFault.CLOUD_DOWN) else 1
        return tuple(self._make_account(place, count) for place in range(count))

    def _make_account(self, place: int, of: int) -> SimAccount:
        """The second cloud has no switch that its machines could end themselves by."""
        poor = self.weather.has(WorldFault.BALANCE_RUNS_OUT)
        name = CLOUDS[place]
        market = SimMarket(name, seed=self.seed, size=self.dice.randint(15, 60), profile=self.weather.profile)
        return SimAccount(
            name,
            timeline=self.timeline,
            market=market,
            weather=self.weather,
            dice=self._dice("account" if place == 0 else f"account/{place}"),
            balance=MicroUsd(self.dice.randint(50_000, 800_000) if poor else 1_000_000_000),
            place=(place, of),
            has_switch=place != WITHOUT_SWITCH,
            on_change=self._on_change,
        )

    def _surroundings(self) -> Surroundings:
        capped = self.dice.random() < 0.3
        cap = MicroUsd(self.dice.randint(500_000, 3_000_000)) if capped else None
        return Surroundings(
            path=self._folder / "glowplug.sqlite3",
            wall=self.wall,
            ids=SimIds(self._dice("ids")),
            dice=self._dice("bot"),
            accounts=self.accounts,
            bridges=(self.bridge,) if not self.accounts or self.dice.random() < BESIDE else (),
            blobs=SimBlobs(lambda: self.weather.is_on(WorldFault.STORE_FULL, self.timeline.now)),
            rules=Rules(
                policy=policy_by_name(self._dice("policy").choice(POLICIES), timedelta(minutes=10)),
                limits=Limits(max_machines=self.dice.choice((2, 3, 5)), job_deadline=JOB_DEADLINE),
                caps=Caps(person_day=cap, day=None if cap is None else MicroUsd(2 * cap), month=None),
                queued_jobs=self.dice.choice((5, 20)),
            ),
        )

    # Its course.

    def run(self) -> Result:
        """Let it go from its first hour to its quiet end."""
        for account in self.accounts:
            account.admit_strangers()
        self.timeline.after(MINUTE, self._each_minute)
        self._arrange_faults()
        with uncollected():
            while not self._is_over:
                self._one_life()
        self.watch.at_end()
        return self._result()

    def _one_life(self) -> None:
        self._lives += 1
        loop = self._loop = SimLoop(self.timeline, after_step=self.watch.after_step)
        life = self.life = Life(self.around, self._before_statement)
        if self._planned:
            loop.kill_at = self._planned.pop()
        self.note(f"life {self._lives} begins")
        try:
            loop.run(life.live(self._do))
            self.note("life ends")
        except Killed:
            self.note("life is killed")
            for account in self.accounts:
                account.forget_what_was_told(self._unwritten_since())
        except StoreError as error:
            self.note(f"life cannot begin: {error}")
        except Exception as error:  # noqa: BLE001 - whatever gets out of a life would end the bot with a traceback
            self.watch.fail("unexpected", "".join(traceback.format_exception(error)))
            self._is_over = True
        finally:
            life.bury()
            self._steps += loop.steps
            with _unheard():
                loop.bury()
            self._loop = self._stop = self.is_up_since = None
        if not self._is_over:
            self.timeline.move_to(self.timeline.now + self._down_for)
            self._down_for = self.dice.uniform(1.0, 60.0)

    async def _do(self, bot: Orchestrator) -> None:
        self._stop = asyncio.Event()
        self.is_up_since = self.timeline.now
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.people.act(bot)), group.create_task(self.surface.serve(bot))]
            await self._stop.wait()
            if not self._is_over:
                await bot.end_all(timedelta(minutes=2))  # type: ignore[attr-defined]
            for task in tasks:
                task.cancel()

    def _each_minute(self) -> None:
        for account in self.accounts:
            account.collect()
            account.remember()
        self.watch.each_minute()
        if self.timeline.now >= self._ends_at or self.watch.violations:
            self._is_over = True
            if self._stop is not None:
                self._stop.set()
        else:
            self.timeline.after(MINUTE, self._each_minute)

    def _on_change(self, machine: SimMachine, what: str) -> None:
        self.note(f"machine {machine.ref} [{', '.join(sorted(machine.faults))}] {what}")
        self.watch.machine_changed(machine, what)
        if what == "ordered":
            self.tempt_fate()

    # What befalls the bot.

    def _arrange_faults(self) -> None:
        sky = self.weather
        if sky.faults & CRASHES:
            for _ in range(self.dice.randint(1, 4)):
                self.timeline.at(self._a_busy_moment(), self._crash)
        if sky.has(WorldFault.STOPPED):
            self.timeline.at(self._a_busy_moment(), self._stop_by_hand)
        for fault, hours in ((WorldFault.CLOCK_FORWARD, 1), (WorldFault.CLOCK_BACK, -1)):
            if sky.has(fault):
                self._jump_and_return(fault, timedelta(hours=hours))

    def _a_busy_moment(self) -> float:
        return self.dice.choice(self.people.wishes).at + self.dice.choice((0.0, self.dice.uniform(0, 400.0)))

    def _crash(self) -> None:
        if self._loop is None:
            return
        sky = self.weather
        self._loop.kill_at = self._loop.steps + self.dice.randint(1, 300)
        sky.struck[WorldFault.CRASH] += 1
        if sky.falls(WorldFault.CRASH_TWICE, 0.7):
            self._planned.append(self.dice.randint(20, 3000))
        if sky.falls(WorldFault.CRASH_IN_RECOVERY, 0.7):
            self._planned.append(self.dice.randint(1, 120))
        if sky.falls(WorldFault.DOWN_FOR_HOURS, 0.4):
            self._down_for = self.dice.uniform(0.5 * HOUR, 2 * HOUR)

    def tempt_fate(self) -> None:
        """Something was done for others to see, and nobody has written that down yet: a good moment to be killed."""
        loop = self._loop
        if loop is None or not self.weather.faults & CRASHES or self._fate.random() >= FATE:
            return
        self.weather.struck[WorldFault.CRASH] += 1
        loop.kill_at = loop.steps + self._fate.randint(1, 20)

    def _stop_by_hand(self) -> None:
        if self._stop is not None:
            self.weather.struck[WorldFault.STOPPED] += 1
            self._stop.set()

    def _jump_and_return(self, fault: WorldFault, by: timedelta) -> None:
        begin = self.dice.uniform(0, self.weather.active_s)
        self.timeline.at(begin, lambda: self._jump(fault, by))
        self.timeline.at(begin + self.dice.uniform(10, HOUR), lambda: self._jump(fault, -by))

    def _jump(self, fault: WorldFault, by: timedelta) -> None:
        self.weather.struck[fault] += 1
        self.note(f"the clock jumps by {by}")
        self.wall.wrong_by += by

    async def _before_statement(self, statement: Statement) -> None:
        """Where a real database would make its caller wait, others run on."""
        if not statement.sql.startswith(EDGES):
            self.watch.has_news |= "INTO event" in statement.sql
            return
        sky, now = self.weather, self.timeline.now
        await asyncio.sleep(0)
        if sky.is_on(WorldFault.STORE_BUSY, now):
            await asyncio.sleep(self.dice.uniform(0.05, 5.0))
            if self.dice.random() < 0.2:
                raise StoreError("another program keeps the database busy")
        if statement.sql == "COMMIT":
            if sky.is_on(WorldFault.STORE_FULL, now):
                raise DiskFull("the disk is full; make room")
            self.watch.commits = self.watch.has_news and self.is_up_since is not None

    def _unwritten_since(self) -> float:
        """From when on the bot of now may have kept what it heard in memory alone."""
        now = self.timeline.now
        since = now - WRITES_DOWN_WITHIN_S
        full = self.weather.windows.get(WorldFault.STORE_FULL, ())
        for window in sorted(full, key=lambda window: window.begin, reverse=True):
            if window.begin <= now and since < window.end:
                since = min(since, window.begin - WRITES_DOWN_WITHIN_S)
        return since

    def _result(self) -> Result:
        return Result(
            seed=self.seed,
            violations=tuple(self.watch.violations),
            log=tuple(self.log),
            faults=tuple(sorted(self.weather.faults)),
            struck=dict(sorted(self.weather.struck.items())),
            jobs=self.watch.job_ends(),
            hours=self.timeline.now / HOUR,
            lives=self._lives,
            steps=self._steps,
            machines=sum(len(account.ours()) for account in self.accounts),
            bill=MicroUsd(sum(account.bill() for account in self.accounts)),
            bridged=self.bridge.charged,
            ledger=self.watch.booked(),
            people=len({wish.person for wish in self.people.wishes}),
            requests=sum(wish.wants is Wants.PICTURES for wish in self.people.wishes),
            waits=tuple(self._waits()),
            quiet_s=self.timeline.now - max(self.people.wishes[-1].at, self.weather.ends_at),
        )

    def _waits(self) -> Iterator[float]:
        cancelled = self.watch.jobs_in("CANCELLED")
        for wish in self.people.wishes:
            if wish.wants is Wants.PICTURES and wish.job in self.watch.ended.keys() - cancelled:
                yield self.watch.ended[wish.job] - wish.at


@contextmanager
def _unheard() -> Iterator[None]:
    """What is thrown away may complain; nobody of a killed process would hear it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
