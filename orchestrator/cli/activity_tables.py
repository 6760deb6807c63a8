"""What ``glowplug activity`` shows to people."""

from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from orchestrator.cli.opening import out
from orchestrator.domain.activity import Activity
from orchestrator.domain.scenarios import REACTIVE, Assumptions, Scenario, Waits

WIDTH = 110
BAR = 40
MOST_PEOPLE = 10


def show(report: Activity, scenarios: tuple[Scenario, ...], terms: Assumptions) -> None:
    console = Console(width=max(out.width, WIDTH), highlight=False)
    if report.first is None or report.last is None:
        out.print("There is no request in it.")
    else:
        console.print(
            f"{report.total:,} requests in {report.days} days ({report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}), "
            f"{report.per_day:.0f} a day. {_rhythm(report)}"
        )
        for table in (_weekdays(report), _hours(report), _people(report)):
            console.print(table)
        console.print(_closeness(report))
    console.print(_costs(scenarios, terms))
    console.print(f"[dim]{_reading(scenarios, terms)}[/dim]")


def _rhythm(report: Activity) -> str:
    peak = "" if report.peak is None else f"Busiest from {_clock(report.peak)} UTC"
    dead = "every hour has some." if report.dead is None else f"none from {_clock(report.dead)}."
    return f"{peak}; {dead}"


def _clock(hours: tuple[int, int]) -> str:
    return f"{hours[0]:02}:00 to {hours[1]:02}:00"


def _weekdays(report: Activity) -> Table:
    return _barred("weekday", [(f"{name}", count) for name, count in report.weekdays.items()])


def _hours(report: Activity) -> Table:
    return _barred("hour, UTC", [(f"{hour:02}:00", count) for hour, count in enumerate(report.hours)])


def _barred(what: str, rows: list[tuple[str, int]]) -> Table:
    table = Table(what, Column("requests", justify="right"), "", box=None)
    most = max(count for _, count in rows)
    for name, count in rows:
        table.add_row(name, f"{count:,}", "█" * -(-count * BAR // most))
    return table


def _people(report: Activity) -> Table:
    numbers = [Column(name, justify="right") for name in ("requests", "share")]
    table = Table("user", *numbers, box=None)
    for person in report.people[:MOST_PEOPLE]:
        table.add_row(escape(person.user), f"{person.count:,}", f"{person.share:.0%}")
    rest = report.total - sum(person.count for person in report.people[:MOST_PEOPLE])
    if rest:
        others = len(report.people) - MOST_PEOPLE
        more = "and more" if report.others else "more"
        table.add_row(f"{others:,} {more}", f"{rest:,}", f"{rest / report.total:.0%}")
    return table


def _closeness(report: Activity) -> str:
    bursts, median = report.bursts, report.median_gap
    close = "no two of one person are that close"
    if median is not None:
        close = f"between two of one person that are this close lie {median / timedelta(minutes=1):.2f} min (median)"
    return (
        f"{bursts.count} bursts (3 or more requests of one person, each within 5 min of the one before): "
        f"{bursts.mean:.1f} requests on average, {bursts.largest} the largest; {close}."
    )


def _costs(scenarios: tuple[Scenario, ...], terms: Assumptions) -> Table:
    names = ("estimated", "replayed", "by a machine", "others", "wait p50/p95", "first p50/p95")
    head = Column(f"$/month at ${terms.usd_hour:.2f}/h", no_wrap=True)
    table = Table(head, *[Column(name, justify="right", no_wrap=True) for name in names])
    for scenario in scenarios:
        table.add_row(
            scenario.name,
            _estimate(scenario),
            f"{scenario.usd_month:.2f}",
            f"{scenario.served:.1%}",
            _others(scenario),
            _waits(scenario.waits),
            _waits(scenario.first),
        )
    return table


def _estimate(scenario: Scenario) -> str:
    low, high = scenario.estimate.low, scenario.estimate.high
    return f"{low:.0f}" if low == high else f"{low:.0f}-{high:.0f}"


def _others(scenario: Scenario) -> str:
    if scenario.served == 1:
        return ""
    return "not served" if scenario.bridge_usd_month is None else f"API, ${scenario.bridge_usd_month:.2f}"


def _waits(waits: Waits) -> str:
    return "" if waits.p50 is None or waits.p95 is None else f"{waits.p50:.0f}/{waits.p95:.0f} s"


def _reading(scenarios: tuple[Scenario, ...], terms: Assumptions) -> str:
    """How the numbers came about."""
    reactive = next(scenario for scenario in scenarios if scenario.name == REACTIVE)
    failing, first = reactive.failing_usd_month, reactive.failing_first
    estimate = reactive.estimate
    tries = ""
    if failing is not None and first is not None and first.p50 is not None:
        tries = (
            f" Where {terms.failed_tries:.0f} tries fail before one works, as the first user saw, "
            f"each for {terms.failed_try / timedelta(minutes=1):.1f} min, it costs ${failing:.2f} a month, "
            f"and the first picture is there after {first.p50:.0f} s (median)."
        )
    return (
        "Estimates are the first user's own: hours times price; reactive is "
        f"${estimate.running:.0f} for four sessions a day and ${estimate.cold_starts:.0f} for their cold starts, "
        "and his margin on that. Fixed hours are UTC: one machine for everybody, one picture at a time "
        f"({terms.generate.total_seconds():.1f} s each). Reactive in the replay is a machine a person, ordered at a "
        f"request, warm after {terms.cold_start.total_seconds():.1f} s, and given back "
        f"{terms.idle / timedelta(minutes=1):.0f} min after its last picture.{tries} "
        "First: a person's first request after 10 min without one."
    )
