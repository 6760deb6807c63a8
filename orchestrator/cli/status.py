"""``glowplug status``: what lives and what it costs, read beside a running bot."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.system import SystemClock
from orchestrator.api import BridgeView, dollars
from orchestrator.cli.health import joined, known_bridges, known_clouds
from orchestrator.cli.opening import load_settings, out, print_json
from orchestrator.control.board import CloudHealth
from orchestrator.control.health import runway
from orchestrator.control.sightings import last_listing
from orchestrator.domain.instance import ORDERED, Instance, InstanceState
from orchestrator.ports.clock import Clock
from orchestrator.ports.store import Books
from orchestrator.settings import Settings


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
        clouds = await _clouds(books, live, clock)
        return {
            "sessions": [{"id": s.id, "user": s.user, "state": str(s.state)} for s in sessions],
            "instances": [_row(instance) for instance in live],
            "queue": await books.jobs.count_unfinished(None),
            "unknown_machines": sum(cloud["unknown_machines"] for cloud in clouds),
            "checked_s_ago": max((cloud["checked_s_ago"] for cloud in clouds), default=None),
            "today_usd": dollars(await books.ledger.total(day, now)),
            "month_usd": dollars(await books.ledger.total(day.replace(day=1), now)),
            "clouds": clouds,
            "apis": [_api(view) for view in await known_bridges(books)],
        }


async def _clouds(books: Books, live: tuple[Instance, ...], clock: Clock) -> list[dict[str, Any]]:
    """Each cloud that was ever listed: how it is, how many machines nobody knew, and how old that is."""
    known, now = await known_clouds(books), clock.now()
    listings = {cloud: await last_listing(books, cloud) for cloud in known}
    return [
        {
            "name": cloud,
            "unknown_machines": listing.unknown,
            "checked_s_ago": round((now - clock.date_of(listing.asked)).total_seconds(), 1),
            **_health(known[cloud], runway(known[cloud], cloud, live, now)),
        }
        for cloud, listing in listings.items()
        if listing is not None
    ]


def _health(health: CloudHealth, lasts: timedelta | None) -> dict[str, Any]:
    return {
        "problem": health.problem,
        "key_good": health.has_good_key,
        "balance_usd": None if health.balance is None else dollars(health.balance),
        "runway_h": None if lasts is None else round(lasts.total_seconds() / 3600, 1),
        "last_error": health.last_error,
        "limited_until": None if health.limited_until is None else health.limited_until.isoformat(),
    }


def _api(view: BridgeView) -> dict[str, Any]:
    return {"name": view.name, "title": view.title, "state": str(view.state), "why": view.why}


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
        "apis": [],
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
        out.print(f"{cloud['name']}: {_words(cloud)}, seen {cloud['checked_s_ago']:.0f} s ago")
    for api in report["apis"]:
        out.print(f"{api['title']}: {joined([api['state'], api['why']])}")
    if not report["clouds"]:
        out.print("no cloud was listed yet, so nobody knows what runs there")


def _words(cloud: dict[str, Any]) -> str:
    key = {None: "", True: "key good", False: "key or account refused"}[cloud["key_good"]]
    left = "" if cloud["balance_usd"] is None else f"${cloud['balance_usd']:.2f} left"
    lasts = "" if cloud["runway_h"] is None else f"enough for {cloud['runway_h']:.1f} h"
    limited = "" if cloud["limited_until"] is None else f"may not be asked before {cloud['limited_until']}"
    error = f"last error: {cloud['last_error']}" if cloud["last_error"] and not cloud["problem"] else ""
    said = (cloud["problem"] or "answers", key, left, lasts, limited, error)
    return joined([*said, f"unknown machines {cloud['unknown_machines']}"])
