"""``glowplug sweep``: every machine that carries our label, in all clouds, and its end on request."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.table import Column, Table

from orchestrator.adapters.database.data_folder import data_lock
from orchestrator.adapters.database.store import open_store, open_store_readonly
from orchestrator.adapters.system import RandomIds, SystemClock
from orchestrator.app import clouds_of
from orchestrator.cli.opening import err, load_settings, out, print_json, stop
from orchestrator.cli.running_sandbox import running_sandbox
from orchestrator.control.identity import FORMER, INSTALLATION
from orchestrator.control.sweeping import end_by_hand, living_row
from orchestrator.domain.errors import CloudError, StoreError
from orchestrator.domain.ids import CloudName, InstallationId, epoch_of, installation_of
from orchestrator.domain.money import dollars
from orchestrator.ports.cloud import CloudProvider, Rental
from orchestrator.ports.store import Store
from orchestrator.settings import Settings

COLUMNS = ("cloud", "machine", "GPU", "$/h", "for", "installation and start", "to do")
WIDTH = 140
"""A name that is cut off is the wrong one; lines that are too long only look bad."""


class Fate(StrEnum):
    """What is to happen to a machine once we are told to go on."""

    END = "end"
    BOTS = "leave it to the bot"  # whether it works or is being ended, the bot knows better


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    rental: Rental
    ours: bool
    fate: Fate = Fate.END
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """
    What a sweep stands on.

    Attributes:
        own: The names of this installation, those of folders that ours was copied from included.
        store: The books, to be read while a bot runs and written otherwise; None where there are none.
        has_bot: A bot runs on this data folder.
    """

    clouds: Mapping[CloudName, CloudProvider]
    own: frozenset[InstallationId]
    store: Store | None
    has_bot: bool


def sweep(
    any_installation: Annotated[
        bool,
        typer.Option("--any-installation", help="Machines of every glowplug on this account, not of this one alone."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="End them without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; ends nothing unless --yes is given.")] = False,
) -> None:
    """List the machines that carry our label, and end them if you say so."""
    try:
        found, is_complete = asyncio.run(
            _sweep(load_settings(), any_installation=any_installation, yes=yes, ask=not as_json)
        )
    except StoreError as error:
        stop(str(error))
    if as_json:
        now = SystemClock().now()
        print_json({"machines": [_row(machine, now) for machine in found]})
    if not is_complete:
        raise typer.Exit(1)


async def _sweep(settings: Settings, *, any_installation: bool, yes: bool, ask: bool) -> tuple[list[_Found], bool]:
    """What was found, and whether every cloud has answered."""
    async with AsyncExitStack() as stack:
        ground = await _ground(settings, stack)
        found, is_complete = await _find(ground, any_installation=any_installation)
        to_end = [machine for machine in found if machine.fate is Fate.END]
        if ask:
            _print(found, SystemClock().now())
        if not to_end or not (yes or (ask and await asyncio.to_thread(typer.confirm, _question(to_end)))):
            return found, is_complete
        ended = {machine.rental.ref for machine in to_end if await _end(ground, machine)}
        if ask:
            out.print(f"{len(ended)} of {len(to_end)} ended; run this again in a minute to see that they are gone")
    return [replace(machine, ended=machine.rental.ref in ended) for machine in found], is_complete


async def _ground(settings: Settings, stack: AsyncExitStack) -> _Ground:
    """Open the books, for writing where no bot runs on them; none are made where there are none."""
    path, clock = settings.data / "glowplug.sqlite3", SystemClock()
    store: Store | None = None
    has_bot = False
    if path.exists():
        try:
            stack.enter_context(data_lock(settings.data))
        except StoreError:
            has_bot = True
        opened = open_store_readonly(path, clock) if has_bot else open_store(path, clock)
        store = await stack.enter_async_context(opened)
    http = await stack.enter_async_context(aiohttp.ClientSession())
    clouds = await clouds_of(settings, await running_sandbox(settings), http)
    return _Ground(clouds=clouds, own=await _names(settings, store), store=store, has_bot=has_bot)


async def _names(settings: Settings, store: Store | None) -> frozenset[InstallationId]:
    names = {settings.installation}
    if store is not None:
        async with store.reading() as books:
            names |= {await books.fact(INSTALLATION) or "", *(await books.fact(FORMER) or "").split()}
    return frozenset(InstallationId(name) for name in names if name)


async def _find(ground: _Ground, *, any_installation: bool) -> tuple[list[_Found], bool]:
    """In all clouds that answer, and whether those are all; when none does the command ends here."""
    found, silent = [], 0
    for _, cloud in sorted(ground.clouds.items()):
        try:
            rentals = await cloud.rentals()
        except CloudError as error:
            silent += 1
            if silent == len(ground.clouds):
                stop(f"{error}. Nothing was ended; this is no proof that nothing is there.")
            err.print(f"{error}. This is no proof that nothing is there.")
            continue
        for rental in rentals:
            installation = installation_of(rental.label)
            if installation is not None and (any_installation or installation in ground.own):
                fate = await _fate(ground, rental)
                found.append(_Found(rental=rental, ours=installation in ground.own, fate=fate))
    return found, not silent


async def _fate(ground: _Ground, rental: Rental) -> Fate:
    if not ground.has_bot or ground.store is None:
        return Fate.END
    async with ground.store.reading() as books:
        row = await living_row(books, rental)
    return Fate.END if row is None or row.is_left_alone else Fate.BOTS


async def _end(ground: _Ground, machine: _Found) -> bool:
    """End it; the books are told first, unless they are a running bot's or another installation's."""
    rental, clock = machine.rental, SystemClock()
    cloud = ground.clouds[rental.cloud]
    try:
        if ground.store is None or ground.has_bot or not machine.ours:
            await cloud.terminate(rental.ref)
        else:
            await end_by_hand(ground.store, cloud, rental, clock=clock, ids=RandomIds(clock))
    except CloudError as error:
        err.print(f"machine {rental.ref}: {error}")
        return False
    return True


def _question(machines: Sequence[_Found]) -> str:
    others = sum(not machine.ours for machine in machines)
    of_others = f", {others} of other installations: their bots lose them" if others else ""
    return f"End {len(machines)} machine{'s' if len(machines) > 1 else ''}{of_others}?"


def _row(machine: _Found, now: datetime) -> dict[str, Any]:
    rental = machine.rental
    return {
        "cloud": rental.cloud,
        "ref": rental.ref,
        "label": rental.label,
        "age_s": round((now - rental.started_at).total_seconds(), 1) if rental.started_at else None,
        "usd_hour": dollars(rental.price),
        "ours": machine.ours,
        "ended": machine.ended,
    }


def _print(found: Sequence[_Found], now: datetime) -> None:
    if not found:
        out.print("No machine carries our label.")
        return
    table = Table(*(Column(name, no_wrap=True) for name in COLUMNS))
    for machine in found:
        rental = machine.rental
        table.add_row(
            rental.cloud,
            rental.ref,
            f"{rental.gpu} ({rental.state})",
            f"{dollars(rental.price):.3f}",
            "?" if rental.started_at is None else f"{(now - rental.started_at).total_seconds() / 60:.0f} min",
            f"{'ours' if machine.ours else 'not ours'} ({installation_of(rental.label)}, {epoch_of(rental.label)})",
            str(machine.fate),
        )
    Console(width=max(out.width, WIDTH), highlight=False).print(table)
