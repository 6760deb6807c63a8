"""Plain values to put into a store, and a clock that is moved by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.domain.ids import (
    CloudName,
    HostId,
    InstanceId,
    JobId,
    MachineId,
    OfferId,
    SessionId,
    UserId,
    WorkflowName,
)
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.domain.job import Job, JobState
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour
from orchestrator.domain.offer import Offer, Tariff
from orchestrator.domain.session import Session, SessionState
from orchestrator.ports.clock import Clock, Mark

NOW = datetime(2026, 3, 4, 15, 30, 0, 123456, tzinfo=UTC)
ADA, BOB = UserId("web:ada"), UserId("web:bob")
VAST, OTHER_CLOUD = CloudName("vast"), CloudName("static")


class HandClock(Clock):
    """
    Attributes:
        time: What it shows; to be moved on as time passes.
        set_by: By how much the computer's clock was set, which it has not followed yet.
    """

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now
        self.set_by = timedelta()
        self._followed = timedelta()

    def now(self) -> datetime:
        return self.time

    def follow(self) -> None:
        self.time += self.set_by
        self._followed += self.set_by
        self.set_by = timedelta()

    def mark(self) -> Mark:
        return Mark(at=self.time, boot="this one", steady=self._steady())

    def _steady(self) -> float:
        return (self.time - self._followed).timestamp()

    def date_of(self, mark: Mark) -> datetime:
        return self.time + timedelta(seconds=mark.steady - self._steady())

    def go_on_from(self, mark: Mark) -> None:
        self.time = max(self.time, mark.at)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def a_session(name: str = "s1", **changes: Any) -> Session:
    session = Session(id=SessionId(name), user=ADA, state=SessionState.OPEN, opened_at=NOW, last_request_at=NOW)
    return replace(session, **changes)


def a_job(name: str = "j1", **changes: Any) -> Job:
    job = Job(
        id=JobId(name),
        user=ADA,
        session=SessionId("s1"),
        surface="web",
        origin='{"card": 7}',
        idempotency_key=f"web:{name}",
        workflow=WorkflowName("flux-schnell-lora"),
        values={"prompt": "ein Leuchtturm, Dämmerung 🌅", "seed": 2**53 + 1, "strength": 0.8, "count": 2},
        state=JobState.QUEUED,
        submitted_at=NOW,
        deadline=NOW + timedelta(hours=1),
    )
    return replace(job, **changes)


def an_instance(name: str = "i1", **changes: Any) -> Instance:
    instance = Instance(
        id=InstanceId(name),
        session=SessionId("s1"),
        user=ADA,
        workflow=WorkflowName("flux-schnell-lora"),
        state=InstanceState.PLANNED,
        created_at=NOW,
        state_since=NOW,
    )
    return replace(instance, **changes)


def an_offer(name: str = "1", **changes: Any) -> Offer:
    offer = Offer(
        cloud=VAST,
        id=OfferId(name),
        machine=MachineId(f"m{name}"),
        host=HostId(f"h{name}"),
        gpu="RTX 4090",
        vram_mib=24_564,
        disk_gib=80,
        tariff=Tariff(running=MicroUsdPerHour(340_000), always=MicroUsdPerHour(7), per_gib_down=MicroUsd(3)),
        reliability=0.987,
        inet_down_mbps=812.5,
        location="Sweden, SE",
        cuda=12.4,
    )
    return replace(offer, **changes)
