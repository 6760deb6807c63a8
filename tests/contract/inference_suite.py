"""
What every bridge must do: the promises of ``orchestrator/ports/inference.py``.

Inherit it and give it a ``subject``.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.app import WORKFLOWS
from orchestrator.domain.errors import InferenceUnavailable
from orchestrator.domain.ids import JobId, PromptId, SessionId, UserId
from orchestrator.domain.job import Job, JobState
from orchestrator.domain.workflows import check_values
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Attempt, InferenceApi
from tests.contract.samples import NOW

WORKFLOW = read_workflows(WORKFLOWS)[0]
JOB = Job(
    id=JobId("j1"),
    user=UserId("web:ada"),
    session=SessionId("s1"),
    surface="web",
    origin="",
    idempotency_key="k1",
    workflow=WORKFLOW.name,
    values=check_values(WORKFLOW, {"prompt": "a fox"}, seed=1),
    state=JobState.RUNNING,
    submitted_at=NOW,
    deadline=NOW + timedelta(hours=1),
    attempts=1,
    prompt=PromptId("5b0b6a0e-0000-4000-8000-000000000002"),
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """
    An API that can serve :data:`JOB`.

    Attributes:
        take_down: It answers nobody from now on.
    """

    api: InferenceApi
    take_down: Callable[[], Awaitable[None]]


def an_attempt(job: Job = JOB, **changes: Any) -> Attempt:
    """A first one, of which nobody wants to know how it gets on."""

    async def note_ref(_: str) -> None:
        """Nobody looks for it."""

    attempt = Attempt(
        workflow=WORKFLOW, job=job, source=None, is_new=True, note_ref=note_ref, on_progress=lambda _: None
    )
    return replace(attempt, **changes)


class InferenceContract(ABC):
    @pytest.fixture
    @abstractmethod
    def subject(self) -> Subject: ...

    async def test_it_has_a_name_for_people(self, subject: Subject) -> None:
        assert subject.api.name.strip() == subject.api.name != ""

    async def test_what_it_can_serve_becomes_as_many_pictures_as_were_asked_for(self, subject: Subject) -> None:
        assert subject.api.capabilities.can_make(WORKFLOW, JOB)

        made = await subject.api.generate(an_attempt())

        assert len(made.pictures) == JOB.count
        assert all(picture.startswith(b"\x89PNG") for picture in made.pictures)
        assert made.cost >= 0

    async def test_progress_never_falls_and_ends_full(self, subject: Subject) -> None:
        told: list[Painting] = []

        await subject.api.generate(an_attempt(on_progress=told.append))

        assert [it.done for it in told] == sorted(it.done for it in told)
        assert told[-1].done == told[-1].total > 0

    async def test_cancelling_what_is_not_there_is_silent(self, subject: Subject) -> None:
        await subject.api.cancel(replace(JOB, id=JobId("j2"), prompt=PromptId("another")))

    async def test_one_that_is_down_is_unavailable(self, subject: Subject) -> None:
        await subject.take_down()

        with pytest.raises(InferenceUnavailable):
            await subject.api.generate(an_attempt())
