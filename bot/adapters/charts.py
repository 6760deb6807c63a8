"""Charts as pictures, for chats that cannot draw. matplotlib is loaded when the first one is asked for, in a thread."""

import asyncio
import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from bot.chat.documents import name_of
from orchestrator.api import CostReport, CostRow, ShadowLedger, dollars

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_SERIES = 6
"""More cannot be told apart; the smallest are added up."""

MOST_BARS = 62
"""More days than that are shown in weeks, and more weeks in stretches of four."""

SIZE_INCHES = 9.0, 6.0
SHADOW_INCHES = 9.0, 3.5
DOTS_PER_INCH = 120
COLOURS = "#e8590c", "#1c7ed6", "#2f9e44", "#9c36b5", "#f08c00", "#0c8599", "#868e96"
OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """
    Stacked bars over time.

    Attributes:
        starts: The first day of each bar.
        series: Dollars of each bar by name, the largest series first.
    """

    starts: tuple[date, ...]
    series: dict[str, list[float]]


async def cost_chart(report: CostReport) -> bytes:
    """Dollars a day by cloud and by user, one above the other, as PNG."""
    return await asyncio.to_thread(_drawn, report)


async def shadow_chart(shadow: ShadowLedger) -> bytes:
    """What each policy would have cost on the same requests, one below the other, as PNG."""
    return await asyncio.to_thread(_shadow_drawn, shadow)


def bars_of(report: CostReport, name: Callable[[CostRow], str]) -> Bars:
    """Add the rows of a report up by *name*, a bar for each stretch of its days, empty ones included."""
    stretch = next((days for days in (1, 7) if report.days <= MOST_BARS * days), 28)
    last = date.fromisoformat(report.until)
    first = last - timedelta(days=report.days - 1)
    count = -(-report.days // stretch)
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * count)
    for row in report.rows:
        place = (date.fromisoformat(row.day) - first).days // stretch
        if 0 <= place < count:
            sums[name(row)][place] += dollars(row.amount)
    starts = tuple(first + timedelta(days=stretch * place) for place in range(count))
    return Bars(starts=starts, series=_largest(sums))


def _largest(sums: dict[str, list[float]]) -> dict[str, list[float]]:
    names = sorted(sums, key=lambda name: (-sum(sums[name]), name))
    kept = {name: sums[name] for name in names[:MOST_SERIES]}
    rest = [sums[name] for name in names[MOST_SERIES:]]
    return kept | ({OTHERS: [sum(each) for each in zip(*rest, strict=True)]} if rest else {})


def _drawn(report: CostReport) -> bytes:
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and most starts never draw

    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    _stack(upper, bars_of(report, lambda row: row.cloud), "by cloud")
    _stack(lower, bars_of(report, lambda row: name_of(row.user)), "by user")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _shadow_drawn(shadow: ShadowLedger) -> bytes:
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    rows = [*((row.name, dollars(row.cost)) for row in shadow.rows), ("really booked", dollars(shadow.booked))]
    figure = Figure(figsize=SHADOW_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    names = [_plain(name) for name, _ in rows]
    drawn = axes.barh(names, [usd for _, usd in rows], color=[COLOURS[0], *[COLOURS[1]] * (len(rows) - 2), COLOURS[2]])
    axes.bar_label(drawn, [rf"\${usd:.2f}" for _, usd in rows], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(f"Dollars on {shadow.requests} requests since {shadow.since:%d %b}", loc="left", fontsize=11)
    axes.xaxis.set_major_formatter(lambda amount, _: f"${amount:g}")
    axes.spines[["top", "right"]].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _stack(axes: "Axes", bars: Bars, title: str) -> None:
    places = range(len(bars.starts))
    below = [0.0] * len(bars.starts)
    for (name, amounts), colour in zip(bars.series.items(), COLOURS, strict=False):
        axes.bar(places, amounts, bottom=below, label=_plain(name), color=colour, width=0.85)
        below = [low + amount for low, amount in zip(below, amounts, strict=True)]
    axes.set_title(f"Dollars {_each(bars.starts)} {title}", loc="left", fontsize=11)
    axes.set_xlim(-0.6, len(bars.starts) - 0.4)
    ticks = places[:: max(1, len(bars.starts) // 8)]
    axes.set_xticks(ticks, [f"{bars.starts[place]:%d %b}" for place in ticks])
    axes.yaxis.set_major_formatter(lambda amount, _: f"${amount:g}")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9, frameon=False)


def _each(starts: Sequence[date]) -> str:
    stretch = (starts[1] - starts[0]).days if len(starts) > 1 else 1
    return {1: "a day", 7: "a week"}.get(stretch, "in four weeks")


def _plain(name: str) -> str:
    """A label as it is: an underscore in front hides one, a dollar sign begins a formula, and no font has it all."""
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415 - as above

    font = get_font(findfont("DejaVu Sans"))
    known = "".join(c if font.get_char_index(ord(c)) else "?" for c in name)
    return known.lstrip("_").replace("$", r"\$") or "nobody"
