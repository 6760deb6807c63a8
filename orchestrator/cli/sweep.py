"""``glowplug sweep``: every machine that carries our label, in all clouds, and its end on request."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import aiohttp
import typer
from rich.table import Table

from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.system import SystemClock
from orchestrator.app import clouds_of
from orchestrator.cli.opening import err, load_settings, out, print_json, stop
from orchestrator.cli.running_sandbox import running_sandbox
from orchestrator.domain.errors import CloudError
from orchestrator.domain.ids import CloudName, installation_of
from orchestrator.domain.money import dollars
from orchestrator.ports.cloud import CloudProvider, Rental
from orchestrator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    rental: Rental
    ours: bool


def sweep(
    any_installation: Annotated[
        bool,
        typer.Option("--any-installation", help="Machines of every glowplug on this account, not of this one alone."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="End them without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; ends nothing unless --yes is given.")] = False,
) -> None:
    """List the machines that carry our label, and end them if you say so."""
    report = asyncio.run(_sweep(load_settings(), any_installation=any_installation, yes=yes, ask=not as_json))
    if as_json:
        print_json({"machines": report})


async def _sweep(settings: Settings, *, any_installation: bool, yes: bool, ask: bool) -> list[dict[str, Any]]:
    now = SystemClock().now()
    async with aiohttp.ClientSession() as http:
        clouds = clouds_of(settings, await running_sandbox(settings), http)
        found = await _find(settings, clouds, any_installation=any_installation)
        if ask:
            _print([_row(machine, now, ended=False) for machine in found])
        if found and (yes or (ask and await asyncio.to_thread(typer.confirm, f"End these {len(found)} machines?"))):
            ended = {machine.rental.ref: await _end(clouds[machine.rental.cloud], machine.rental) for machine in found}
        else:
            ended = {}
    return [_row(machine, now, ended=ended.get(machine.rental.ref, False)) for machine in found]


async def _find(
    settings: Settings, clouds: Mapping[CloudName, CloudProvider], *, any_installation: bool
) -> list[_Found]:
    own = await _installation(settings)
    found = []
    for _, cloud in sorted(clouds.items()):
        try:
            rentals = await cloud.rentals()
        except CloudError as error:
            stop(f"{error}. Nothing was ended; this is no proof that nothing is there.")
        for rental in rentals:
            installation = installation_of(rental.label)
            if installation is not None and (any_installation or installation == own):
                found.append(_Found(rental=rental, ours=installation == own))
    return found


async def _installation(settings: Settings) -> str | None:
    path = settings.data / "glowplug.sqlite3"
    if settings.installation or not path.exists():
        return settings.installation or None
    async with open_store_readonly(path, SystemClock()) as store, store.reading() as books:
        return await books.fact("installation")


async def _end(cloud: CloudProvider, rental: Rental) -> bool:
    try:
        await cloud.terminate(rental.ref)
    except CloudError as error:
        err.print(f"machine {rental.ref}: {error}")
        return False
    return True


def _row(machine: _Found, now: datetime, *, ended: bool) -> dict[str, Any]:
    rental = machine.rental
    return {
        "cloud": rental.cloud,
        "ref": rental.ref,
        "label": rental.label,
        "age_s": round((now - rental.started_at).total_seconds(), 1) if rental.started_at else None,
        "usd_hour": dollars(rental.price),
        "ours": machine.ours,
        "ended": ended,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    if not rows:
        out.print("No machine carries our label.")
        return
    table = Table("cloud", "machine", "label", "age", "$/h", "this installation")
    for row in rows:
        age = f"{row['age_s']:.0f} s" if row["age_s"] is not None else "?"
        table.add_row(
            row["cloud"], row["ref"], row["label"], age, f"{row['usd_hour']:.3f}", "yes" if row["ours"] else "no"
        )
    out.print(table)
