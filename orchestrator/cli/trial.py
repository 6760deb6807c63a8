"""One picture from nothing, and what it took: what ``e2e`` does once and ``bench cold-start`` again and again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestrator.api import (
    Cancelled,
    ColdStart,
    Failed,
    JobRequest,
    JobView,
    Queued,
    Running,
    Stage,
    StageState,
    Succeeded,
    UserId,
)
from orchestrator.cli.opening import out, stop
from orchestrator.control.service import Service
from orchestrator.domain.errors import RequestError
from orchestrator.domain.timeline import Span, Timeline

GENERATION = "generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """
    How one job ended.

    Attributes:
        cold_start: As it was last seen; of a job that failed that is all that is known of its machine.
        total_s: From the request to the picture, or to the failure.
    """

    view: JobView
    cold_start: ColdStart | None
    total_s: float

    @property
    def is_success(self) -> bool:
        return isinstance(self.view.status, Succeeded)

    @property
    def tries(self) -> int:
        """Machines that were ordered for it."""
        cold = self.cold_start
        return 0 if cold is None or (cold.machine is None and cold.attempt == 1) else cold.attempt + cold.has_second

    @property
    def failure(self) -> str | None:
        """Why there is no picture: what became of the last machine, where it was a machine's fault."""
        match self.view.status:
            case Failed(failure=failure):
                return str(failure.values.get("reason", failure.key))
            case Cancelled():
                return "cancelled"
            case _:
                return None

    @property
    def outcome(self) -> str:
        return outcome_of(self.view)

    def steps(self) -> list[dict[str, Any]]:
        """Each step that began, of the machine that made it or else of the last one; the painting comes last."""
        return [
            {
                "step": span.step,
                "seconds": round(span.seconds, 3),
                "bytes": span.moved,
                "started_s": round(span.started_s, 3),
            }
            for span in self.timeline().spans
        ]

    def timeline(self) -> Timeline:
        stages = self.view.stages or (self.cold_start.stages if self.cold_start else ())
        spans = [self._span(stage, stage.started_at) for stage in stages if stage.started_at is not None]
        if isinstance(self.view.status, Succeeded):
            seconds = self.view.status.served.seconds
            ended_s = (self._ended_at - self.view.submitted_at).total_seconds()
            spans.append(Span(step=GENERATION, started_s=max(ended_s - seconds, 0.0), seconds=seconds))
        return Timeline(spans=tuple(spans), total_s=self.total_s, made=self.is_success)

    @property
    def _ended_at(self) -> datetime:
        return self.view.ended_at or self.view.submitted_at

    def _span(self, stage: Stage, started_at: datetime) -> Span:
        is_done = stage.state is StageState.DONE
        return Span(
            step=str(stage.step),
            started_s=(started_at - self.view.submitted_at).total_seconds(),
            seconds=stage.seconds(self._ended_at) or 0.0,
            moved=stage.bytes_total if is_done else stage.bytes_done,
            is_done=is_done,
            has_failed=stage.state is StageState.FAILED,
        )


async def try_once(service: Service, *, user: UserId, prompt: str, tell: Callable[[str], None]) -> Trial:
    """Ask for one picture and wait for its end, whatever that is; *tell* is told in words how it goes."""
    began = asyncio.get_running_loop().time()
    request = JobRequest(
        user=user, surface="e2e", origin="", idempotency_key=f"e2e:{began}", workflow=None, values={"prompt": prompt}
    )
    try:
        ticket = await service.submit(request)
    except RequestError as error:
        stop(f"The prompt was refused: {error}", status=2)
    cold_start = None
    async for view in _of(service.updates(), ticket.job):
        tell(_line(view))
        if isinstance(view.status, ColdStart):
            cold_start = _further(cold_start, view.status)
        if isinstance(view.status, Succeeded | Failed | Cancelled):
            total = asyncio.get_running_loop().time() - began
            await service.acknowledge(view.id)
            return Trial(view=view, cold_start=cold_start, total_s=total)
    raise AssertionError("updates end with the orchestrator alone")


@contextmanager
def watching(first: str, *, quiet: bool, before: str = "") -> Iterator[Callable[[str], None]]:
    """Show one line that says how it goes, for people; nothing where *quiet*."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=out, disable=quiet or not out.is_terminal, transient=True) as progress:
        task = progress.add_task(before + first)
        yield lambda line: progress.update(task, description=before + line)


def outcome_of(view: JobView) -> str:
    match view.status:
        case Succeeded():
            return "succeeded"
        case Failed(failure=failure):
            return f"failed: {failure.key}"
        case _:
            return "cancelled"


def _further(known: ColdStart | None, seen: ColdStart) -> ColdStart:
    """The newer one, unless it is the same machine's and bytes are forgotten: those of a lost machine soon are."""
    if known is not None and known.attempt == seen.attempt and _bytes_of(seen) < _bytes_of(known):
        return known
    return seen


def _bytes_of(cold_start: ColdStart) -> int:
    return sum(stage.bytes_done for stage in cold_start.stages)


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
            return outcome_of(view)
