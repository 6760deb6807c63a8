"""What an answer of the API means, and its ways to say no as our errors."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestrator.adapters.strangers import HIDDEN, one_line
from orchestrator.domain.errors import ApiOff, InferenceError, InferenceFailed, InferenceUnavailable

TITLE = "Replicate"
LONGEST_WAIT_S = 3600.0
_RESETS = re.compile(r"resets? in ~?(\d{1,5}(?:\.\d{1,3})?)\s*s")
_SECRETS = re.compile(r"\b(?:r8|hf)_\w+|(?i:bearer\s+\S+)|(?i:(?<=[?&]x-amz-signature=)\w+)")


class AnswerLost(InferenceUnavailable):
    """The request may have arrived; what came of it is unknown. Of an order, this never leaves the adapter."""


class ModelGone(ApiOff):
    """It no longer has the model that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    One complete answer, whatever it says.

    Attributes:
        body: The JSON of it; None where it has none.
        key: Ours, which must not come back in a message.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    key: str = field(default="", repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def told(self) -> str:
        """What it says about itself, fit for a message: RFC 7807's title and detail, nothing else of the body."""
        fields = self.body if isinstance(self.body, dict) else {}
        words = ": ".join(str(fields[name]) for name in ("title", "detail") if fields.get(name))
        return f"{self.status} {tidy(words, self.key)}".rstrip()


def tidy(text: str, key: str = "") -> str:
    """Make their words fit for one line of a log: short, printable, without anything that looks like a key."""
    plain = text.replace(key, HIDDEN) if key else text
    return one_line(plain, _SECRETS)


def refusal(answer: Answer, doing: str) -> InferenceError:
    """
    Name the error for an answer that is no success; *doing* is what was asked, for the message.

    Statuses: replicate.com/docs/topics/predictions/rate-limits for 429; 401, 402, 404 and 422 by public clients.
    What else it may be, a 5xx above all, may come from an order that was carried out.
    """
    said = f"{TITLE}: {doing}: {answer.told.rstrip('.')}"
    match answer.status:
        case 401 | 403:
            return ApiOff(f"{said}. It refuses our key: put a valid one into REPLICATE_API_TOKEN.")
        case 402:
            return ApiOff(f"{said}. The account has no credit: add some at replicate.com/account/billing.")
        case 404:
            return ModelGone(f"{said}. It no longer has this model: switch this bridge off or use another one.")
        case 429 | 503:
            return InferenceUnavailable(said, retry_after=asked_wait(answer))
        case 400 | 413 | 422:
            return InferenceFailed(f"{said}. It does not take this request.")
        case _:
            return AnswerLost(said)


def asked_wait(answer: Answer) -> timedelta | None:
    """
    How long it wants us to wait; None when it does not say.

    The documented place is the text ("Your rate limit resets in ~30s."); ``ratelimit-reset`` was seen on real answers
    (replicate/replicate-python#380), ``Retry-After`` is what their own client 1.0.7 reads.
    """
    found = _RESETS.search(answer.told)
    for said in (answer.headers.get("Retry-After"), found and found[1], answer.headers.get("ratelimit-reset")):
        try:
            seconds = float(said or "nan")
        except ValueError:
            continue
        if math.isfinite(seconds):
            return timedelta(seconds=min(max(seconds, 0.0), LONGEST_WAIT_S))
    return None
