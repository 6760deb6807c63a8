"""A managed API that makes the picture while no machine is warm: the bridge."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.inference import Capabilities
from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.comfy import OnProgress


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Access:
    """
    How one API is reached; it is never shown, for it holds keys.

    Attributes:
        url: Where it is; None for its usual address.
        key: The account's key; it goes into one header and nowhere else.
        secret: The second half of a key that has two.
        endpoint: Which of the account's own endpoints, where there are such.
    """

    url: str | None = None
    key: str = ""
    secret: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    One attempt at one job.

    Attributes:
        job: RUNNING; its ``prompt`` is this attempt's own, its ``bridge_ref`` what the API calls the attempt, empty
            while nobody has noted that.
        source: The picture to start from.
        is_new: Nobody can have ordered it yet. Otherwise an earlier life of ours may have: what it ordered is found
            again, by ``bridge_ref`` or by a search, or else not ordered a second time.
        note_ref: Writes down what the API calls it; durable when it returns. To be called once, as soon as that is
            known.
        on_progress: Called with steps or pictures done; never falls, ends full.
    """

    workflow: Workflow
    job: Job
    source: bytes | None
    is_new: bool
    note_ref: Callable[[str], Awaitable[None]]
    on_progress: OnProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """
    Pictures, and what the API charges for them.

    Attributes:
        pictures: PNG, JPEG or WebP, as they came, in the order of their numbers.
    """

    pictures: tuple[bytes, ...]
    cost: MicroUsd


class InferenceApi(Protocol):
    """
    One managed API.

    None of them knows an idempotency key: a call whose answer was lost is never repeated blindly.
    Every method has a limit on time and may be cancelled at any await; none retries what may have been charged.
    """

    @property
    def name(self) -> str:
        """What the books call it, such as ``replicate``."""
        ...

    @property
    def title(self) -> str:
        """What a person reads: who made the picture, such as ``Replicate``."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, as far as it is known by now: a probe may have changed it."""
        ...

    async def probe(self) -> None:
        """
        See that the key is good and our model is served, without paying for it.

        Raises:
            ApiOff: It is not; the text says what the operator can do.
            InferenceUnavailable: It cannot be asked now.
        """
        ...

    async def generate(self, attempt: Attempt) -> Made:
        """
        Make the pictures of the attempt's job, all of them.

        Raises:
            GraphRejected: It refuses this request for good.
            PictureFiltered: It keeps a picture back as indecent.
            InferenceFailed: It was ordered and not made.
            InferenceUncertain: It may have been made and charged, and nobody can find out.
            InferenceUnavailable: It does not answer or has no room; nothing was ordered.
            ApiOff: Our key is refused, the money is spent, or it no longer has our model.
        """
        ...

    async def cancel(self, job: Job) -> None:
        """Stop it, where the API can; silent when there is nothing to stop."""
        ...
