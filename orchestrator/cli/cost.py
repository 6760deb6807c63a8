"""``glowplug cost``: what was spent, by day, cloud and person."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table

from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.system import SystemClock
from orchestrator.api import CostReport, DayCostView, dollars
from orchestrator.cli.opening import load_settings, out, print_json
from orchestrator.control.service import cost_report
from orchestrator.settings import Settings


def cost(
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many days, today included.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what was spent."""
    report = asyncio.run(_report(load_settings(), days))
    document = as_document(report) if report else _empty(days)
    print_json(document) if as_json else _print(document)


async def _report(settings: Settings, days: int) -> CostReport | None:
    path = settings.data / "glowplug.sqlite3"
    if not path.exists():
        return None
    clock = SystemClock()
    async with open_store_readonly(path, clock) as store, store.reading() as books:
        return await cost_report(books, clock.now(), days)


def as_document(report: CostReport) -> dict[str, Any]:
    """The JSON of this command."""
    return {
        "days": report.days,
        "total_usd": dollars(report.total),
        "by_day": _rows(report.by_day, "day"),
        "by_cloud": _rows(report.by_cloud, "cloud"),
        "by_user": _rows(report.by_user, "user"),
        "images": report.images,
        "usd_per_image": dollars(report.total) / report.images if report.images else None,
    }


def _rows(rows: tuple[DayCostView, ...], name: str) -> list[dict[str, Any]]:
    return [{name: row.key, "usd": dollars(row.amount)} for row in rows]


def _empty(days: int) -> dict[str, Any]:
    keys: dict[str, Any] = {"by_day": [], "by_cloud": [], "by_user": []}
    return {"days": days, "total_usd": 0.0, **keys, "images": 0, "usd_per_image": None}


def _print(document: dict[str, Any]) -> None:
    table = Table("day", "usd")
    for row in document["by_day"]:
        table.add_row(row["day"], f"{row['usd']:.4f}")
    out.print(table)
    each = f", ${document['usd_per_image']:.4f} each" if document["images"] else ""
    out.print(f"${document['total_usd']:.4f} in {document['days']} days for {document['images']} pictures{each}")
