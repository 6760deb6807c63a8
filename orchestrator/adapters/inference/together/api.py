"""
Together.ai: FLUX schnell without a LoRA, one blocking call, no job to ask for afterwards and none to cancel.

Sources: Together's OpenAPI 2.0.0; docs.together.ai, docs/inference/images (parameters, ``n`` up to 4, links that want a
User-Agent) and docs/serverless-models (models come and go); the matrix of ``togethercomputer/skills`` (2026-08: schnell
takes a negative prompt and no LoRA); what ``together`` 3.1.1 sends. Documentation says in one place that schnell is
told its size by ``aspect_ratio``, which the specification does not know: width and height are sent.
"""

import asyncio
import io
import logging
import warnings
from dataclasses import dataclass, replace

import aiohttp
from PIL import Image

from orchestrator.adapters.inference.exchange import Exchange, Limits, checked_key
from orchestrator.adapters.inference.together.refusals import TITLE, refusal_of
from orchestrator.adapters.inference.together.wire import (
    MOST_A_CALL,
    USUAL,
    is_free,
    models_of,
    order_body,
    pictures_of,
    schnell_of,
    steps_of,
)
from orchestrator.adapters.once import Answer, AnswerLost, NothingSent, Unanswered
from orchestrator.adapters.strangers import is_picture
from orchestrator.domain.errors import (
    ApiOff,
    InferenceError,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    OrchestratorError,
    PictureFiltered,
)
from orchestrator.domain.inference import FREE, Capabilities, Price, Sizes, size_of
from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Attempt, InferenceApi, Made

log = logging.getLogger(__name__)

URL = "https://api.together.ai"

PRICE = Price(per_megapixel=MicroUsd(2_700), steps=4)
"""
$0.0027 a megapixel at four steps; more steps cost in proportion, fewer the same.

together.ai/pricing as read by third parties in 2026-05 (workflowlab.dev); the rule of steps: docs.together.ai,
docs/serverless-models, and ``togethercomputer/skills``. Failed calls are free by third parties' word alone.
"""

