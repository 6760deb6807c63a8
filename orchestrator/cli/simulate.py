"""``glowplug simulate``: a log of requests replayed with every policy, beside what it costs at the least."""

import logging
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.adapters.activity_log import Remarks, read_log
from orchestrator.cli.logs_read import tell
from orchestrator.cli.opening import err, print_json, stop
from orchestrator.cli.simulate_tables import document, show
from orchestrator.domain.activity import Request
from orchestrator.domain.errors import LogProblem, OrchestratorError
from orchestrator.domain.policy.by_name import NAMES, policy_by_name
from orchestrator.domain.policy.renting import RentingPolicy
from orchestrator.domain.terms import Terms
from orchestrator.domain.traffic import IDLE
from orchestrator.faults import Profile
from orchestrator.sim.replay import Replayed, replay
from orchestrator.sim.replay_report import Bounds, Figures, bounds_of, days_of, figures_of

FIRST_USER, BRIDGE_ONLY = "first-user", "bridge-only"
USUAL = (FIRST_USER, BRIDGE_ONLY, "fixed(3,600,300)", "always-on(24)", "auto")
"""Those that are replayed when none is named."""

USUALLY = Terms()
POLICIES = f"{NAMES}; may be given several times."
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
"""Where the database of a replay lies, on systems that have this: each commit is written through."""

MOST = 1_000_000
"""Dollars or seconds: what is more is a slip of the hand."""


class Bridge(StrEnum):
    API = "api"
    NONE = "none"


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise typer.BadParameter("it has to be a number")
    return value


def _amount(words: str) -> Any:
    return typer.Option(min=0, max=MOST, callback=_finite, help=words)


def simulate(
    log: Annotated[Path, typer.Argument(help="A CSV file with requested_at and user_id.", dir_okay=False)],
    *,
    policy: Annotated[list[str] | None, typer.Option(help=POLICIES, metavar="NAME")] = None,
    gpu_usd_hour: Annotated[float, _amount("What a machine costs an hour.")] = USUALLY.gpu_usd_hour,
    bridge: Annotated[Bridge, typer.Option(help="Paints while no machine is warm; none: people wait.")] = Bridge.API,
    bridge_usd: Annotated[float, _amount("What a picture costs on the bridge.")] = USUALLY.bridge_usd or 0.0,
    bridge_s: Annotated[float, _amount("Seconds that the bridge takes.")] = USUALLY.bridge_s,
    cold_start_s: Annotated[float, _amount("Seconds from a machine's order until it is ready.")] = USUALLY.cold_start_s,
    generate_s: Annotated[float, _amount("Seconds for a picture on a machine.")] = USUALLY.generate_s,
    images_per_request: Annotated[int, typer.Option(min=1, max=10, help="Pictures of each request.")] = 1,
    faults: Annotated[Profile, typer.Option(help="How bad the hosts are.")] = Profile.NONE,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 0,
    charts: Annotated[
        Path | None, typer.Option(help="Draw a chart into this folder.", file_okay=False, metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay a log: what each policy costs a month, and how long people wait."""
    terms = Terms(
        gpu_usd_hour=gpu_usd_hour,
        bridge_usd=None if bridge is Bridge.NONE else bridge_usd,
        bridge_s=bridge_s,
        cold_start_s=cold_start_s,
        generate_s=generate_s,
        images_per_request=images_per_request,
    )
    policies = _policies(policy, terms)
    requests = _read(log)
    days = days_of(requests)
    replays = [_replayed(requests, each, terms, faults=faults, seed=seed) for each in policies]
    figures = tuple(figures_of(each, days=days) for each in replays)
    bounds = bounds_of(requests, terms, days=days)
    if charts:
        _draw(figures, bounds, charts, _title(log.name, terms))
    if as_json:
        print_json(document(figures, bounds, days=days) | {"terms": asdict(terms), "faults": str(faults), "seed": seed})
    else:
        show(figures, bounds, log=log.name, requests=len(requests), days=days)


def _policies(asked: list[str] | None, terms: Terms) -> tuple[RentingPolicy, ...]:
    """Each once, in the order in which they were asked for."""
    try:
        named = [policy_by_name(name, IDLE) for name in asked or USUAL]
    except ValueError as problem:
        stop(f"{str(problem)[:1].upper()}{str(problem)[1:]}.", status=2)
    policies = {policy.name: policy for policy in named}
    if terms.bridge_usd is None and BRIDGE_ONLY in policies:
        if asked:
            stop(f"{BRIDGE_ONLY} needs a bridge: leave out --bridge none, or that policy.", status=2)
        del policies[BRIDGE_ONLY]
    return tuple(policies.values())


def _read(log: Path) -> tuple[Request, ...]:
    """In the order of time."""
    remarks = Remarks()
    try:
        requests = sorted(read_log(log, remarks), key=lambda request: (request.at, request.user))
    except LogProblem as problem:
        stop(str(problem))
    tell(remarks)
    return tuple(requests) or stop(f"{log} has no request in it.")


def _replayed(
    requests: Sequence[Request], policy: RentingPolicy, terms: Terms, *, faults: Profile, seed: int
) -> Replayed:
    if policy.name == FIRST_USER:  # his people waited
        terms = replace(terms, bridge_usd=None)
    with _folder() as folder, _silence(), err.status(f"{policy.name} ..."):
        try:
            return replay(requests, policy, terms, profile=faults, seed=seed, folder=folder)
        except OrchestratorError as problem:
            stop(f"{policy.name}: {problem}")


@contextmanager
def _folder() -> Iterator[Path]:
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="glowplug-simulate-", dir=memory) as folder:
        yield Path(folder)


@contextmanager
def _silence() -> Iterator[None]:
    """What goes wrong in a replay is in its figures."""
    logger = logging.getLogger("orchestrator")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _title(log: str, terms: Terms) -> str:
    bridge = "no bridge" if terms.bridge_usd is None else f"bridge ${terms.bridge_usd:g} a picture"
    return f"{log} replayed: machines ${terms.gpu_usd_hour:.2f} an hour, cold start {terms.cold_start_s:g} s, {bridge}"


def _draw(figures: tuple[Figures, ...], bounds: Bounds, folder: Path, title: str) -> None:
    from orchestrator.cli.simulate_charts import draw  # noqa: PLC0415 - slow to load, and seldom asked for

    try:
        path = draw(figures, bounds, folder, title)
    except OSError as problem:
        stop(f"{folder} cannot be written to: {problem.strerror}.")
    err.print(str(path), markup=False)
