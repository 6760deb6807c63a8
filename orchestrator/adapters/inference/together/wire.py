"""Together's JSON <-> our values."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from orchestrator.domain.inference import size_of
from orchestrator.domain.job import Job

MOST_A_CALL = 4
"""Pictures of one call (docs.together.ai, docs/inference/images/parameters: ``n`` up to 4)."""

SEEDS = 2**53
USUAL = "black-forest-labs/FLUX.1-schnell"


class Model(BaseModel):
    """One entry of ``GET /models``, which is a bare list (Together's OpenAPI 2.0.0, ``ModelInfoList``)."""

    id: str
    type: str = ""

    @property
    def is_flux(self) -> bool:
        return self.type == "image" and "flux" in self.id.lower()


class _Picture(BaseModel):
    index: int = 0
    b64_json: str


class _Pictures(BaseModel):
    data: list[_Picture]


def order_body(model: str, job: Job, *, first: int, count: int) -> dict[str, Any]:
    """
    Write one call.

    A batch of one call follows from one seed; later calls of a job take later seeds, or they would be the same again.
    The safety checker stays as it is by default: on.

    Args:
        first: The number of its first picture within the job.
    """
    width, height = size_of(job)
    negative = str(job.values.get("negative", "")).strip()
    return {
        "model": model,
        "prompt": str(job.values.get("prompt", "")),
        "width": width,
        "height": height,
        "steps": steps_of(job),
        "n": count,
        "seed": (job.seed + first) % SEEDS,
        "response_format": "base64",  # a link needs a User-Agent, and nobody says how long it lives
        "output_format": "png",
        **({"negative_prompt": negative} if negative else {}),
    }


def steps_of(job: Job) -> int:
    return int(job.values.get("steps", 4))


def models_of(body: object) -> tuple[Model, ...]:
    """Read the list of models.

    Raises:
        ValueError: It is none; entries that are not understood are left out.
    """
    if not isinstance(body, list):
        raise TypeError("not a list")
    found = []
    for entry in body:
        try:
            found.append(Model.model_validate(entry))
        except ValidationError:
            continue
    return tuple(found)


def schnell_of(models: tuple[Model, ...]) -> str | None:
    """Which of them is FLUX.1 schnell: the usual name, another paid one, the free one (slower, rate limited), none."""
    ids = [model.id for model in models if model.is_flux and "schnell" in model.id.lower()]
    return min(ids, key=lambda each: (each != USUAL, is_free(each), each), default=None)


def is_free(model: str) -> bool:
    return model.lower().endswith("-free")


def pictures_of(body: object) -> tuple[bytes, ...]:
    """
    Decode the pictures in the order of their numbers.

    Raises:
        ValueError: That is no list of pictures, or one is not base64.
    """
    try:
        found = _Pictures.model_validate(body)
    except ValidationError as error:
        raise ValueError("no list of pictures") from error
    try:
        ordered = sorted(found.data, key=lambda each: each.index)
        return tuple(base64.b64decode(each.b64_json, validate=True) for each in ordered)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def complaint_of(body: object) -> tuple[str, str]:
    """``(message, code)`` of an error, empty where it tells none (OpenAPI 2.0.0, ``ErrorData``)."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return error, ""
    if not isinstance(error, Mapping):
        return "", ""
    return tuple(value if isinstance(value := error.get(name), str) else "" for name in ("message", "code"))  # type: ignore[return-value]
