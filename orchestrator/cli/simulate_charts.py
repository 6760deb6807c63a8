"""The chart of ``glowplug simulate``. This module loads matplotlib; it is imported when a chart is asked for."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from orchestrator.sim.replay_report import Bounds, Figures

SIZE_INCHES = 10.0, 6.0
DOTS_PER_INCH = 110
COLOURS = "#e8590c", "#1c7ed6", "#2f9e44", "#9c36b5", "#f08c00", "#0c8599", "#868e96"
MARKERS = "osD^vPX"
BIGGEST, SMALLEST = 16.0, 8.0
"""Points that lie upon one another: the later ones are smaller, and the colours show through."""

LEAST_S = 0.1
"""The axis of waits is logarithmic: what is less is drawn here."""

TALLEST = 2.0
"""Times the best fixed rule: what costs more is drawn at the upper edge, else it would squeeze all the others."""


def draw(figures: tuple[Figures, ...], bounds: Bounds, folder: Path, title: str) -> Path:
    """
    Save the chart as PNG; *folder* is made where it is missing.

    Raises:
        OSError: It cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cost-over-wait.png"
    charted(figures, bounds, title).savefig(path)
    return path


def charted(figures: tuple[Figures, ...], bounds: Bounds, title: str) -> Figure:
    """Cost over wait, one point a policy, the bounds as lines."""
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    top = TALLEST * bounds.best_fixed or 1.0
    _lines(axes, bounds)
    _points(axes, figures, top)
    _axes(axes, title, top)
    return figure


def _lines(axes: Axes, bounds: Bounds) -> None:
    best = f"best fixed afterwards,\n{bounds.best_fixed_rule}"
    for name, usd, style, width in (
        (best, bounds.best_fixed, "-", 3.0),
        ("informed", bounds.informed, "--", 2.0),
        ("hindsight", bounds.hindsight, ":", 2.0),
    ):
        colour = "#ced4da" if style == "-" else "#343a40"
        axes.axhline(usd, color=colour, linestyle=style, linewidth=width, label=f"{name}: {_usd(usd)}")


def _points(axes: Axes, figures: tuple[Figures, ...], top: float) -> None:
    for place, each in enumerate(figures):
        wait, usd = each.first_p95, each.total_usd_month
        above = " (higher up)" if usd > top else ""
        axes.plot(
            [max(wait or 0.0, LEAST_S)],
            [min(usd, top)],
            MARKERS[place % len(MARKERS)],
            color=COLOURS[place % len(COLOURS)],
            markeredgecolor="white",
            markersize=max(BIGGEST - 2 * place, SMALLEST),
            linestyle="none",
            zorder=3,
            label=f"{each.name}: {_usd(usd)}, {wait or 0:,.1f} s{above}",
            clip_on=False,
        )


def _axes(axes: Axes, title: str, top: float) -> None:
    axes.set_title(_plain(title), loc="left", fontsize=12, pad=16)
    axes.set_xlabel("first picture after a pause: 95 in 100 come within so many seconds")
    axes.set_ylabel("dollars a month of 30 days")
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_ylim(0.0, top)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g} s"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"\\${usd:g}"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=9, frameon=False, labelspacing=0.9)


def _usd(amount: float) -> str:
    return f"\\${amount:,.2f}"


def _plain(name: str) -> str:
    """What any font can show and what begins no formula."""
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in name).replace("$", "\\$")
