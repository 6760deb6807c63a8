"""What an answer that is no success means: the cloud's many ways to say no, as our errors."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from orchestrator.adapters.strangers import HIDDEN, one_line
from orchestrator.domain.errors import (
    AccountProblem,
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    OfferGone,
    RateLimited,
)
from orchestrator.domain.ids import CloudName

LONGEST_WAIT_S = 86_400.0
"""The search quota starts again at midnight: no honest wait is longer than a day."""

KEY_REFUSED = ("auth_error", "invalid user key", "requires login", "please log in", "session expired")
NO_MONEY = ("insufficient_credit", "insufficient credit", "spend_rate_limit", "spend limit", "spend rate limit")
TOO_OFTEN = ("rate_limit_exceeded", "search_quota_exceeded", "requests too frequent")
GONE = frozenset({"no_such_instance", "not_found"})

_THRESHOLD = re.compile(r"threshold=(\d{1,4}(?:\.\d{1,3})?)")
_SECRETS = re.compile(r"[0-9a-fA-F]{24,}|(?i:bearer\s+\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    One complete answer, whatever it says.

    Attributes:
        text: As it came; it may hold secrets and never goes into a message.
        body: The JSON of it; None where it has none.
        key: Ours, which must not come back in a message.
        wait_s: How long to stay away, where the cloud says that we ask too often.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    body: Any = field(repr=False)
    key: str = field(default="", repr=False)
    wait_s: float = 0.0

    @property
    def is_success(self) -> bool:
        """2xx, and not a `success: false` in disguise."""
        return 200 <= self.status < 300 and self.fields.get("success") is not False

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.body if isinstance(self.body, dict) else {}

    @property
    def code(self) -> str:
        """The cloud's own name of an error, or nothing."""
        code = self.fields.get("error")
        return code if isinstance(code, str) else ""

    @property
    def words(self) -> str:
        """What it says about itself: code and message, nothing else of the body."""
        said = [self.fields.get(name) for name in ("error", "msg", "message", "detail")]
        words = ": ".join(word for word in said if isinstance(word, str) and word)
        return words if self.body is not None else self.text

    @property
    def told(self) -> str:
        """Its words, fit for a message."""
        return f"{self.status} {tidy(self.words.replace(self.key, HIDDEN) if self.key else self.words)}".rstrip()

    def says(self, *phrases: str) -> bool:
        words = self.words.lower()
        return any(phrase in words for phrase in phrases)

    @property
    def is_rate_limit(self) -> bool:
        return self.status == 429 or (not self.is_success and self.says(*TOO_OFTEN))

    @property
    def is_key_refused(self) -> bool:
        """Read before any 404 is: a revoked key must not look as if every machine had vanished."""
        return self.status in {401, 403} or (not self.is_success and self.says(*KEY_REFUSED))

    @property
    def is_gone(self) -> bool:
        """Whether the cloud itself says that it has no such machine."""
        refused = 400 <= self.status < 500 or self.status == 200
        return refused and not self.is_success and not self.is_key_refused and self.code in GONE

    @property
    def is_taken(self) -> bool:
        """The one mark of a taken offer: seen with 400, 404 and 410, as code and inside the message."""
        return not self.is_success and self.status < 500 and "no_such_ask" in self.text


def tidy(text: str) -> str:
    """Make the cloud's words fit for one line of a log: short, printable, without anything that looks like a key."""
    return one_line(text, _SECRETS)


def refusal(cloud: CloudName, answer: Answer, doing: str) -> CloudError:
    """Name the error for an answer that is no success; *doing* is what was asked, for the message."""
    message = f"{doing}: {answer.told}"
    if answer.is_rate_limit:
        return RateLimited(cloud, message, retry_after=timedelta(seconds=answer.wait_s))
    if answer.is_key_refused or answer.status == 402 or answer.says(*NO_MONEY):
        return AccountProblem(cloud, message)
    if answer.status >= 500 or answer.status == 408:
        return CloudUnavailable(cloud, message)
    return CloudProtocolError(cloud, message)


def launch_refusal(cloud: CloudName, answer: Answer) -> CloudError:
    """The same for an order, where a taken offer is the normal case."""
    if answer.is_taken:
        return OfferGone(cloud, f"launch: {answer.told}")
    return refusal(cloud, answer, "launch")


def asked_wait(answer: Answer) -> float | None:
    """Seconds that the cloud wants us to wait, wherever it says so; None when it does not."""
    for said in (answer.headers.get("Retry-After"), answer.fields.get("retry_after"), _until_reset(answer)):
        seconds = _seconds(said)
        if seconds is not None:
            return seconds
    threshold = _THRESHOLD.search(answer.words)
    return float(threshold[1]) if threshold else None


def _seconds(said: object) -> float | None:
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return None
    try:
        seconds = float(said)
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S) if math.isfinite(seconds) else None


def _until_reset(answer: Answer) -> float | None:
    """How long until the daily search quota starts again, by the cloud's own clock."""
    if "search_quota_exceeded" not in answer.words:
        return None
    now = _date(answer)
    reset = _epoch(answer.headers.get("X-RateLimit-Reset"))
    if now is None:
        return 3600.0
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return ((reset or midnight) - now).total_seconds()


def _date(answer: Answer) -> datetime | None:
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _epoch(said: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(said or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None
