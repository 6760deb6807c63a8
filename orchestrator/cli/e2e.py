"""``glowplug e2e``: rent a machine, make one picture, end the machine, prove it gone."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.api import Succeeded, UserId, dollars
from orchestrator.app import open_orchestrator
from orchestrator.cli.opening import load_settings, out, print_json, sandbox_of, stop
from orchestrator.cli.target import CAP, WHERE, Target, agree, capped, choose, own_folder
from orchestrator.cli.trial import Trial, try_once, watching
from orchestrator.control.service import Service
from orchestrator.domain.errors import OrchestratorError

USER = UserId("e2e")
PROVE_GONE = timedelta(seconds=30)


def e2e(
    *,
    cloud: Annotated[str, typer.Option(help=WHERE)] = "sandbox",
    prompt: Annotated[str, typer.Option(help="What to paint.")] = "a lighthouse at dusk",
    path: Annotated[Path | None, typer.Option("--out", help="Where to put the picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    cap_usd: Annotated[float | None, typer.Option(min=0, help=CAP)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before real money is spent.")] = False,
) -> None:
    """Rent a machine, make one picture on it, end it and prove that it is gone."""
    target = choose(load_settings(), cloud, cap_usd=cap_usd)
    agree(target, "a machine", yes=yes, quiet=as_json)
    try:
        report = asyncio.run(run(target, prompt, path, quiet=as_json))
    except OrchestratorError as error:
        stop(str(error))
    print_json(report) if as_json else _print(report)
    if report["outcome"] != "succeeded" or not report["terminated"]:
        raise typer.Exit(1)


async def run(target: Target, prompt: str, path: Path | None, *, quiet: bool) -> dict[str, Any]:
    """The report; *target* has books of its own, so that a run that was killed is ended by the next."""
    sandbox = None if target.is_real else await sandbox_of(target.settings, wanted=True)
    folder = await asyncio.to_thread(own_folder, target, "e2e")
    own = target.settings.model_copy(update={"data": folder, "installation": ""})
    await asyncio.to_thread(shutil.rmtree, own.data / "pictures", ignore_errors=True)
    async with open_orchestrator(await capped(own, target.cap_usd), sandbox) as service:
        with watching("asking the cloud", quiet=quiet) as tell:
            trial = await try_once(service, user=USER, prompt=prompt, tell=tell)
        return await _report(service, trial, target.name, path)


async def _report(service: Service, trial: Trial, cloud: str, path: Path | None) -> dict[str, Any]:
    image = await _save(service, trial, path)
    left = await service.end_all(PROVE_GONE)
    costs = await service.costs(2)
    return {
        "outcome": trial.outcome,
        "cloud": cloud,
        "steps": trial.steps(),
        "total_s": round(trial.total_s, 3),
        "image": image,
        "cost_usd": round(dollars(costs.total), 6),
        "terminated": not left,
    }


async def _save(service: Service, trial: Trial, path: Path | None) -> str | None:
    if not isinstance(trial.view.status, Succeeded):
        return None
    key = trial.view.status.images[0]
    picture = await service.image(key) or b""
    path = path or Path(f"{key[:12]}.png")
    await asyncio.to_thread(path.write_bytes, picture)
    return str(path)


def _print(report: dict[str, Any]) -> None:
    for step in report["steps"]:
        size = f"  {step['bytes'] / 2**20:.1f} MiB" if step["bytes"] else ""
        out.print(f"  {step['step']:<14}{step['seconds']:>8.1f} s{size}")
    out.print(
        f"{report['outcome']} in {report['total_s']:.1f} s for ${report['cost_usd']:.4f}; picture: {report['image']}"
    )
    if report["outcome"] == "failed: over_budget":
        out.print("a further machine could have cost more than may be spent; see --cap-usd")
    out.print("the machine is gone" if report["terminated"] else "[red]a machine may be left: glowplug sweep[/red]")
