"""
What a refusal means; pure.

Documented are 400, 401, 404, 429 and 500 (docs.runpod.io/serverless/endpoints/send-requests). What an empty account
gets is not, so both a 402 and words about money are read as that.
"""

import math
import re
from datetime import timedelta

from orchestrator.adapters.inference.runpod_serverless.client import Reply
from orchestrator.adapters.strangers import one_line
from orchestrator.domain.errors import (
    NOTHING,
    ApiOff,
    InferenceError,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
)
from orchestrator.domain.money import MicroUsd

LONGEST_WAIT_S = 3600.0
MONEY = ("insufficient balance", "insufficient credit", "insufficient funds", "low balance", "add funds", "no credits")
_SECRETS = re.compile(r"rpa_\w+|[0-9a-fA-F]{24,}|(?i:bearer\s+\S+)")


def tidy(text: str) -> str:
    """Foreign words, fit for one line of a log: short, printable, without anything that looks like a key."""
    return one_line(text, _SECRETS)


def words_of(reply: Reply) -> str:
    """What an answer says about itself."""
    said = [reply.fields.get(name) for name in ("error", "message", "detail", "title")]
    return tidy(": ".join(word for word in said if isinstance(word, str) and word))


def off(reply: Reply, title: str, *, cost: MicroUsd = NOTHING) -> ApiOff | None:
    """What only the operator can mend; None when it is not that."""
    words = words_of(reply)
    if reply.status == 402 or (400 <= reply.status < 500 and any(said in words.lower() for said in MONEY)):
        return ApiOff(f"{title}: the account is empty; add money at console.runpod.io", cost=cost)
    if reply.status in {401, 403}:
        return ApiOff(f"{title} refuses the key; see RUNPOD_API_KEY", cost=cost)
    return None


def gone(title: str) -> ApiOff:
    """No such endpoint."""
    return ApiOff(
        f"{title}: there is no such endpoint any more; see console.runpod.io, and RUNPOD_ENDPOINT if it is yours"
    )


def order_refused(reply: Reply, title: str, *, worst: MicroUsd) -> InferenceError:
    """
    Why an order was answered without a job.

    A 5xx may come from something between us and the queue, after the order has reached it.
    """
    said = f"{title}: {reply.status} {words_of(reply)}".rstrip()
    if reply.status == 404:
        return gone(title)
    if reply.status == 429:
        return InferenceUnavailable(said, retry_after=asked_wait(reply))
    if 400 <= reply.status < 500:
        return off(reply, title) or InferenceFailed(said)
    return InferenceUncertain(f"{said}, which names no job", cost=worst)


def asked_wait(reply: Reply) -> timedelta | None:
    """How long it wants us to wait, where it says so in seconds."""
    try:
        seconds = float(reply.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return timedelta(seconds=min(seconds, LONGEST_WAIT_S)) if math.isfinite(seconds) and seconds > 0 else None
