"""The charts of ``glowplug activity``. This module loads matplotlib; it is imported when charts are asked for."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from orchestrator.domain.activity import Activity

SIZE_INCHES = 8.0, 4.0
DOTS_PER_INCH = 110
COLOUR, PEAK_COLOUR = "#1c7ed6", "#e8590c"
MOST_PEOPLE = 12
MOST_DAYS = 366
"""Longer logs show a mean a day for each stretch of days."""

LABEL = 24
KNOWN = 0x250
"""Every font has Latin letters."""


def draw(report: Activity, folder: Path) -> tuple[Path, ...]:
    """
    One PNG for each chart; *folder* is made where it is missing.

    Raises:
        OSError: It cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    charts: Mapping[str, Callable[[Axes, Activity], None]] = {
        "hours": _hours,
        "weekdays": _weekdays,
        "users": _users,
        "bursts": _bursts,
        "days": _days,
    }
    return tuple(_saved(folder / f"{name}.png", paint, report) for name, paint in charts.items())


def _saved(path: Path, paint: Callable[[Axes, Activity], None], report: Activity) -> Path:
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    paint(axes, report)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
    return path


def _titled(axes: Axes, title: str, along: str, up: str) -> None:
    axes.set_title(title, loc="left", fontsize=12)
    axes.set_xlabel(along)
    axes.set_ylabel(up)


def _hours(axes: Axes, report: Activity) -> None:
    peak = set()
    if report.peak is not None:
        peak = {(report.peak[0] + k) % 24 for k in range((report.peak[1] - report.peak[0]) % 24)}
    colours = [PEAK_COLOUR if hour in peak else COLOUR for hour in range(24)]
    axes.bar(range(24), report.hours, color=colours, width=0.85)
    axes.set_xticks(range(24), [f"{hour:02}" for hour in range(24)])
    axes.set_xlim(-0.6, 23.6)
    _titled(axes, "Requests by hour of the day (the busiest three in orange)", "hour, UTC", "requests")
    _across(axes, "y")


def _weekdays(axes: Axes, report: Activity) -> None:
    colours = [PEAK_COLOUR if name == report.busiest_weekday else COLOUR for name in report.weekdays]
    bars = axes.bar(list(report.weekdays), list(report.weekdays.values()), color=colours, width=0.8)
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=9)
    _titled(axes, "Requests by weekday", "", "requests")
    _across(axes, "y")


def _users(axes: Axes, report: Activity) -> None:
    rows = [(_label(person.user), person.count) for person in report.people[:MOST_PEOPLE]]
    rest = report.total - sum(count for _, count in rows)
    rows += [(f"{len(report.people) - MOST_PEOPLE:,} more", rest)] if rest else []
    bars = axes.barh(range(len(rows)), [count for _, count in rows], color=COLOUR, height=0.8)
    axes.bar_label(bars, [f" {count:,} ({count / report.total:.0%})" for _, count in rows], fontsize=9)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], parse_math=False)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    _titled(axes, "Requests by user", "requests", "")
    _across(axes, "x")


def _bursts(axes: Axes, report: Activity) -> None:
    """How many bursts have at least so many requests: a histogram's classes would hide the few long ones."""
    sizes = sorted(report.bursts.sizes)
    left = report.bursts.count
    counts = []
    for size in sizes:
        counts.append(left)
        left -= report.bursts.sizes[size]
    if sizes:
        axes.step(sizes, counts, where="pre", color=COLOUR)
        axes.plot(sizes, counts, "o", color=COLOUR, markersize=3)
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    title = f"{report.bursts.count} bursts: how many have at least so many requests (both axes logarithmic)"
    _titled(axes, title, "requests in a burst", "bursts")
    axes.grid(which="major", alpha=0.3)


def _days(axes: Axes, report: Activity) -> None:
    first, last = min(report.by_day), max(report.by_day)
    stretch = -(-((last - first).days + 1) // MOST_DAYS)
    means = _means(report.by_day, first, last, stretch)
    axes.bar(list(means), list(means.values()), color=COLOUR, width=0.85 * stretch, align="edge")  # type: ignore[arg-type] # dates are taken
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    each = "a day" if stretch == 1 else f"a day, over {stretch} days each"
    _titled(axes, f"Requests {each} ({report.per_day:.0f} on average)", "", "requests")
    axes.tick_params(axis="x", rotation=30)
    _across(axes, "y")


def _means(by_day: Mapping[date, int], first: date, last: date, stretch: int) -> dict[date, float]:
    """Requests a day of each *stretch* days, by the first of them; days without any count."""
    sums = [0.0] * (((last - first).days) // stretch + 1)
    for day, count in by_day.items():
        sums[(day - first).days // stretch] += count / stretch
    return {first + timedelta(days=place * stretch): value for place, value in enumerate(sums)}


def _across(axes: Axes, axis: str) -> None:
    axes.grid(axis="x" if axis == "x" else "y", alpha=0.3)
    axes.set_axisbelow(True)


def _label(user: str) -> str:
    """A name that any font can show."""
    known = "".join(c if c.isprintable() and ord(c) < KNOWN else "?" for c in user)
    return known if len(known) <= LABEL else known[:LABEL] + "..."
