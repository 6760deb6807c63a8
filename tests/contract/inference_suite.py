"""
What every managed API must do: the promises of ``orchestrator/ports/inference.py``, as rules.

An API joins by an :class:`InferenceStage` and one parameter in ``test_inference.py``.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

import pytest

from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.app import WORKFLOWS
from orchestrator.domain.errors import (
    ApiOff,
    InferenceError,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    PictureFiltered,
)
from orchestrator.domain.ids import JobId, PromptId, SessionId, UserId
from orchestrator.domain.job import Job, JobState, OwnLora
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import check_values
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Attempt, InferenceApi, Made
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
TWO = replace(JOB, values={**JOB.values, "count": 2})
INTRUDERS_KEY = "0badc0de0badc0de0badc0de0badc0de"
"""What a stage gives its intruder as key."""
PATIENCE_S = 20.0
"""For what must end by itself: much longer than any stage's limits, so that a slow computer fails nothing."""


class Trouble(StrEnum):
    """How an API can misbehave, in words that fit all of them."""

    ANSWER_LOST = "the order is carried out, and its answer never comes"
    NO_ROOM = "it refuses for now, before anything was ordered, with a time to ask again where it tells one"
    OUT_OF_ORDER = "every answer is an error of the server"
    SILENT = "nothing is answered; the adapter's limits on time are short from then on"
    GARBLED = "every answer is no JSON"
    TOO_LONG = "every answer is longer than anyone wants to read"
    FILTERED = "the picture is kept back as indecent"
    FAILS = "what was ordered fails there"
    NO_MONEY = "the account is empty"
    MODEL_GONE = "our model is no longer served"
    TOO_FEW = "fewer pictures come than were asked for"
    NO_PICTURE = "what comes is no picture"
    ENDLESS = "what was ordered does not end before it is cancelled"


class InferenceStage(Protocol):
    """
    One account at one API, and what a rule can do about it from outside.

    Attributes:
        api: The adapter under test.
        intruder: The same with :data:`INTRUDERS_KEY`, which the API refuses.
        exempt: Rules, and troubles, that this API cannot show, each with the reason; also named in ``conftest.py``.
    """

    @property
    def api(self) -> InferenceApi: ...

    @property
    def intruder(self) -> InferenceApi: ...

    @property
    def exempt(self) -> Mapping[str, str]: ...

    async def strike(self, trouble: Trouble) -> None:
        """Misbehave until :meth:`recover`, or once where it is about one order."""

    async def recover(self) -> None:
        """Be well again, with everything that has happened."""

    async def orders(self) -> int:
        """How many orders have arrived."""

    async def charged(self) -> MicroUsd:
        """What the API has charged so far."""


@dataclass
class Heard:
    """What an attempt has told."""

    refs: list[str] = field(default_factory=list)
    paintings: list[Painting] = field(default_factory=list)
    full_before_ref: bool = False

    async def note_ref(self, ref: str) -> None:
        self.full_before_ref |= any(it.done == it.total for it in self.paintings)
        self.refs.append(ref)


def an_attempt(job: Job = JOB, **changes: Any) -> Attempt:
    """A first one, of which nobody wants to know how it gets on."""
    heard = Heard()
    attempt = Attempt(
        workflow=WORKFLOW, job=job, source=None, is_new=True, note_ref=heard.note_ref, on_progress=lambda _: None
    )
    return replace(attempt, **changes)


