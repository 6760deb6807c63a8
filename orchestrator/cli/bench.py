"""``glowplug bench cold-start``: cold starts one after another, and whether they are fit for people who wait."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import logs
from orchestrator.adapters.clouds.vast.cloud import SANDBOX
from orchestrator.api import UserId
from orchestrator.app import SandboxAddress, open_orchestrator
from orchestrator.cli.bench_report import Bench
from orchestrator.cli.bench_tables import show
from orchestrator.cli.benched import keep
from orchestrator.cli.opening import err, load_settings, print_json, stop
from orchestrator.cli.target import CAP, WHERE, Target, agree, capped, choose, own_folder
from orchestrator.cli.trial import Trial, try_once, watching
from orchestrator.control.service import Service
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.timeline import usual
from orchestrator.domain.verdict import Criteria
from orchestrator.faults import Profile
from orchestrator.sandbox.listening import SandboxError
from orchestrator.sandbox.options import DataFolder, SandboxOptions
from orchestrator.sandbox.server import open_sandbox
from orchestrator.settings import Settings

PROMPT = "a lighthouse at dusk"
PROVE_GONE = timedelta(seconds=60)
LOOK_EVERY_S = 0.2
LONGEST_ON_SANDBOX_S = 300.0
"""For one run there: machines are ready in seconds, and a market without a good one need not be tried for an hour."""

HOSTS = {Profile.FIRST_USER: 5}
"""His five runs met five hosts."""
OTHER_HOSTS = 40
"""A market: enough for one good host on any day."""

CHARTS = ".png", ".svg"
CHART = "Draw the steps beside one another, as PNG or SVG by the file's ending."

PLAIN = {"max_tries": 1, "hedges_per_hour": 0, "host_memory": False}

app = typer.Typer(help="Measure.", no_args_is_help=True)


@app.callback()
def _bench() -> None:
    """Measure."""


@app.command("cold-start")
def cold_start(
    *,
    cloud: Annotated[str, typer.Option(help=WHERE)] = "sandbox",
    runs: Annotated[int, typer.Option(min=1, help="Cold starts, one after another.")] = 5,
    faults: Annotated[Profile, typer.Option(help="How bad the sandbox's hosts are.")] = Profile.MARKET,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="As by hand: one machine a run, each time another host; no second one beside it."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    chart: Annotated[Path | None, typer.Option(help=CHART, metavar="FILE")] = None,
    cap_usd: Annotated[float | None, typer.Option(min=0, help=CAP)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before real money is spent.")] = False,
) -> None:
    """Rent a machine, make one picture, give the machine back, prove it gone; again and again. Then judge."""
    if chart:
        _check(chart)
    settings = load_settings(**PLAIN) if plain else load_settings()
    if settings.log_level == "INFO":  # what goes wrong is what is measured: it is in the table
        logs.configure(level="ERROR", secrets=settings.secrets())
    target = choose(settings, cloud, cap_usd=cap_usd)
    agree(target, f"{runs} machines one after another", yes=yes, quiet=as_json)
    try:
        bench = asyncio.run(_run(target, runs, faults, quiet=as_json))
    except (OrchestratorError, SandboxError) as error:
        stop(str(error))
    keep(settings.data, target.key, bench.report())
    print_json(bench.report()) if as_json else show(bench)
    if bench.left:
        err.print(f"{bench.left} machines may be left; see `glowplug sweep` and the cloud's own page.")
    is_drawn = chart is None or _draw(bench, chart, _where(target))
    if bench.left or not is_drawn:
        raise typer.Exit(1)


def _check(chart: Path) -> None:
    """Before anything is rented: what cannot be written at the end would have been measured for nothing."""
    if chart.suffix.lower() not in CHARTS:
        stop(f'A chart is PNG or SVG: end "{chart}" in .png or .svg.', status=2)
    if not chart.absolute().parent.is_dir():
        stop(f"There is no folder {chart.parent}: make it first, or name another for the chart.", status=2)


def _where(target: Target) -> str:
    if target.is_real:
        return target.name
    return "the sandbox" if target.name == SANDBOX else f"the sandbox's {target.name}"


def _draw(bench: Bench, chart: Path, where: str) -> bool:
    """Save the chart; where that cannot be, say why, and return False."""
    timelines = bench.timelines()
    if usual(timelines) is None:
        err.print("No run came to its first step: there is nothing to draw.")
        return False
    from orchestrator.cli.bench_charts import draw  # noqa: PLC0415 - slow to load, and seldom asked for

    try:
        draw(timelines, chart, where)
    except OSError as problem:
        err.print(f"{chart} cannot be written to: {problem.strerror}.", markup=False)
        return False
    err.print(str(chart), markup=False)
    return True


async def _run(target: Target, runs: int, faults: Profile, *, quiet: bool) -> Bench:
    if target.is_real:
        folder = await asyncio.to_thread(own_folder, target, "bench")
        own = target.settings.model_copy(update={"data": folder, "installation": ""})
        return await _measure(await capped(own, target.cap_usd), None, runs, quiet=quiet)
    async with _own_sandbox(target.settings, runs, faults) as (own, sandbox):
        return await _measure(await capped(own, target.cap_usd), sandbox, runs, quiet=quiet)


@asynccontextmanager
async def _own_sandbox(
    settings: Settings, runs: int, faults: Profile
) -> AsyncIterator[tuple[Settings, SandboxAddress]]:
    """
    A sandbox and a store for this measurement alone: what was learned before takes no part.

    Without memory each run meets another host, as it does where others rent, too: else it would be the cheapest one,
    good or bad, again and again.
    """
    options = SandboxOptions(
        faults=faults, hosts=HOSTS.get(faults, max(OTHER_HOSTS, 3 * runs)), each_host_once=not settings.host_memory
    )
    folder = await asyncio.to_thread(_new_folder, settings.data / "bench")
    try:
        async with open_sandbox(DataFolder(folder / "sandbox"), options) as sandbox:
            own = {"data": folder, "installation": "", "sandbox_url": sandbox.url}
            limit = {"job_deadline_s": min(settings.job_deadline_s, LONGEST_ON_SANDBOX_S)}
            yield settings.model_copy(update=own | limit), SandboxAddress(url=sandbox.url, key=sandbox.key)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _new_folder(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="cold-start-", dir=parent.resolve()))


async def _measure(settings: Settings, sandbox: SandboxAddress | None, runs: int, *, quiet: bool) -> Bench:
    async with open_orchestrator(settings, sandbox) as service:
        trials = []
        for number in range(1, runs + 1):
            with watching("asking the cloud", quiet=quiet, before=f"run {number} of {runs}: ") as tell:
                trials.append(await _cold(service, UserId(f"bench-{number}"), tell))
        left = await service.end_all(PROVE_GONE)
    return Bench(trials=tuple(trials), criteria=Criteria(), left=len(left))


async def _cold(service: Service, user: UserId, tell: Callable[[str], None]) -> Trial:
    """One run; the next one begins when nothing is left of it."""
    trial = await try_once(service, user=user, prompt=PROMPT, tell=tell)
    await service.release(user)
    tell("until the machine is gone")
    try:
        async with asyncio.timeout(PROVE_GONE.total_seconds()):
            while (await service.overview()).instances:  # noqa: ASYNC110  (the books say it, no event does)
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        tell("a machine stays; going on")  # the end of the measurement ends it, or says that it is left
    return trial
