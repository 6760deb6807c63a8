"""
Our own graph on Modal: the app of ``deploy/modal_app.py``, which sleeps at no cost and wakes for one POST.

Its door remembers orders by the id that we give them, so a lost answer is asked for again by ``GET /ID``, which paints
nothing. What it does not know may still be on its way to it, and is therefore uncertain and not ordered again.
"""

import asyncio
from datetime import timedelta

import aiohttp

from orchestrator.adapters.comfyui.complaints import failure_of, rejection_of
from orchestrator.adapters.inference.exchange import Limits, quoted, retry_after
from orchestrator.adapters.inference.modal.front import TITLE, Front
from orchestrator.adapters.inference.modal.wire import (
    Machine,
    Outcome,
    about_of,
    lacks_file,
    order_body,
    outcome_of,
)
from orchestrator.adapters.once import Answer, AnswerLost, NothingSent, Unanswered
from orchestrator.adapters.strangers import is_picture
from orchestrator.domain.errors import (
    ApiOff,
    GraphRejected,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    OrchestratorError,
    OutOfVram,
)
from orchestrator.domain.inference import Capabilities, LoraSupport, Price
from orchestrator.domain.job import Job
from orchestrator.domain.workflows import fill
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Attempt, InferenceApi, Made

SECONDS = 8.0
"""What a picture takes on a warm painter, on an L40S (a few seconds: modal.com/docs/examples/comfyapp)."""

START_S = 60.0
"""What a cold painter takes until it paints (about a minute: the same page)."""

PATIENT = Limits(order=timedelta(minutes=5), ask=timedelta(seconds=45))
"""A cold painter starts in about a minute; asking wakes a door, which takes seconds."""


class Modal(InferenceApi):
    """
    One deployed app.

    A painter that starts is billed from its start until it has been idle for its window: the first order after a
    pause has the start and that window in its cost.
    """

    name = "modal"
    title = TITLE

    def __init__(
        self, *, url: str, key: str, secret: str, session: aiohttp.ClientSession, limits: Limits = PATIENT
    ) -> None:
        self._limits = limits
        self._front = Front(url=url, key=key, secret=secret, session=session, limits=limits)
        self._secrets = (key.strip(), secret.strip())
        self._machine = Machine()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            runs_graphs=True,
            loras=LoraSupport.OWN,
            takes_negative=True,
            takes_image=True,
            can_cancel=True,
            price=Price(
                per_second=self._machine.cost(1.0), per_order=self._machine.cost(START_S + self._machine.window_s)
            ),
            seconds=SECONDS,
        )

    async def probe(self) -> None:
        """Ask the door, which has no GPU: are the credentials good, the models there, and strangers kept out."""
        try:
            answer = await self._front.ask("GET", "", limit=self._limits.ask)
        except Unanswered as error:
            raise InferenceUnavailable(f"{TITLE} does not answer ({error}).") from error
        self._check_status(answer)
        about = about_of(answer.body) if answer.status == 200 else None
        if about is None:
            raise InferenceUnavailable(
                f"What answers at MODAL_URL ({answer.status}) is not deploy/modal_app.py, or is out of order."
            )
        if about.missing:
            lacks = quoted(", ".join(about.missing[:4]))
            raise ApiOff(f"{TITLE} is off: it lacks {lacks}; run `modal run deploy/modal_app.py::fetch`.")
        self._machine = about.machine
        await self._check_it_is_closed()

    async def generate(self, attempt: Attempt) -> Made:
        job = attempt.job
        name = job.bridge_ref or _name(job)
        if attempt.is_new:
            body = _order(attempt, name)
            await attempt.note_ref(name)
            outcome = await self._ordered(name, body, job)
        else:
            outcome = await self._looked_up(name, job)
        pictures = self._pictures(outcome, job)
        attempt.on_progress(Painting(done=job.count, total=job.count))
        return Made(pictures=pictures, cost=outcome.cost)

    async def cancel(self, job: Job) -> None:
        try:
            await self._front.ask("DELETE", job.bridge_ref or _name(job), limit=self._limits.ask)
        except Unanswered as error:
            raise InferenceUnavailable(f"{TITLE} does not answer ({error}).") from error

    async def _ordered(self, name: str, body: dict[str, object], job: Job) -> Outcome:
        try:
            answer = await self._front.ask("POST", "", limit=self._limits.order, body=body)
        except NothingSent as error:
            raise InferenceUnavailable(f"{TITLE} cannot be reached ({error}).") from error
        except AnswerLost:
            return await self._looked_up(name, job)
        self._check_status(answer)
        outcome = await asyncio.to_thread(lambda: outcome_of(answer.body))
        return await self._looked_up(name, job) if outcome is None else outcome

    async def _looked_up(self, name: str, job: Job) -> Outcome:
        """Ask once for what became of an order; that orders nothing."""
        try:
            answer = await self._front.ask("GET", name, limit=self._limits.order)
        except Unanswered as error:
            raise self._uncertain(job, str(error)) from error
        outcome = await asyncio.to_thread(lambda: outcome_of(answer.body))
        if outcome is None:
            raise self._uncertain(job, str(answer.status))
        if outcome.error is not None and outcome.error.kind == "unknown":
            raise self._uncertain(job, "it does not know the order")
        return outcome

    def _uncertain(self, job: Job, why: str) -> InferenceUncertain:
        return InferenceUncertain(
            f"{TITLE} cannot tell what became of the order ({why}).", cost=self.capabilities.estimate(job)
        )

    def _check_status(self, answer: Answer) -> None:
        """
        Whether Modal let us to the app at all.

        Raises:
            ApiOff: It did not, and will not.
            InferenceUnavailable: It did not now.
        """
        told = quoted(answer.raw[:500].decode("utf-8", errors="replace"), *self._secrets)
        if answer.status in {401, 403}:
            raise ApiOff(f"{TITLE} is off: Modal refuses MODAL_KEY and MODAL_SECRET ({told}); make a new proxy token.")
        if answer.status == 402:
            raise ApiOff(f"{TITLE} is off: Modal wants money ({told}); see modal.com/settings.")
        if answer.status == 404 and outcome_of(answer.body) is None:
            raise ApiOff(f"{TITLE} is off: no app is there ({told}); run `modal deploy deploy/modal_app.py`.")
        if answer.status in {429, 503}:
            raise InferenceUnavailable(f"{TITLE} has no room now ({told}).", retry_after=retry_after(answer))

    async def _check_it_is_closed(self) -> None:
        """A stranger who can paint there spends our money; the refusal of a stranger starts no container."""
        try:
            answer = await self._front.ask("GET", "", limit=self._limits.ask, is_known=False)
        except Unanswered:
            return
        if answer.status == 200:
            raise ApiOff(
                f"{TITLE} is off: anybody may use it and spend your money; deploy it with requires_proxy_auth=True."
            )

    def _pictures(self, outcome: Outcome, job: Job) -> tuple[bytes, ...]:
        if outcome.error is not None:
            raise _failure(outcome)
        try:
            pictures = outcome.decoded()
        except ValueError as error:
            raise InferenceFailed(f"{TITLE} sent something that is no picture ({error}).", cost=outcome.cost) from error
        if len(pictures) < job.count:
            raise InferenceFailed(f"{TITLE} made {len(pictures)} of {job.count} pictures.", cost=outcome.cost)
        if not all(map(is_picture, pictures)):
            raise InferenceFailed(f"{TITLE} sent something that is no picture.", cost=outcome.cost)
        return pictures


