"""What ``glowplug bench cold-start`` prints for people: each run's steps, and the steps over all runs."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from orchestrator.api import dollars
from orchestrator.cli.bench_report import Bench
from orchestrator.cli.opening import out
from orchestrator.cli.trial import Trial
from orchestrator.domain.timeline import StepFigures, Timeline, by_step
from orchestrator.domain.verdict import Verdict

WIDTH = 100
SENTENCES = {
    Verdict.FINE: "fine for people who wait",
    Verdict.UNEVEN: "usable for people who wait, with times that vary",
    Verdict.UNSTEADY: "not fine for people who wait: times vary too much",
    Verdict.BATCH_ONLY: "not for people who wait: too many failures; batch work may still be done",
    Verdict.UNUSABLE: "unusable: nothing worked",
}
STEP_WIDTH, NUMBER_WIDTH = 14, 8
MARK = "*"
LEGEND = (
    f"{MARK} the picture waited for it; the other steps ran beside. Starts and ends: seconds since the request.\n"
    "MB are 10^6 bytes. before: until this machine was ordered, machines that were lost included."
)
OVER_RUNS = "spread: between the faster and the slower quarter. varies: standard deviation / mean."


def show(bench: Bench) -> None:
    console = Console(width=max(out.width, WIDTH), highlight=False)
    for number, trial in enumerate(bench.trials, 1):
        _show_run(console, number, trial)
    if len(bench.trials) > 1:
        out.print(f"over all {len(bench.trials)} runs, each step where it came to its end")
        console.print(steps_table(bench.timelines()))
        out.print(f"[dim]{OVER_RUNS}[/dim]")
    out.print(f"[dim]{LEGEND}[/dim]")
    _show_verdict(bench)


def _show_run(console: Console, number: int, trial: Trial) -> None:
    machines = f"{trial.tries} machine{'' if trial.tries == 1 else 's'}"
    ended_in = trial.timeline().ended_in
    where = f" in {ended_in}" if ended_in else ""
    outcome = "picture" if trial.is_success else f"[red]{escape(str(trial.failure))}{where}[/red]"
    out.print(f"run {number:<3}{trial.total_s:>7.1f} s  {machines:<11} ${dollars(trial.view.cost):.4f}  {outcome}")
    if trial.timeline().spans:
        console.print(run_table(trial.timeline()))


def run_table(run: Timeline) -> Table:
    """Its steps in the order in which they began."""
    numbers = (_number(name) for name in ("start", "end", "seconds", "MB", "MB/s"))
    table = Table(Column("step", min_width=STEP_WIDTH), *numbers, Column(""), box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    waited_for = run.waited_for()
    for span in run.with_before():
        mark = "[red]ended here[/red]" if span.step == run.ended_in else MARK if span.step in waited_for else ""
        times = (f"{seconds:,.1f}" for seconds in (span.started_s, span.ended_s, span.seconds))
        table.add_row(span.step, *times, _mb(span.moved), _speed(span.mb_s), mark)
    return table


def steps_table(runs: tuple[Timeline, ...]) -> Table:
    """The steps over all runs."""
    names = ("runs", "start", "median s", "spread s", "varies", "MB", "MB/s")
    table = Table(
        Column("step", min_width=STEP_WIDTH),
        *(_number(name) for name in names),
        Column("waited for"),
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    made = sum(run.made for run in runs)
    for each in by_step(runs):
        table.add_row(each.step, *_cells(each), f"{MARK} {each.waited_for} of {made}" if each.waited_for else "")
    return table


def _cells(each: StepFigures) -> tuple[str, ...]:
    return (
        f"{each.runs}",
        f"{each.started_s:,.1f}",
        f"{each.median_s:,.1f}",
        "" if each.spread_s is None else f"{each.spread_s:,.1f}",
        "" if each.variation is None else f"{each.variation:.0%}",
        _mb(each.moved),
        _speed(each.mb_s),
    )


def _number(name: str) -> Column:
    return Column(name, justify="right", no_wrap=True, min_width=NUMBER_WIDTH)


def _mb(moved: int) -> str:
    return f"{moved / 1e6:,.1f}" if moved else ""


def _speed(mb_s: float | None) -> str:
    return "" if mb_s is None else f"{mb_s:,.1f}"


def _show_verdict(bench: Bench) -> None:
    judged, limits = bench.judgement(), bench.criteria
    made = sum(trial.is_success for trial in bench.trials)
    varies = "" if judged.variation is None else f", times vary by {judged.variation:.0%}"
    out.print(f"{made} of {len(bench.trials)} made their picture{varies}: {SENTENCES[judged.verdict]}")
    out.print(f"${bench.report()['usd_per_run']:.4f} a run")
    out.print(
        f"[dim](at most {limits.failure_rate:.0%} may fail; variation is fine under {limits.fine_variation:.0%}, "
        f"and too much over {limits.bad_variation:.0%})[/dim]"
    )
