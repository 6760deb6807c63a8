"""The chart of ``glowplug bench cold-start``. It loads matplotlib; it is imported when a chart is asked for."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from orchestrator.domain.timeline import Span, Timeline, by_step, usual

SIZE_INCHES = 12.0, 7.0
PAD_INCHES = 0.12
DOTS_PER_INCH = 100
WAITED_FOR, BESIDE, LOST, THIN, BAND = "#0072b2", "#a9d4ee", "#d55e00", "#8a8f94", "#f4f6f8"
"""Two of Okabe and Ito's colours, told apart by who sees no red or green, and as grey: dark is what was waited for."""

THICK_Y, THICK = -0.12, 0.5
THIN_TOP, THIN_BAND = 0.18, 0.24
"""Within a row of 1: the usual run, and below it all others. A run alone stands in the middle."""

THINNEST_GAP = 0.06
FONT = 11
EM = 0.55
"""A character's width by its size, rather more than less: where a text fits is known before it is drawn."""

AXES_INCHES = 10.0
RIGHT = 1.14
"""Times the longest run: room for the last bar's text."""


def draw(runs: Sequence[Timeline], path: Path, where: str) -> None:
    """
    Save the chart as *path*, PNG or SVG by its ending.

    Raises:
        OSError: It cannot be written.
    """
    figure = charted(runs, where)
    told = {"Title": title_of(runs, where), "Description": told_of(runs)}
    if path.suffix.lower() == ".svg":
        # texts stay texts, and the same runs make the same file
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "glowplug"}):
            figure.savefig(path, metadata=told | {"Date": None})
    else:
        figure.savefig(path, metadata=told)


def title_of(runs: Sequence[Timeline], where: str) -> str:
    made = sum(run.made for run in runs)
    which = "" if len(runs) == 1 else "; thick: the median run" if made else "; thick: the longest run"
    return f"Cold start on {where}: {len(runs)} run{'' if len(runs) == 1 else 's'}, {made} made a picture{which}"


def told_of(runs: Sequence[Timeline]) -> str:
    """The usual run in words, for who does not see the picture."""
    run = usual(runs)
    spans = () if run is None else run.with_before()
    return "; ".join(f"{span.step} from {span.started_s:.1f} s to {span.ended_s:.1f} s" for span in spans)


def charted(runs: Sequence[Timeline], where: str) -> Figure:
    """One row a step; needs a run with a step."""
    shown = usual(runs)
    if shown is None:
        raise ValueError("no run came to its first step")
    rows = {step: row for row, step in enumerate(_steps(runs))}
    figure = Figure(
        figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout=ConstrainedLayoutEngine(w_pad=PAD_INCHES, h_pad=PAD_INCHES)
    )
    axes = figure.subplots()
    longest = max(span.ended_s for run in runs for span in run.with_before()) * RIGHT
    axes.set_xlim(0.0, longest)
    _others(axes, [run for run in runs if run is not shown], rows)
    _usual(axes, shown, {step: row + (THICK_Y if len(runs) > 1 else 0.0) for step, row in rows.items()}, longest)
    _axes(axes, rows, title_of(runs, where), shown)
    figure.legend(handles=_legend(runs), loc="outside lower left", ncols=5, frameon=False, fontsize=FONT)
    return figure


def _steps(runs: Sequence[Timeline]) -> list[str]:
    """In the order in which they usually begin; those that no run came to the end of stand last."""
    steps = [each.step for each in by_step(runs)]
    started = sorted((span.started_s, span.step) for run in runs for span in run.with_before())
    return list(dict.fromkeys([*steps, *(step for _, step in started)]))


def _others(axes: Axes, runs: Sequence[Timeline], rows: dict[str, int]) -> None:
    gap = min(THIN_BAND / max(len(runs), 1), THINNEST_GAP)
    for place, run in enumerate(runs):
        for span in run.with_before():
            y = rows[span.step] + THIN_TOP + (place + 0.5) * gap
            is_lost = span.step == run.ended_in
            colour = LOST if is_lost else THIN
            axes.barh(y, span.seconds, left=span.started_s, height=0.7 * gap, color=colour)
            if is_lost:
                axes.plot([span.ended_s], [y], "X", color=LOST, markersize=7, markeredgecolor="white")


def _usual(axes: Axes, run: Timeline, rows: dict[str, float], longest: float) -> None:
    waited_for = run.waited_for()
    for span in run.with_before():
        y = rows[span.step]
        is_dark = span.step in waited_for or span.step == run.ended_in
        colour = LOST if span.step == run.ended_in else WAITED_FOR if is_dark else BESIDE
        axes.barh(y, span.seconds, left=span.started_s, height=THICK, color=colour, edgecolor=WAITED_FOR, linewidth=0.8)
        _write(axes, span, y, longest, is_dark=is_dark)


def _write(axes: Axes, span: Span, y: float, longest: float, *, is_dark: bool) -> None:
    """Within the bar where it fits, else beside it: to its right, or to its left where the picture ends."""
    text = words_of(span)
    width = (len(text) + 2) * EM * FONT / 72 / AXES_INCHES * longest
    if width <= span.seconds:
        colour = "white" if is_dark else "black"
        axes.text(span.started_s + span.seconds / 2, y, text, ha="center", va="center", color=colour, fontsize=FONT)
        return
    is_right = span.ended_s + width <= longest
    axes.annotate(
        text,
        (span.ended_s if is_right else span.started_s, y),
        xytext=(6 if is_right else -6, 0),
        textcoords="offset points",
        ha="left" if is_right else "right",
        va="center",
        fontsize=FONT,
        bbox={"facecolor": _ground(round(y)), "edgecolor": "none", "pad": 1.0},  # the picture's line may cross it
    )


def _ground(row: int) -> str:
    """Every other row is grey, so that the thin bars are seen to belong to theirs."""
    return "white" if row % 2 else BAND


def words_of(span: Span) -> str:
    """Seconds, and what was moved how fast."""
    seconds = f"{span.seconds:,.1f} s"
    if span.mb_s is None:
        return seconds
    return f"{seconds}: {_size(span.moved)} at {span.mb_s:,.1f} MB/s"


def _size(moved: int) -> str:
    return f"{moved / 1e9:,.1f} GB" if moved >= 1e9 else f"{moved / 1e6:,.1f} MB"


def _axes(axes: Axes, rows: dict[str, int], title: str, shown: Timeline) -> None:
    axes.set_title(title.replace("$", "\\$"), loc="left", fontsize=14, pad=12)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for row in range(len(rows)):
        axes.axhspan(row - 0.5, row + 0.5, color=_ground(row), zorder=0)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=FONT + 1)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("seconds since the request", fontsize=FONT)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    if shown.made:
        axes.axvline(shown.total_s, color="black", linestyle=":", linewidth=1.2)


def _legend(runs: Sequence[Timeline]) -> list[Patch | Line2D]:
    """Of what is in the picture alone."""
    handles: list[Patch | Line2D] = []
    shown = usual(runs)
    if shown is not None and shown.made:
        handles = [
            Patch(facecolor=WAITED_FOR, label="the picture waited for it"),
            Patch(facecolor=BESIDE, edgecolor=WAITED_FOR, label="ran beside"),
            Line2D([], [], color="black", linestyle=":", label=f"picture: {shown.total_s:,.1f} s"),
        ]
    if len(runs) > 1:
        handles.append(Line2D([], [], color=THIN, linewidth=2, label="the other runs"))
    if not all(run.made for run in runs):
        handles.append(Line2D([], [], color=LOST, marker="X", linewidth=2, label="a run ended here"))
    return handles
