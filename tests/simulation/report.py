"""
What many worlds have shown: what each fault did and cost, and the totals.

A fault's cost is a difference of means: of the dollars of machines in a world, and of the seconds from a request to the
end of its job, over the worlds that drew it and those that did not. Worlds draw several faults and their hosts have bad
days of their own, so it takes some hundred worlds until a small difference means anything.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from orchestrator.faults import Fault, WorldFault
from orchestrator.sim.world import Result
from tests.simulation.play import how_to_replay

MICRO = 1_000_000
LAST_LINES = 15
COUNTED_SO = (
    "struck: how often it fell on a machine, an order, a request or the bot (hosts that are bad by themselves count, "
    "too); dearer, longer: dollars of machines a world and seconds from a request to the end of its job, the mean of "
    "the worlds that drew it less that of those that did not."
)


@dataclass(slots=True, kw_only=True)
class Sum:
    """Sums over some of the worlds; dollars in micro-dollars, waits in seconds."""

    worlds: int = 0
    bill: int = 0
    waited: float = 0.0
    waits: int = 0

    def add(self, result: Result) -> None:
        self.worlds += 1
        self.bill += result.bill
        self.waited += sum(result.waits)
        self.waits += len(result.waits)

    def less(self, other: "Sum") -> "Sum":
        return Sum(
            worlds=self.worlds - other.worlds,
            bill=self.bill - other.bill,
            waited=self.waited - other.waited,
            waits=self.waits - other.waits,
        )

    @property
    def usd(self) -> float:
        """A world's machines."""
        return self.bill / MICRO / max(self.worlds, 1)

    @property
    def wait_s(self) -> float:
        return self.waited / max(self.waits, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One fault; the differences are None where all worlds or none drew it."""

    fault: str
    worlds: int
    struck: int
    usd: float | None
    wait_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    seed: int
    invariant: str
    at_s: float
    text: str


@dataclass(slots=True, kw_only=True)
class Report:
    """Takes results one by one and keeps none of their logs."""

    everything: Sum = field(default_factory=Sum)
    drawn: dict[str, Sum] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    hours: float = 0.0
    cpu_s: float = 0.0
    bad: list[Bad] = field(default_factory=list)

    def add(self, result: Result, *, cpu_s: float) -> None:
        self.everything.add(result)
        for fault in result.faults:
            self.drawn.setdefault(fault, Sum()).add(result)
        self.struck.update(result.struck)
        self.hours += result.hours
        self.cpu_s += cpu_s
        self.counts.update(_counts(result))
        self.bad += [
            Bad(seed=result.seed, invariant=each.invariant, at_s=each.at, text=each.text) for each in result.violations
        ]

    def rows(self) -> list[FaultRow]:
        """One for each fault of the library, drawn or not."""
        return [self._row(str(fault)) for fault in (*Fault, *WorldFault)]

    def _row(self, fault: str) -> FaultRow:
        of = self.drawn.get(fault, Sum())
        others = self.everything.less(of)
        is_comparable = bool(of.worlds and others.worlds)
        return FaultRow(
            fault=fault,
            worlds=of.worlds,
            struck=self.struck[fault],
            usd=round(of.usd - others.usd, 4) if is_comparable else None,
            wait_s=round(of.wait_s - others.wait_s, 1) if is_comparable and of.waits and others.waits else None,
        )

    def never_drawn(self) -> list[str]:
        return [row.fault for row in self.rows() if not row.worlds]

    def never_struck(self) -> list[str]:
        return [row.fault for row in self.rows() if row.worlds and not row.struck]

    def totals(self, *, wall_s: float) -> dict[str, float]:
        worlds = max(self.everything.worlds, 1)
        return {
            "worlds": self.everything.worlds,
            "virtual_hours": round(self.hours, 1),
            "requests": self.counts["requests"],
            "refused": self.counts["refused"],
            "jobs": self.counts["jobs"],
            "painted": self.counts["SUCCEEDED"],
            "told_failures": self.counts["FAILED"],
            "cancelled": self.counts["CANCELLED"],
            "machines": self.counts["machines"],
            "lives": self.counts["lives"],
            "ended_early": self.counts["lives"] - self.everything.worlds,
            "machines_usd": round(self.everything.bill / MICRO, 4),
            "bridges_usd": round(self.counts["bridged"] / MICRO, 4),
            "billed_usd": round((self.everything.bill + self.counts["bridged"]) / MICRO, 4),
            "booked_usd": round(self.counts["booked"] / MICRO, 4),
            "wait_s": round(self.everything.wait_s, 1),
            "violations": len(self.bad),
            "bad_worlds": len({each.seed for each in self.bad}),
            "wall_s": round(wall_s, 1),
            "cpu_s_per_world": round(self.cpu_s / worlds, 2),
        }

    def as_json(self, *, wall_s: float) -> dict[str, object]:
        return {
            **self.totals(wall_s=wall_s),
            "faults": [asdict(row) for row in self.rows()],
            "never_drawn": self.never_drawn(),
            "never_struck": self.never_struck(),
            "bad": [asdict(each) for each in self.bad],
        }


def _counts(result: Result) -> dict[str, int]:
    ends = {state: result.jobs.get(state, 0) for state in ("SUCCEEDED", "FAILED", "CANCELLED")}
    return ends | {
        "requests": result.requests,
        "refused": result.jobs.get("refused", 0),
        "jobs": sum(ends.values()),
        "machines": result.machines,
        "lives": result.lives,
        "bridged": result.bridged,
        "booked": result.ledger,
    }


# For people.


def told_failure(result: Result) -> str:
    """What to say at once about a world that broke a rule."""
    said = [
        f"seed {result.seed} broke {len(result.violations)} rule(s); its faults: {', '.join(result.faults) or 'none'}"
    ]
    said += [f"  {each.invariant} at {each.at:.3f} s: {each.text}" for each in result.violations]
    said += ["  the end of its log:", *(f"    {line}" for line in result.log[-LAST_LINES:])]
    return "\n".join([*said, f"  replay it: {how_to_replay(result.seed)}"])


def table(rows: Iterable[FaultRow]) -> str:
    """The faults that were drawn, in columns."""
    lines = [f"{'fault':<32} {'worlds':>6} {'struck':>8} {'dearer $':>9} {'longer s':>9}"]
    lines += [
        f"{row.fault:<32} {row.worlds:>6} {row.struck:>8} {_signed(row.usd, 3):>9} {_signed(row.wait_s, 0):>9}"
        for row in rows
        if row.worlds or row.struck
    ]
    return "\n".join(lines)


def _signed(number: float | None, places: int) -> str:
    return "-" if number is None else f"{number:+.{places}f}"


def summary(report: Report, *, wall_s: float) -> str:
    """Everything that is said at the end."""
    missing = ", ".join(report.never_drawn()) or "none"
    idle = ", ".join(report.never_struck()) or "none"
    width = max(map(len, totals := report.totals(wall_s=wall_s)))
    return "\n".join(
        [
            table(report.rows()),
            COUNTED_SO,
            f"never drawn: {missing}",
            f"drawn, but never struck: {idle}",
            "",
            *(f"{name.replace('_', ' '):<{width}}  {number:>12,}" for name, number in totals.items()),
        ]
    )