def _failure(outcome: Outcome) -> OrchestratorError:
    """Say what a complaint of the app means; ComfyUI's own words are read as those of a machine."""
    complaint, cost = outcome.error, outcome.cost
    if complaint is None:
        return InferenceFailed(f"{TITLE} made nothing.", cost=cost)
    if complaint.kind in {"bad", "rejected"}:
        lacks, is_lora = lacks_file(complaint.detail)
        if lacks:
            told = f"it lacks {quoted(lacks)}; run `modal run deploy/modal_app.py::fetch`."
            return (
                InferenceFailed(f"{TITLE}: {told}", cost=cost)
                if is_lora
                else ApiOff(f"{TITLE} is off: {told}", cost=cost)
            )
        refused = rejection_of(complaint.detail)
        if isinstance(refused, GraphRejected):
            return refused
        return InferenceFailed(f"{TITLE} refuses the order ({quoted(complaint.message)}).", cost=cost)
    if isinstance(complaint.detail, dict):
        failed = failure_of(complaint.detail)
        more = " A bigger card is GLOWPLUG_MODAL_GPU at the next deploy." if isinstance(failed, OutOfVram) else ""
        return InferenceFailed(f"{TITLE}: {failed}{more}", cost=cost)
    return InferenceFailed(f"{TITLE}: {quoted(complaint.message) or complaint.kind}", cost=cost)


def _order(attempt: Attempt, name: str) -> dict[str, object]:
    image = f"{name}.png"
    graph = fill(attempt.workflow, attempt.job.values, image="" if attempt.source is None else image)
    return order_body(name, graph, {} if attempt.source is None else {image: attempt.source})


def _name(job: Job) -> str:
    """What we call the attempt: fresh for each, the same over our crashes."""
    return str(job.prompt or job.id)


def modal(url: str, key: str, secret: str, *, session: aiohttp.ClientSession) -> InferenceApi:
    """Open the app that was deployed to *url*, with a proxy token."""
    return Modal(url=url, key=key, secret=secret, session=session)
