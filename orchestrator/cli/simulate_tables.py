"""What ``glowplug simulate`` prints: a table for people, JSON for programs."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from orchestrator.cli.opening import out
from orchestrator.sim.replay_report import Bounds, Figures, ratio

WIDTH = 120
COLUMNS = (
    "machines\n$",
    "bridge\n$",
    "total\n$",
    "x best\nfixed",
    "x in-\nformed",
    "cold\nstarts",
    "first\np50 s",
    "first\np95 s",
    "wait\np50 s",
    "wait\np99 s",
    "lost\njobs",
    "or-\nphans",
)
LEGEND = (
    "first: a person's first request after ten minutes without one. informed: machines start at requests alone, by "
    "someone who knows how each person goes on; hindsight: before them, too. Both let the bridge serve who finds no "
    "machine: a policy that lets people wait may cost less."
)


def show(figures: tuple[Figures, ...], bounds: Bounds, *, log: str, requests: int, days: int) -> None:
    out.print(f"{log}: {requests:,} requests in {days} days; dollars and cold starts a month of 30 days", markup=False)
    Console(width=max(out.width, WIDTH), highlight=False).print(_table(figures, bounds))
    out.print(f"[dim]{LEGEND}[/dim]")


def _table(figures: tuple[Figures, ...], bounds: Bounds) -> Table:
    table = Table(
        "", *(Column(name, justify="right", no_wrap=True) for name in COLUMNS), box=SIMPLE_HEAD, padding=(0, 0, 0, 1)
    )
    for each in figures:
        total = each.total_usd_month
        dollars = (each.gpu_usd_month, each.bridge_usd_month, total)
        ratios = (ratio(total, bounds.best_fixed), ratio(total, bounds.informed))
        seconds = (each.first_p50, each.first_p95, each.wait_p50, each.wait_p99)
        table.add_row(
            each.name,
            *(f"{amount:,.2f}" for amount in dollars),
            *("" if value is None else f"{value:.2f}" for value in ratios),
            f"{each.cold_starts_month:,.0f}",
            *("" if value is None else f"{value:,.1f}" for value in seconds),
            f"{each.lost_jobs:,}",
            f"{each.orphans:,}",
        )
    table.add_section()
    best = "best fixed" if bounds.best_fixed_rule == "bridge-only" else "best"
    for name, usd in (
        (f"{best}: {bounds.best_fixed_rule}", bounds.best_fixed),
        ("informed", bounds.informed),
        ("hindsight", bounds.hindsight),
    ):
        table.add_row(name, "", "", f"{usd:,.2f}")
    return table


def document(figures: tuple[Figures, ...], bounds: Bounds, *, days: int) -> dict[str, Any]:
    """The JSON of this command; a month has 30 days."""
    return {
        "days": days,
        "policies": [_policy(each, bounds) for each in figures],
        "hindsight_usd_month": round(bounds.hindsight, 4),
        "informed_usd_month": round(bounds.informed, 4),
        "best_fixed_usd_month": round(bounds.best_fixed, 4),
        "best_fixed_rule": bounds.best_fixed_rule,
    }


def _policy(figures: Figures, bounds: Bounds) -> dict[str, Any]:
    total = figures.total_usd_month
    return {
        "name": figures.name,
        "gpu_usd_month": round(figures.gpu_usd_month, 4),
        "bridge_usd_month": round(figures.bridge_usd_month, 4),
        "total_usd_month": round(total, 4),
        "cold_starts_month": round(figures.cold_starts_month, 4),
        "first_image_p50_s": _rounded(figures.first_p50),
        "first_image_p95_s": _rounded(figures.first_p95),
        "wait_p50_s": _rounded(figures.wait_p50),
        "wait_p99_s": _rounded(figures.wait_p99),
        "lost_jobs": figures.lost_jobs,
        "orphans": figures.orphans,
        "ratio_to_best_fixed": _rounded(ratio(total, bounds.best_fixed)),
        "ratio_to_informed": _rounded(ratio(total, bounds.informed)),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
