"""``glowplug activity``: who asks for pictures and when, and what machines for that would cost a month."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.adapters.activity_log import Remarks, read_log
from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.system import SystemClock
from orchestrator.cli.activity_tables import show
from orchestrator.cli.logs_read import tell
from orchestrator.cli.opening import err, load_settings, print_json, stop
from orchestrator.domain.activity import Activity, Request, Tally
from orchestrator.domain.errors import LogProblem, StoreError
from orchestrator.domain.scenarios import Assumptions, Replay, Scenario
from orchestrator.domain.traffic import HIS_PICTURE, HIS_RUN
from orchestrator.ports.store import Asked
from orchestrator.settings import Settings

PAGE = 1000
"""Rows of the database at a time."""


class _Count:
    """Both passes over the requests, in one."""

    def __init__(self, terms: Assumptions) -> None:
        self.tally = Tally()
        self.replay = Replay(terms)

    def add(self, requests: Iterable[Request]) -> None:
        for request in requests:
            self.tally.add(request)
            self.replay.add(request)


def activity(
    log: Annotated[
        Path | None, typer.Argument(help="A CSV file with requested_at, user_id and platform.", dir_okay=False)
    ] = None,
    *,
    database: Annotated[bool, typer.Option("--database", help="Read the bot's own database instead.")] = False,
    charts: Annotated[
        Path | None, typer.Option(help="Draw charts into this folder.", file_okay=False, metavar="DIR")
    ] = None,
    gpu_usd_hour: Annotated[float, typer.Option(min=0, help="What a machine costs an hour.")] = 0.30,
    bridge_usd: Annotated[
        float | None, typer.Option(min=0, help="What a picture costs at a managed API, while no machine is on.")
    ] = None,
    cold_start_s: Annotated[
        float, typer.Option(min=0, help="Seconds from the order of a machine until it takes a request.")
    ] = HIS_RUN.total_seconds(),
    generate_s: Annotated[float, typer.Option(min=0, help="Seconds for one picture.")] = HIS_PICTURE.total_seconds(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show who asks for pictures and when, and what machines for that would cost."""
    if (log is None) is not database:
        stop("Name one thing to read: a log (glowplug activity LOG.csv), or --database for the bot's own.", status=2)
    terms = Assumptions(
        usd_hour=gpu_usd_hour,
        bridge_usd=bridge_usd,
        cold_start=timedelta(seconds=cold_start_s),
        generate=timedelta(seconds=generate_s),
    )
    remarks = Remarks()
    count = _read(log, terms, remarks) if log else _own(load_settings(), terms)
    report, scenarios = count.tally.report(), count.replay.scenarios()
    tell(remarks)
    if charts:
        _draw(report, charts)
    print_json(document(report, scenarios, terms, remarks)) if as_json else show(report, scenarios, terms)


def _read(log: Path, terms: Assumptions, remarks: Remarks) -> _Count:
    count = _Count(terms)
    try:
        count.add(read_log(log, remarks))
    except LogProblem as problem:
        stop(str(problem))
    return count


def _own(settings: Settings, terms: Assumptions) -> _Count:
    try:
        return asyncio.run(_asked(settings.data / "glowplug.sqlite3", terms))
    except StoreError as problem:
        stop(str(problem))


async def _asked(path: Path, terms: Assumptions) -> _Count:
    """
    Count every job in the database: as it is at one moment, a page at a time.

    Raises:
        StoreError: There is none, or it has another schema than this code.
    """
    count = _Count(terms)
    after: Asked | None = None
    async with open_store_readonly(path, SystemClock()) as store, store.reading() as books:
        while page := await books.jobs.asked(after=after, limit=PAGE):
            count.add(Request(at=asked.at, user=asked.user, platform=asked.surface) for asked in page)
            after = page[-1]
    return count


def _draw(report: Activity, folder: Path) -> None:
    from orchestrator.cli.activity_charts import draw  # noqa: PLC0415 - slow to load, and seldom asked for

    if not report.total:
        stop("There is no request to draw a chart of.")
    try:
        paths = draw(report, folder)
    except OSError as problem:
        stop(f"{folder} cannot be written to: {problem.strerror}.")
    for path in paths:
        err.print(str(path), markup=False)


def document(
    report: Activity, scenarios: tuple[Scenario, ...], terms: Assumptions, remarks: Remarks | None = None
) -> dict[str, Any]:
    """The JSON of this command; hours are UTC, shares 0 to 1."""
    median = report.median_gap
    bursts = report.bursts
    return {
        "total": report.total,
        "per_day": round(report.per_day, 4),
        "busiest_weekday": report.busiest_weekday,
        "weekdays": dict(report.weekdays),
        "hours_utc": list(report.hours),
        "peak_hours_utc": _pair(report.peak),
        "dead_zone_utc": _pair(report.dead),
        "users": [{"user": p.user, "count": p.count, "share": round(p.share, 6)} for p in report.people],
        "bursts": {"count": bursts.count, "mean": round(bursts.mean, 4), "max": bursts.largest},
        "median_interval_min": None if median is None else round(median / timedelta(minutes=1), 4),
        "from": None if report.first is None else report.first.isoformat(),
        "to": None if report.last is None else report.last.isoformat(),
        "days": report.days,
        "platforms": dict(report.platforms),
        "other_users_total": report.others,
        "burst_sizes": {str(size): number for size, number in bursts.sizes.items()},
        "by_day": {day.isoformat(): number for day, number in report.by_day.items()},
        "skipped": remarks.skipped if remarks else 0,
        "out_of_order": report.late,
        "gpu_usd_hour": terms.usd_hour,
        "scenarios": [_scenario(scenario) for scenario in scenarios],
    }


def _pair(hours: tuple[int, int] | None) -> list[int] | None:
    return None if hours is None else list(hours)


def _scenario(scenario: Scenario) -> dict[str, Any]:
    estimate, failing = scenario.estimate, scenario.failing_first
    return {
        "name": scenario.name,
        "estimate_usd_month": {
            "low": round(estimate.low, 2),
            "high": round(estimate.high, 2),
            "running": round(estimate.running, 2),
            "cold_starts": round(estimate.cold_starts, 2),
        },
        "usd_month": round(scenario.usd_month, 2),
        "served": round(scenario.served, 6),
        "bridge_usd_month": None if scenario.bridge_usd_month is None else round(scenario.bridge_usd_month, 2),
        "wait_p50_s": scenario.waits.p50,
        "wait_p95_s": scenario.waits.p95,
        "first_image_p50_s": scenario.first.p50,
        "first_image_p95_s": scenario.first.p95,
        "cold_starts_month": None if scenario.cold_starts_month is None else round(scenario.cold_starts_month, 2),
        "failing_usd_month": None if scenario.failing_usd_month is None else round(scenario.failing_usd_month, 2),
        "failing_first_image_p50_s": None if failing is None else failing.p50,
    }
