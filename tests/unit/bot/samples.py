"""Jobs as the orchestrator shows them, for the pure parts of the bot."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from bot.chat.card import Telling
from bot.chat.voice import Voice
from orchestrator.api import (
    ColdStart,
    Decision,
    Eta,
    ImageKey,
    JobId,
    JobView,
    MicroUsd,
    Preference,
    Queued,
    Routing,
    Served,
    Stage,
    StageState,
    Status,
    Step,
    Succeeded,
    UserId,
    Value,
)
from orchestrator.domain.stages import OPTIONAL
from tests.component.bot.fake_orchestrator import BEGIN, MACHINE, PAINT, REPAINT

_revisions = count(1)
STEPS: list[Step] = [step for step in Step if step not in OPTIONAL]
VALUES: dict[str, Value] = {
    "prompt": "a lighthouse at dusk",
    "width": 1024,
    "height": 1024,
    "aspect": "1:1",
    "count": 1,
}


def decision(**changes: Any) -> Decision:
    """Two requests of the three that ``auto`` waits for before it rents."""
    plain = Decision(
        policy="auto",
        routing=Routing.HYBRID,
        prefers=Preference.DEFAULT,
        is_batch=False,
        api="Replicate",
        api_usd=0.003,
        obstacle="",
        rents=False,
        keep=timedelta(minutes=2),
        rule="fixed(3,300,120)",
        is_bounded=False,
        within=2,
        of=3,
        window=timedelta(minutes=5),
        rule_usd=1.2,
        bridge_usd=1.61,
        requests=214.2,
        credit_usd=0.031,
        cold=timedelta(seconds=491.6),
        start_usd=0.042,
        usd_hour=0.3,
        warm_until=None,
    )
    return replace(plain, **changes)


def job(status: Status, *, after: float = 48, **changes: Any) -> JobView:
    """A job that was asked for at BEGIN; ended *after* seconds when *status* is an end."""
    over = not hasattr(status, "eta")
    plain = JobView(
        id=JobId("job1"),
        user=UserId("web:ada"),
        surface="web",
        origin='["web", "ada", ""]',
        workflow=PAINT.name,
        values=VALUES,
        source=None,
        seed=7,
        submitted_at=BEGIN,
        ended_at=BEGIN + timedelta(seconds=after) if over else None,
        status=status,
        stages=status.stages if isinstance(status, ColdStart) else (),
        cost=MicroUsd(0),
        acknowledged=False,
        revision=next(_revisions),
    )
    return replace(plain, **changes)


def queued(position: int = 1, **changes: Any) -> Queued:
    return replace(Queued(position=position, eta=None), **changes)


def eta(low: float, high: float) -> Eta:
    return Eta(low=timedelta(seconds=low), high=timedelta(seconds=high), at=BEGIN)


def stages(running: Step, *, done: int = 0, total: int = 0) -> tuple[Stage, ...]:
    """The steps of a cold start that has come to *running*, two seconds each."""
    at = STEPS.index(running)
    return tuple(
        Stage(
            step=step,
            state=StageState.DONE if place < at else StageState.RUNNING if place == at else StageState.WAITING,
            started_at=BEGIN + timedelta(seconds=2 * place) if place <= at else None,
            ended_at=BEGIN + timedelta(seconds=2 * place + 2) if place < at else None,
            bytes_done=done if place == at else 0,
            bytes_total=total if place == at else 0,
            rate_bps=310_000_000 if place == at and total else 0,
        )
        for place, step in enumerate(STEPS)
    )


def cold(running: Step = Step.MODELS, *, done: int = 0, total: int = 0, **changes: Any) -> ColdStart:
    plain = ColdStart(
        stages=stages(running, done=done, total=total),
        eta=eta(120, 240),
        machine=MACHINE,
        attempt=1,
        trouble=None,
        cost=MicroUsd(6_000),
    )
    return replace(plain, **changes)


def succeeded(*keys: str) -> Succeeded:
    served = Served(by="your RTX 4090", seconds=14.2, cost=MicroUsd(1_300))
    return Succeeded(images=tuple(ImageKey(key) for key in keys or ("one",)), served=served)


def telling(now: datetime = BEGIN, **changes: Any) -> Telling:
    plain = Telling(now=now, workflows=(PAINT, REPAINT), voice=Voice(clock=lambda moment: f"{moment:%H:%M}"))
    return replace(plain, **changes)
