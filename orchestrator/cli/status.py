"""``glowplug status``: what lives and what it costs, read beside a running bot."""

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.system import SystemClock
from orchestrator.api import dollars
from orchestrator.cli.opening import load_settings, out, print_json
from orchestrator.control.sightings import LISTING
from orchestrator.domain.instance import ORDERED, Instance, InstanceState
from orchestrator.ports.store import Books
from orchestrator.settings import Settings

CLOUDS = ("sandbox", "vast")


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show sessions, machines, the queue and what was spent."""
    report = asyncio.run(_report(load_settings()))
    print_json(report) if as_json else _print(report)


async def _report(settings: Settings) -> dict[str, Any]:
    clock = SystemClock()
    now = clock.now()
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    path = settings.data / "glowplug.sqlite3"
    if not path.exists():
        return _empty()
    async with open_store_readonly(path, clock) as store, store.reading() as books:
        live = await books.instances.in_states(*sorted(ORDERED | {InstanceState.PLANNED}))
        sessions = await books.sessions.not_closed()
        clouds = await _clouds(books, now)
        return {
            "sessions": [{"id": s.id, "user": s.user, "state": str(s.state)} for s in sessions],
            "instances": [_row(instance) for instance in live],
            "queue": await books.jobs.count_unfinished(None),
            "unknown_machines": sum(cloud["unknown_machines"] for cloud in clouds),
            "checked_s_ago": max((cloud["checked_s_ago"] for cloud in clouds), default=None),
            "today_usd": dollars(await books.ledger.total(day, now)),
            "month_usd": dollars(await books.ledger.total(day.replace(day=1), now)),
            "clouds": clouds,
        }


async def _clouds(books: Books, now: datetime) -> list[dict[str, Any]]:
    """Each cloud that was ever listed: how many machines nobody knew, and how old that is."""
    facts = {cloud: await books.fact(LISTING + cloud) for cloud in CLOUDS}
    listings = {cloud: json.loads(fact) for cloud, fact in facts.items() if fact}
    return [
        {
            "name": cloud,
            "unknown_machines": listing["unknown"],
            "checked_s_ago": round(now.timestamp() - listing["at"], 1),
        }
        for cloud, listing in listings.items()
    ]


def _row(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.id,
        "cloud": instance.cloud,
        "state": str(instance.state),
        "usd_hour": dollars(instance.price),
        "session": instance.session,
    }


def _empty() -> dict[str, Any]:
    return {
        "sessions": [],
        "instances": [],
        "queue": 0,
        "unknown_machines": 0,
        "checked_s_ago": None,
        "today_usd": 0.0,
        "month_usd": 0.0,
        "clouds": [],
    }


def _print(report: dict[str, Any]) -> None:
    table = Table("machine", "cloud", "state", "$/h", "session")
    for row in report["instances"]:
        table.add_row(row["id"], row["cloud"], row["state"], f"{row['usd_hour']:.3f}", row["session"])
    if report["instances"]:
        out.print(table)
    out.print(
        f"{len(report['instances'])} machines, {len(report['sessions'])} sessions, {report['queue']} jobs unfinished; "
        f"${report['today_usd']:.2f} today, ${report['month_usd']:.2f} this month"
    )
    for cloud in report["clouds"]:
        out.print(
            f"{cloud['name']}: unknown machines {cloud['unknown_machines']}, seen {cloud['checked_s_ago']:.0f} s ago"
        )
    if not report["clouds"]:
        out.print("no cloud was listed yet, so nobody knows what runs there")
