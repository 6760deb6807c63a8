"""``glowplug e2e``: rent a machine, make one picture, end the machine, prove it gone."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestrator.api import (
    Cancelled,
    ColdStart,
    Failed,
    ImageKey,
    JobRequest,
    JobView,
    Queued,
    Running,
    StageState,
    Succeeded,
    UserId,
    dollars,
)
from orchestrator.app import open_orchestrator
from orchestrator.cli.opening import load_settings, out, print_json, sandbox_of, stop
from orchestrator.control.service import Service
from orchestrator.domain.errors import OrchestratorError, RequestError
from orchestrator.settings import Settings

USER = UserId("e2e")
PROVE_GONE = timedelta(seconds=30)


def e2e(
    cloud: Annotated[str, typer.Option(help="Where to rent: sandbox or vast.")] = "sandbox",
    prompt: Annotated[str, typer.Option(help="What to paint.")] = "a lighthouse at dusk",
    path: Annotated[Path | None, typer.Option("--out", help="Where to put the picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before real money is spent.")] = False,
) -> None:
    """Rent a machine, make one picture on it, end it and prove that it is gone."""
    settings = load_settings()
    if cloud not in {"sandbox", "vast"}:
        stop(f'There is no cloud "{cloud}"; use sandbox or vast.', status=2)
    if cloud == "vast":
        _ask_to_spend(settings, yes=yes)
    try:
        report = asyncio.run(_run(settings, cloud, prompt, path, quiet=as_json))
    except OrchestratorError as error:
        stop(str(error))
    print_json(report) if as_json else _print(report)
    if report["outcome"] != "succeeded" or not report["terminated"]:
        raise typer.Exit(1)


def _ask_to_spend(settings: Settings, *, yes: bool) -> None:
    if not settings.vast_api_key.get_secret_value():
        stop("Renting at Vast.ai needs VAST_API_KEY; make one at https://cloud.vast.ai/manage-keys/.", status=2)
    if not yes and not typer.confirm(
        f"This rents a real machine for up to ${settings.max_usd_hour:.2f} an hour. Go on?"
    ):
        raise typer.Exit(1)


async def _run(settings: Settings, cloud: str, prompt: str, path: Path | None, *, quiet: bool) -> dict[str, Any]:
    sandbox = await sandbox_of(settings, wanted=True) if cloud == "sandbox" else None
    own = settings.model_copy(update={"data": settings.data / "e2e", "installation": "", "comfyui_url": ""})
    await asyncio.to_thread(shutil.rmtree, own.data / "pictures", ignore_errors=True)
    async with open_orchestrator(own, sandbox) as service:
        return await _Trial(service=service, cloud=cloud, prompt=prompt, path=path, quiet=quiet).report()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """One picture from nothing, and what it took."""

    service: Service
    cloud: str
    prompt: str
    path: Path | None
    quiet: bool

    async def report(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        view = await self._make()
        total = loop.time() - began
        image = await self._save(view)
        left = await self.service.end_all(PROVE_GONE)
        costs = await self.service.costs(2)
        return {
            "outcome": _outcome(view),
            "cloud": self.cloud,
            "steps": _steps(view),
            "total_s": round(total, 3),
            "image": image,
            "cost_usd": round(dollars(costs.total), 6),
            "terminated": not left,
        }

    async def _make(self) -> JobView:
        key = f"e2e:{asyncio.get_running_loop().time()}"
        request = JobRequest(
            user=USER, surface="e2e", origin="", idempotency_key=key, workflow=None, values={"prompt": self.prompt}
        )
        try:
            ticket = await self.service.submit(request)
        except RequestError as error:
            stop(f"The prompt was refused: {error}", status=2)
        updates = self.service.updates()
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=out, disable=self.quiet
        ) as progress:
            task = progress.add_task("asking the cloud")
            async for view in _of(updates, ticket.job):
                progress.update(task, description=_line(view))
                if isinstance(view.status, Succeeded | Failed | Cancelled):
                    await self.service.acknowledge(view.id)
                    return view
        raise AssertionError("updates end with the orchestrator alone")

    async def _save(self, view: JobView) -> str | None:
        if not isinstance(view.status, Succeeded):
            return None
        key: ImageKey = view.status.images[0]
        picture = await self.service.image(key) or b""
        path = self.path or Path(f"{key[:12]}.png")
        await asyncio.to_thread(path.write_bytes, picture)
        return str(path)


async def _of(updates: AsyncIterator[JobView], job: str) -> AsyncIterator[JobView]:
    async for view in updates:
        if view.id == job:
            yield view


def _line(view: JobView) -> str:
    match view.status:
        case Queued():
            return "waiting for an offer"
        case ColdStart(stages=stages, attempt=attempt):
            now = next((stage for stage in stages if stage.state is StageState.RUNNING), None)
            of = (
                f" {now.bytes_done / 2**20:.1f} of {now.bytes_total / 2**20:.1f} MiB" if now and now.bytes_total else ""
            )
            return f"machine {attempt}: {now.step if now else 'starting'}{of}"
        case Running(done=done, of=total):
            return f"painting {done}/{total}"
        case _:
            return _outcome(view)


def _outcome(view: JobView) -> str:
    match view.status:
        case Succeeded():
            return "succeeded"
        case Failed(failure=failure):
            return f"failed: {failure.key}"
        case _:
            return "cancelled"


def _steps(view: JobView) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [
        {
            "step": str(stage.step),
            "seconds": round((stage.ended_at - stage.started_at).total_seconds(), 3),
            "bytes": stage.bytes_total,
        }
        for stage in view.stages
        if stage.started_at and stage.ended_at
    ]
    if isinstance(view.status, Succeeded):
        steps.append({"step": "generation", "seconds": round(view.status.served.seconds, 3), "bytes": 0})
    return steps


def _print(report: dict[str, Any]) -> None:
    for step in report["steps"]:
        size = f"  {step['bytes'] / 2**20:.1f} MiB" if step["bytes"] else ""
        out.print(f"  {step['step']:<14}{step['seconds']:>8.1f} s{size}")
    out.print(
        f"{report['outcome']} in {report['total_s']:.1f} s for ${report['cost_usd']:.4f}; picture: {report['image']}"
    )
    out.print("the machine is gone" if report["terminated"] else "[red]a machine may be left: glowplug sweep[/red]")
