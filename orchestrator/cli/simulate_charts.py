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
BIGGEST, SMALLEST = 15.0, 7.0
"""Points that lie upon one another: the later ones are smaller, and the colours show through."""

LEAST_S, LEAST_USD = 0.1, 0.01
"""The axes are logarithmic: what is less is drawn here."""


def draw(figures: tuple[Figures, ...], bounds: Bounds, folder: Path, log: str) -> Path:
    """
    Save the chart as PNG; *folder* is made where it is missing.

    Raises:
        OSError: It cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cost-over-wait.png"
    charted(figures, bounds, log).savefig(path)
    return path


def charted(figures: tuple[Figures, ...], bounds: Bounds, log: str) -> Figure:
    """Cost over wait, one point a policy, the bounds as lines."""
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    _lines(axes, bounds)
    _points(axes, figures)
    _axes(axes, log)
    return figure


def _lines(axes: Axes, bounds: Bounds) -> None:
    best = f"best fixed afterwards,\n{bounds.best_fixed_rule}"
    for name, usd, style, width in (
        (best, bounds.best_fixed, "-", 3.0),
        ("informed", bounds.informed, "--", 2.0),
        ("hindsight", bounds.hindsight, ":", 2.0),
    ):
        colour = "#ced4da" if style == "-" else "#343a40"
        axes.axhline(max(usd, LEAST_USD), color=colour, linestyle=style, linewidth=width, label=f"{name}: {_usd(usd)}")


def _points(axes: Axes, figures: tuple[Figures, ...]) -> None:
    for place, each in enumerate(figures):
        wait = each.first_p95
        axes.plot(
            [max(wait or 0.0, LEAST_S)],
            [max(each.total_usd_month, LEAST_USD)],
            MARKERS[place % len(MARKERS)],
            color=COLOURS[place % len(COLOURS)],
            markeredgecolor="white",
            markersize=max(BIGGEST - 2 * place, SMALLEST),
            linestyle="none",
            zorder=3,
            label=f"{each.name}: {_usd(each.total_usd_month)}, {wait or 0:,.1f} s",
        )


def _axes(axes: Axes, log: str) -> None:
    axes.set_title(f"Cost over wait, {_plain(log)} replayed", loc="left", fontsize=12)
    axes.set_xlabel("first picture after a pause: 95 in 100 come within so many seconds")
    axes.set_ylabel("dollars a month of 30 days")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(x=0.12, y=0.12)
    for axis, form in ((axes.xaxis, "{:g} s"), (axes.yaxis, "\\${:g}")):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _, form=form: form.format(value)))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=9, frameon=False, labelspacing=0.9)


def _usd(amount: float) -> str:
    return f"\\${amount:,.2f}"


def _plain(name: str) -> str:
    """A file's name that any font can show and that begins no formula."""
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in name).replace("$", "\\$")