CAPABILITIES = Capabilities(
    families=frozenset({"flux-schnell"}),
    sizes=Sizes(least=256, most=1792, step=16),  # multiples of 8 by the documentation, of 16 by users of FLUX there
    steps=(1, 12),
    takes_negative=True,
    is_filtered=True,
    price=PRICE,
    seconds=3.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """
    One call of several.

    Attributes:
        first: The number of its first picture within the job.
        spent: What the calls before it have cost.
        cost: What it costs itself.
    """

    first: int
    count: int
    spent: MicroUsd
    cost: MicroUsd


class Together(InferenceApi):
    """
    One account.

    A lost answer is lost for good: there is no id to ask for, so it is booked and never ordered again.
    """

    name = "together"
    title = TITLE

    def __init__(
        self, *, key: str, session: aiohttp.ClientSession, url: str | None = None, limits: Limits | None = None
    ) -> None:
        self._key = key
        self._url = (url or URL).rstrip("/")
        self._limits = limits or Limits()
        self._exchange = Exchange(session, self._limits)
        self._model = USUAL
        self._price = PRICE

    @property
    def capabilities(self) -> Capabilities:
        return replace(CAPABILITIES, price=self._price)

    async def probe(self) -> None:
        """Look which schnell there is now: Together retires models with little notice."""
        try:
            answer = await self._exchange.send(
                "GET", f"{self._url}/v1/models", headers=self._headers(), limit=self._limits.ask
            )
        except Unanswered as error:
            raise InferenceUnavailable(f"{TITLE} does not answer ({error}).") from error
        if answer.status == 404:  # the list itself is gone: its own client 3.1.1 no longer asks for it
            log.warning("together: no list of models; %s is taken to be there", self._model)
            return
        if answer.status != 200:
            raise self._probe_refusal(answer)
        try:
            models = models_of(answer.body)
        except TypeError as error:
            raise InferenceUnavailable(f"{TITLE}'s list of models is not understood ({error}).") from error
        model = schnell_of(models)
        if model is None:
            others = ", ".join(sorted(each.id for each in models if each.is_flux)[:8]) or "no FLUX model at all"
            raise ApiOff(f"{TITLE} is off: it no longer has FLUX.1 schnell, but {others}; take another bridge.")
        self._model, self._price = model, FREE if is_free(model) else PRICE

    async def generate(self, attempt: Attempt) -> Made:
        job = attempt.job
        if not attempt.is_new:
            whole = self._cost(job, job.count)
            raise InferenceUncertain(f"{TITLE} cannot be asked what became of an order.", cost=whole)
        pictures: list[bytes] = []
        spent = MicroUsd(0)
        for first in range(0, job.count, MOST_A_CALL):
            count = min(MOST_A_CALL, job.count - first)
            call = _Call(first=first, count=count, spent=spent, cost=self._cost(job, count))
            pictures += await self._pictures(job, call)
            spent = MicroUsd(spent + call.cost)
            attempt.on_progress(Painting(done=len(pictures), total=job.count))
        return Made(pictures=tuple(pictures), cost=spent)

    async def cancel(self, job: Job) -> None:
        """Nothing there can be stopped."""

    async def _pictures(self, job: Job, call: _Call) -> tuple[bytes, ...]:
        try:
            return await self._checked(await self._order(job, call), job, call)
        except InferenceError as error:
            raise _with_former(error, call.spent) from error

    async def _order(self, job: Job, call: _Call) -> Answer:
        try:
            answer = await self._exchange.send(
                "POST",
                f"{self._url}/v1/images/generations",
                headers=self._headers(),
                limit=self._limits.order,
                body=order_body(self._model, job, first=call.first, count=call.count),
            )
        except NothingSent as error:
            raise InferenceUnavailable(f"{TITLE} cannot be reached ({error}).") from error
        except AnswerLost as error:
            raise InferenceUncertain(f"{TITLE}'s answer was lost ({error}).", cost=call.cost) from error
        if answer.status != 200:
            raise refusal_of(answer, key=self._key.strip(), model=self._model, cost=call.cost)
        return answer

    async def _checked(self, answer: Answer, job: Job, call: _Call) -> tuple[bytes, ...]:
        """Whether it is what was ordered; a JPEG where a PNG was wished for is taken as it is."""
        try:
            pictures = await asyncio.to_thread(lambda: pictures_of(answer.body))
        except ValueError as error:
            raise InferenceUncertain(f"{TITLE}'s answer is not understood ({error}).", cost=call.cost) from error
        if len(pictures) < call.count:
            raise InferenceFailed(f"{TITLE} made {len(pictures)} of {call.count} pictures.", cost=call.cost)
        pictures = pictures[: call.count]
        if not all(map(is_picture, pictures)):
            raise InferenceFailed(f"{TITLE} sent something that is no picture.", cost=call.cost)
        if await asyncio.to_thread(lambda: any(is_black(each, size_of(job)) for each in pictures)):
            raise PictureFiltered(f"{TITLE} made the picture black, as it does with indecent ones.", cost=call.cost)
        return pictures

    def _cost(self, job: Job, count: int) -> MicroUsd:
        width, height = size_of(job)
        return self._price.of(pictures=count, pixels=width * height, steps=steps_of(job))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {checked_key(self._key, TITLE, 'TOGETHER_API_KEY')}"}

    def _probe_refusal(self, answer: Answer) -> OrchestratorError:
        refusal = refusal_of(answer, key=self._key.strip(), model=self._model, cost=MicroUsd(0))
        if isinstance(refusal, ApiOff):
            return refusal
        return InferenceUnavailable(f"{TITLE} does not tell its models now ({answer.status}).")


def is_black(picture: bytes, size: tuple[int, int]) -> bool:
    """
    Whether nothing is to be seen on it: the usual way of FLUX's safety checker to keep a picture back.

    Args:
        size: What was ordered; a picture of another size is not looked into.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG", "WEBP")) as image:
                if image.size != size:
                    log.warning("together: a picture of %s in place of %s", image.size, size)
                    return False
                return image.convert("L").getextrema() == (0, 0)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _with_former(error: InferenceError, spent: MicroUsd) -> InferenceError:
    """What the calls before it have cost is not lost from the books; and something was ordered then."""
    if not spent:
        return error
    if isinstance(error, InferenceUnavailable):
        return InferenceFailed(f"{error} The pictures before it were made and paid for.", cost=spent)
    return type(error)(str(error), cost=MicroUsd(error.cost + spent))


def together(key: str, *, session: aiohttp.ClientSession, url: str | None = None) -> InferenceApi:
    """Open the account with that key."""
    return Together(key=key, session=session, url=url)
