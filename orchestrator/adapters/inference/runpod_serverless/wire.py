"""Their JSON <-> our values; pure."""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.adapters.inference.runpod_serverless.answers import tidy
from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.strangers import is_picture

COMPLETED, FAILED, CANCELLED, TIMED_OUT = "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"
IN_QUEUE = "IN_QUEUE"
OVER = frozenset({COMPLETED, FAILED, CANCELLED, TIMED_OUT})
"""Any other word, also one that nobody has documented, is a job that goes on."""

_REF = re.compile(r"[\w-]{1,100}", re.ASCII)
_MOST_PICTURES = 64


class NoPictures(Exception):
    """A result without what we asked for; the text says what it had instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """
    One job as ``/status`` tells it.

    Attributes:
        error: Why it failed, in the worker's words.
        delay_s: What it waited for a worker, that worker's start included; 0 while it is not told.
        run_s: What it ran; None while it is not told.
    """

    word: str
    output: Any = field(default=None, repr=False)
    error: str = ""
    delay_s: float = 0.0
    run_s: float | None = None

    @property
    def is_over(self) -> bool:
        return self.word in OVER


def is_ref(ref: object) -> bool:
    """Whether it can be the id of a job: it goes into a path."""
    return isinstance(ref, str) and _REF.fullmatch(ref) is not None


def order(given: Mapping[str, Any], limits: Limits) -> bytes:
    """
    The body of ``/run``.

    Its policy ends what we no longer wait for: by default a forgotten job could begin within a day and then run for ten
    minutes (docs.runpod.io/serverless/endpoints/send-requests; both in ms, at least 10 s and 5 s).
    """
    policy = {
        "ttl": max(10_000, round(limits.whole.total_seconds() * 1000)),
        "executionTimeout": max(5_000, round(limits.run.total_seconds() * 1000)),
    }
    return json.dumps({"input": given, "policy": policy}).encode()


def state_of(body: Any) -> JobState | None:
    """One job; None where nobody can tell."""
    if not isinstance(body, dict) or not isinstance(word := body.get("status"), str):
        return None
    output = body.get("output")
    return JobState(
        word=word,
        output=output,
        error=_error_of(body.get("error"), output),
        delay_s=_seconds(body.get("delayTime")) or 0.0,
        run_s=_seconds(body.get("executionTime")),
    )


def _error_of(error: Any, output: Any) -> str:
    """
    The error in plain words.

    A worker's own complaint is text, with details left in the output; a crash of its handler is JSON in that text
    (rp_job.py of PyPI runpod 1.12.0).
    """
    details = output.get("details") if isinstance(output, dict) else None
    more = [each for each in details if isinstance(each, str)][:3] if isinstance(details, list) else []
    text = error if isinstance(error, str) else "" if error is None else json.dumps(error)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        said = [told.get(name) for name in ("error_type", "error_message")]
        text = ": ".join(word for word in said if isinstance(word, str)) or text
    return tidy("; ".join([text, *more]))


def _seconds(milliseconds: Any) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    seconds = milliseconds / 1000
    return seconds if math.isfinite(seconds) and 0 <= seconds < 1e6 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """What ``/health`` counts; real answers have more words than the documentation."""

    counts: Mapping[str, int]

    @property
    def are_coming(self) -> bool:
        """Whether one is at work or starts, so that a queued job has something to wait for."""
        return any(self.counts.get(word, 0) > 0 for word in ("initializing", "running", "ready", "idle"))

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {tidy(word)}" for word, count in list(self.counts.items())[:8] if count)
        return counted or "none"


def workers_of(body: Any) -> Workers | None:
    """The workers of an endpoint; None where nobody can tell."""
    counts = body.get("workers") if isinstance(body, dict) else None
    if not isinstance(counts, dict):
        return None
    return Workers(counts={word: n for word, n in counts.items() if isinstance(n, int) and not isinstance(n, bool)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """
    What worker-comfyui hands back.

    Attributes:
        pictures: Bytes, or the address where they are.
        errors: What went wrong beside them.
    """

    pictures: tuple[bytes | str, ...]
    errors: tuple[str, ...] = ()


def comfy_output(output: Any) -> Output:
    """
    Read a result of worker-comfyui (README of runpod-workers/worker-comfyui 5.8.5, and of 4.x for ``message``).

    Raises:
        NoPictures: There are none, or what there is cannot be read.
    """
    if output is None:
        raise NoPictures(
            "it completed without a result, as it does when the pictures are too large to hand back; "
            "ask for fewer or smaller ones, or give the endpoint a bucket"
        )
    if not isinstance(output, dict):
        raise NoPictures("its result is not what worker-comfyui says")
    errors = tuple(tidy(str(each)) for each in _list(output.get("errors"))[:5])
    pictures = tuple(_picture_of(each) for each in _list(output.get("images"))[:_MOST_PICTURES])
    if not pictures and isinstance(message := output.get("message"), str):
        pictures = (_old_picture(message),)
    if not pictures:
        raise NoPictures("; ".join(errors) or tidy(f"it made no picture ({output.get('status', 'nothing said')})"))
    return Output(pictures=pictures, errors=errors)


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _picture_of(image: Any) -> bytes | str:
    fields = image if isinstance(image, dict) else {}
    data = fields.get("data")
    if not isinstance(data, str):
        raise NoPictures("a picture of it has no data")
    return data if fields.get("type") == "s3_url" else decoded(data)


def _old_picture(message: str) -> bytes | str:
    """Before 5.0 there was one picture, and it was the message."""
    return message if message.startswith(("https://", "http://")) else decoded(message)


def decoded(data: str) -> bytes:
    """A picture from base64, or from a data URI of it.

    Raises:
        NoPictures: It is none.
    """
    plain = data.partition(",")[2] if data.startswith("data:") else data
    try:
        content = base64.b64decode(plain, validate=True)
    except (ValueError, binascii.Error):
        raise NoPictures("what it sent as a picture is no base64") from None
    return checked(content)


def checked(content: bytes) -> bytes:
    """The same, if it begins as PNG, JPEG or WebP do.

    Raises:
        NoPictures: It does not.
    """
    if not is_picture(content):
        raise NoPictures("what it sent is no picture")
    return content
