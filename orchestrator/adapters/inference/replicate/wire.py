"""Their JSON and our values: what one picture is asked for with, and what a prediction tells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yarl import URL

from orchestrator.adapters.inference.replicate.answers import TITLE, AnswerLost
from orchestrator.domain.inference import is_public, lora_of, size_of
from orchestrator.domain.job import Job
from orchestrator.domain.workflows import Workflow

PLAIN: Final = "black-forest-labs/flux-schnell"
WITH_LORA: Final = "black-forest-labs/flux-schnell-lora"

ASPECTS: Mapping[str, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "21:9": (1536, 640),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "3:4": (896, 1152),
    "4:3": (1152, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}
"""Width and height at ``megapixels`` "1"; "0.25" halves both: replicate/cog-flux, predict.py, 51e81e0 (2025-07-31)."""

SIZES: Mapping[tuple[int, int], tuple[str, str]] = {
    (width // part, height // part): (aspect, megapixels)
    for aspect, (width, height) in ASPECTS.items()
    for part, megapixels in ((1, "1"), (2, "0.25"))
}
"""Which aspect and megapixels give a width and a height: there is no other way to ask for a size."""

QUALITIES: Final = 101
_ID = re.compile(r"[a-zA-Z0-9]{1,64}")


class Status(StrEnum):
    """Replicate.com/docs/topics/predictions/lifecycle; a word that is not here is waited out."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"  # charged
    ABORTED = "aborted"  # its deadline came before it was begun; not charged


ENDS = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED, Status.ABORTED})


class Prediction(BaseModel):
    """
    What they call a prediction: one order and what became of it.

    Fields: the types of replicate/replicate-python-beta (48e138a), which are generated from their OpenAPI file.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(pattern=f"^{_ID.pattern}$")
    model: str = ""
    status: str
    input: dict[str, Any] | None = None
    output: Any = None
    error: str | None = None
    logs: str | None = None
    data_removed: bool = False

    @property
    def picture(self) -> str:
        """
        Where its picture is; empty for nowhere.

        It may be there while the status is still ``processing``: so an order whose answer is held back ends
        (replicate.com/docs/topics/predictions/create-a-prediction).
        """
        first = self.output[0] if isinstance(self.output, list) and self.output else self.output
        return first if isinstance(first, str) else ""

    @property
    def is_over(self) -> bool:
        return bool(self.picture) or self.status in ENDS

    @property
    def is_filtered(self) -> bool:
        """The filter has taken every picture: replicate/cog-flux, predict.py; there is no flag for it."""
        return "NSFW" in f"{self.error or ''} {self.logs or ''}"


class Page(BaseModel):
    """One page of the listing, newest first. Attributes: next: The address of the next page."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    next: str | None = None
    results: tuple[Prediction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    One picture of a job.

    Attributes:
        model: ``owner/name``; empty for any.
    """

    model: str
    input: Mapping[str, Any]

    def is_made_by(self, it: Prediction) -> bool:
        """Whether *it* was ordered with just this input; they may add to it what was left out."""
        given = it.input or {}
        return (self.model or it.model) == it.model and all(
            given.get(name) == value for name, value in self.input.items()
        )


def wanted(workflow: Workflow, job: Job) -> tuple[Wanted, ...]:
    """
    One order a picture, their seeds counted up from the job's.

    One each: several in one order were seen to run out of graphics memory with a LoRA, and a picture that the filter
    takes would leave a hole that nobody can place.
    """
    lora = _lora(workflow, job)
    model = WITH_LORA if lora else PLAIN
    return tuple(
        Wanted(model=model, input={**_common(job), **lora, "seed": job.seed + index}) for index in range(job.count)
    )


def traces(job: Job) -> tuple[Wanted, ...]:
    """What orders for *job* are known by when its workflow is not at hand; none for a size that nobody can order."""
    if size_of(job) not in SIZES:
        return ()
    return tuple(Wanted(model="", input={**_common(job), "seed": job.seed + index}) for index in range(job.count))


def _common(job: Job) -> dict[str, Any]:
    """
    Say what all pictures of *job* have in common.

    ``go_fast`` off: fp8 is not the same twice, even with a seed. The quality has no effect on PNG; there it is a mark
    by which this attempt is told from another one with the same words and seed.
    """
    aspect, megapixels = SIZES[size_of(job)]
    return {
        "prompt": str(job.values.get("prompt", "")),
        "aspect_ratio": aspect,
        "megapixels": megapixels,
        "num_outputs": 1,
        "num_inference_steps": int(job.values.get("steps", 4)),
        "output_format": "png",
        "output_quality": _mark(job),
        "go_fast": False,
    }


def _lora(workflow: Workflow, job: Job) -> dict[str, Any]:
    """``lora_weights`` takes the address of any public .safetensors file; fp16 leaves ``lora_scale`` as it is."""
    lora = lora_of(workflow, job)
    if lora is None:
        return {}
    url = next(url for url in lora.urls if is_public(url))
    return {"lora_weights": url, "lora_scale": float(job.values.get("strength", 1.0))}


def _mark(job: Job) -> int:
    try:
        return UUID(job.prompt or "").int % QUALITIES
    except ValueError:
        return QUALITIES - 1


def prediction(body: Any, doing: str) -> Prediction:
    """
    Read a prediction.

    Raises:
        AnswerLost: It is none: what was asked for may have happened all the same.
    """
    try:
        return Prediction.model_validate(body)
    except ValidationError as error:
        raise AnswerLost(f"{TITLE}: {doing}: {_unread(error)}") from None


def page(body: Any, doing: str) -> Page:
    try:
        return Page.model_validate(body)
    except ValidationError as error:
        raise AnswerLost(f"{TITLE}: {doing}: {_unread(error)}") from None


def _unread(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "all of it"
    return f"an answer that nobody can read ({where}: {first['type']})"


def refs_of(job: Job) -> list[str]:
    """What the API calls the pictures of this attempt, in their order; empty for one that is not known."""
    known = [ref if _ID.fullmatch(ref) else "" for ref in job.bridge_ref.split(",")]
    return [known[index] if index < len(known) else "" for index in range(job.count)]


def is_ours(url: URL, address: URL) -> bool:
    """Whether *url* may be given our key: it is at the API's own address."""
    return url.origin() == address.origin()