def heard_attempt(job: Job = JOB) -> tuple[Attempt, Heard]:
    heard = Heard()
    return an_attempt(job, note_ref=heard.note_ref, on_progress=heard.paintings.append), heard


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a fact."""
    async with asyncio.timeout(PATIENCE_S):
        while not await is_so():
            await asyncio.sleep(0.01)


async def failure_of(work: Awaitable[Made]) -> InferenceError:
    """How *work* failed; it must, in time and in a way that is expected."""
    with pytest.raises(InferenceError) as told:
        async with asyncio.timeout(PATIENCE_S):
            await work
    assert str(told.value).strip()
    return told.value


def is_picture(content: bytes) -> bool:
    return content.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or content[8:12] == b"WEBP"


Call = Callable[[InferenceApi], Awaitable[object]]
CALLS: Mapping[str, Call] = {"probe": lambda api: api.probe(), "generate": lambda api: api.generate(an_attempt())}
both = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


class InferenceContract(ABC):
    """Rules that hold on a good day."""

    @pytest.fixture
    @abstractmethod
    def subject(self) -> InferenceStage:
        """A fresh account with money, at an API that can serve :data:`JOB`."""

    async def test_it_has_a_name_for_the_books_and_one_for_people(self, subject: InferenceStage) -> None:
        for name in (subject.api.name, subject.api.title):
            assert name.strip() == name != ""

    async def test_a_probe_of_what_is_well_passes_and_orders_nothing(self, subject: InferenceStage) -> None:
        await subject.api.probe()

        assert (await subject.orders(), await subject.charged()) == (0, 0)

    async def test_what_it_can_serve_becomes_a_picture_for_what_the_api_charges(self, subject: InferenceStage) -> None:
        assert subject.api.capabilities.can_make(WORKFLOW, JOB)

        made = await subject.api.generate(an_attempt())

        assert [is_picture(each) for each in made.pictures] == [True]
        assert made.cost == pytest.approx(await subject.charged(), abs=1)

    async def test_as_many_pictures_as_were_asked_for_come_and_cost_what_the_api_charges(
        self, subject: InferenceStage
    ) -> None:
        made = await subject.api.generate(an_attempt(TWO))

        assert [is_picture(each) for each in made.pictures] == [True, True]
        assert made.cost == pytest.approx(await subject.charged(), abs=2)

    async def test_what_it_costs_is_estimated_before_by_the_same_prices(self, subject: InferenceStage) -> None:
        """A queue, or a machine that starts there, may make it a little dearer; never another order of magnitude."""
        estimate = subject.api.capabilities.estimate(JOB)

        made = await subject.api.generate(an_attempt())

        assert (estimate > 0) == (made.cost > 0)
        assert made.cost <= 10 * estimate

    async def test_progress_never_falls_and_ends_full(self, subject: InferenceStage) -> None:
        attempt, heard = heard_attempt()

        await subject.api.generate(attempt)

        done = [it.done for it in heard.paintings]
        assert done == sorted(done)
        assert heard.paintings[-1].done == heard.paintings[-1].total > 0

    async def test_what_the_api_calls_it_is_noted_once_before_the_pictures(self, subject: InferenceStage) -> None:
        attempt, heard = heard_attempt()

        await subject.api.generate(attempt)

        assert len(heard.refs) == 1
        assert heard.refs[0]
        assert not heard.full_before_ref

    async def test_a_noted_order_of_an_earlier_life_is_followed_and_not_ordered_again(
        self, subject: InferenceStage
    ) -> None:
        attempt, heard = heard_attempt()
        made = await subject.api.generate(attempt)

        again = await subject.api.generate(an_attempt(replace(JOB, bridge_ref=heard.refs[0]), is_new=False))

        assert again.pictures == made.pictures
        assert again.cost == pytest.approx(made.cost, abs=1)
        assert await subject.orders() == 1

    async def test_an_order_of_an_earlier_life_that_nobody_noted_is_found_or_uncertain(
        self, subject: InferenceStage
    ) -> None:
        made = await subject.api.generate(an_attempt())

        try:
            again = await subject.api.generate(an_attempt(is_new=False))
        except InferenceUncertain as error:
            assert error.cost >= 0.1 * made.cost  # noqa: PT017 - either way is right
        else:
            assert again.pictures == made.pictures
        assert await subject.orders() == 1

    async def test_cancelling_what_is_not_there_is_silent(self, subject: InferenceStage) -> None:
        await subject.api.cancel(replace(JOB, id=JobId("j2"), prompt=PromptId("another")))
        await subject.api.cancel(replace(JOB, id=JobId("j2"), prompt=PromptId("another"), bridge_ref="another"))

    async def test_cancelling_what_is_over_is_silent(self, subject: InferenceStage) -> None:
        attempt, heard = heard_attempt()
        await subject.api.generate(attempt)

        await subject.api.cancel(replace(JOB, bridge_ref=next(iter(heard.refs), "")))

    async def test_a_size_that_nobody_makes_and_a_persons_own_lora_are_not_promised(
        self, subject: InferenceStage
    ) -> None:
        endless = replace(JOB, values={**JOB.values, "width": 1 << 17})
        lora = OwnLora(name="x", path="loras/x", url="https://example.org/x", size_bytes=1, sha256="0" * 64)
        own = replace(JOB, own_lora=lora)

        assert not subject.api.capabilities.can_make(WORKFLOW, endless)
        assert not subject.api.capabilities.can_make(WORKFLOW, own)

    @both
    async def test_a_refused_key_switches_it_off_and_is_told_to_nobody(
        self, subject: InferenceStage, call: Call, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)

        with pytest.raises(ApiOff) as told:
            await call(subject.intruder)

        assert INTRUDERS_KEY not in f"{told.value} {told.value!r} {subject.intruder!r} {caplog.text}"
        assert await subject.charged() == 0


class InferenceInTroubleContract(ABC):
    """Rules that hold when the API misbehaves."""

    @pytest.fixture
    @abstractmethod
    def subject(self) -> InferenceStage:
        """As above."""

    @pytest.mark.parametrize("trouble", [Trouble.ANSWER_LOST])
    async def test_an_order_whose_answer_is_lost_is_found_or_uncertain_and_never_ordered_again(
        self, subject: InferenceStage, trouble: Trouble
    ) -> None:
        await subject.strike(trouble)

        try:
            async with asyncio.timeout(PATIENCE_S):
                made = await subject.api.generate(an_attempt())
        except InferenceUncertain as error:
            assert error.cost > 0  # noqa: PT017 - either way is right
        else:
            assert is_picture(made.pictures[0])
        assert await subject.orders() == 1

    @pytest.mark.parametrize("trouble", [Trouble.NO_ROOM])
    async def test_no_room_is_unavailable_and_charges_nothing(self, subject: InferenceStage, trouble: Trouble) -> None:
        await subject.strike(trouble)

        error = await failure_of(subject.api.generate(an_attempt()))

        assert isinstance(error, InferenceUnavailable)
        assert error.retry_after is None or error.retry_after > timedelta(0)
        assert (error.cost, await subject.charged()) == (0, 0)

    @pytest.mark.parametrize("trouble", [Trouble.OUT_OF_ORDER])
    async def test_one_that_is_out_of_order_is_unavailable_or_uncertain_and_not_pressed(
        self, subject: InferenceStage, trouble: Trouble
    ) -> None:
        await subject.strike(trouble)

        error = await failure_of(subject.api.generate(an_attempt()))

        assert isinstance(error, InferenceUnavailable | InferenceUncertain)
        assert await subject.orders() <= 1

    @pytest.mark.parametrize("trouble", [Trouble.OUT_OF_ORDER, Trouble.SILENT, Trouble.GARBLED, Trouble.TOO_LONG])
    async def test_a_probe_of_what_is_not_well_fails_as_unavailable(
        self, subject: InferenceStage, trouble: Trouble
    ) -> None:
        await subject.strike(trouble)

        with pytest.raises(InferenceUnavailable):
            async with asyncio.timeout(PATIENCE_S):
                await subject.api.probe()

    @pytest.mark.parametrize("trouble", [Trouble.SILENT, Trouble.GARBLED, Trouble.TOO_LONG])
    async def test_an_order_without_an_answer_to_make_sense_of_fails_in_time_and_once(
        self, subject: InferenceStage, trouble: Trouble
    ) -> None:
        await subject.strike(trouble)

        await failure_of(subject.api.generate(an_attempt()))

        assert await subject.orders() <= 1

    @pytest.mark.parametrize("trouble", [Trouble.FILTERED])
    async def test_a_picture_that_is_kept_back_is_filtered(self, subject: InferenceStage, trouble: Trouble) -> None:
        await subject.strike(trouble)

        error = await failure_of(subject.api.generate(an_attempt()))

        assert isinstance(error, PictureFiltered)
        assert error.cost >= await subject.charged() - 1

    @pytest.mark.parametrize("trouble", [Trouble.FAILS, Trouble.NO_PICTURE])
    async def test_an_order_that_fails_says_so_and_owns_up_to_what_it_cost(
        self, subject: InferenceStage, trouble: Trouble
    ) -> None:
        await subject.strike(trouble)

        error = await failure_of(subject.api.generate(an_attempt()))

        assert isinstance(error, InferenceFailed)
        assert error.cost >= await subject.charged() - 1

    @pytest.mark.parametrize("trouble", [Trouble.TOO_FEW])
    async def test_fewer_pictures_than_asked_for_have_failed(self, subject: InferenceStage, trouble: Trouble) -> None:
        await subject.strike(trouble)

        error = await failure_of(subject.api.generate(an_attempt(TWO)))

        assert isinstance(error, InferenceFailed)
        assert error.cost >= await subject.charged() - 1

    @pytest.mark.parametrize("trouble", [Trouble.NO_MONEY])
    async def test_an_empty_account_switches_it_off(self, subject: InferenceStage, trouble: Trouble) -> None:
        await subject.strike(trouble)

        assert isinstance(await failure_of(subject.api.generate(an_attempt())), ApiOff)

    @pytest.mark.parametrize("trouble", [Trouble.MODEL_GONE])
    @both
    async def test_a_model_that_is_gone_switches_it_off(
        self, subject: InferenceStage, trouble: Trouble, call: Call
    ) -> None:
        await subject.strike(trouble)

        with pytest.raises(ApiOff):
            await call(subject.api)

    @pytest.mark.parametrize("trouble", [Trouble.NO_ROOM, Trouble.OUT_OF_ORDER])
    async def test_one_that_has_recovered_serves_again(self, subject: InferenceStage, trouble: Trouble) -> None:
        await subject.strike(trouble)
        await failure_of(subject.api.generate(an_attempt()))
        await subject.recover()

        made = await subject.api.generate(an_attempt(replace(JOB, prompt=PromptId(str(JOB.prompt).replace("2", "3")))))

        assert is_picture(made.pictures[0])

    @pytest.mark.parametrize("trouble", [Trouble.ENDLESS])
    async def test_cancelling_what_runs_stops_it(self, subject: InferenceStage, trouble: Trouble) -> None:
        await subject.strike(trouble)
        attempt, heard = heard_attempt()
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(failure_of(subject.api.generate(attempt)))
            await until(lambda: _has_begun(subject, heard))
            await subject.api.cancel(replace(JOB, bridge_ref=next(iter(heard.refs), "")))

        assert ending.done()

    @pytest.mark.parametrize("trouble", [Trouble.ENDLESS])
    async def test_a_call_that_is_cancelled_ends_at_once_and_leaves_nothing_behind(
        self, subject: InferenceStage, trouble: Trouble
    ) -> None:
        await subject.strike(trouble)
        attempt, heard = heard_attempt()
        async with asyncio.TaskGroup() as group:
            call = group.create_task(subject.api.generate(attempt), name="the call")
            await until(lambda: _has_begun(subject, heard))
            call.cancel()

        assert call.cancelled()
        assert await subject.orders() == 1


async def _has_begun(subject: InferenceStage, heard: Heard) -> bool:
    """It is ordered, and has a name by now where the API gives any."""
    rule = "test_what_the_api_calls_it_is_noted_once_before_the_pictures"
    return await subject.orders() == 1 and (bool(heard.refs) or rule in subject.exempt)
