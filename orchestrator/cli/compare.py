"""``glowplug compare``: clouds and managed APIs side by side, beside today's bill."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from orchestrator.adapters.activity_log import Remarks, read_log
from orchestrator.cli.comparing import Figure, Row, rows_of
from orchestrator.cli.logs_read import tell
from orchestrator.cli.opening import load_settings, out, print_json, stop
from orchestrator.domain.errors import LogProblem, SettingsProblem
from orchestrator.domain.traffic import FIRST_USER, HIS_COLD_START, IDLE, Traffic, traffic_of

WIDTH = 120


def compare(
    *,
    today_usd: Annotated[float, typer.Option(min=0, help="What is paid a month today.")] = 100.0,
    log: Annotated[
        Path | None, typer.Option(help="Your own traffic: a CSV file with requested_at and user_id.", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put what is configured side by side; without any account what the sandbox has."""
    settings = load_settings()
    traffic = FIRST_USER if log is None else _read(log)
    try:
        rows = asyncio.run(rows_of(settings, traffic))
    except SettingsProblem as error:
        stop(str(error))
    assumption = _assumption(traffic, is_his=log is None)
    if as_json:
        print_json({"targets": [_document(row) for row in rows], "today_usd": today_usd, "assumption": assumption})
        return
    Console(width=max(out.width, WIDTH), highlight=False).print(_table(rows, today_usd))
    out.print(f"[dim]~ is declared or guessed, not measured; ? is not known. {assumption}[/dim]")
    for row in rows:
        if row.problem:
            out.print(f"[red]{row.name}: {row.problem}[/red]")


def _read(path: Path) -> Traffic:
    """The requests of a log; the command ends where it is none."""
    remarks = Remarks()
    try:
        traffic = traffic_of((request.at, request.user) for request in read_log(path, remarks))
    except LogProblem as problem:
        stop(str(problem))
    tell(remarks)
    return traffic or stop(f"{path} has no request in it.")


def _assumption(traffic: Traffic, *, is_his: bool) -> str:
    whose = "the first user's traffic" if is_his else "this log's traffic"
    return (
        f"A month of {whose}: {traffic.pictures_month:.0f} pictures in {traffic.stretches_month:.0f} stretches of one "
        f"person each; a machine is given back after {IDLE.total_seconds() / 60:.0f} idle minutes, and takes "
        f"{HIS_COLD_START.total_seconds() / 60:.0f} minutes to get warm where nobody has measured that."
    )


def _document(row: Row) -> dict[str, Any]:
    figures = row.figures()
    return {
        "name": row.name,
        "kind": row.kind,
        **{name: _rounded(figure.value) for name, figure in figures.items()},
        "can": list(row.can),
        "from": {name: str(figure.origin) for name, figure in figures.items()},
        "problem": row.problem,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _table(rows: tuple[Row, ...], today_usd: float) -> Table:
    names = ("cold start", "$/picture", "$/month", "works")
    numbers = [Column(name, justify="right", no_wrap=True) for name in names]
    table = Table("", "kind", *numbers, "can")
    for row in rows:
        seconds = row.cold_start_s.shown("{:.0f} s")
        each, month = row.usd_per_image.shown("{:.4f}"), row.usd_month.shown("{:.2f}")
        table.add_row(row.name, row.kind, seconds, each, month, row.success_rate.shown("{:.0%}"), ", ".join(row.can))
    table.add_section()
    table.add_row("today's bill", "", "", "", Figure.told(today_usd).shown("{:.2f}"), "", "")
    return table
