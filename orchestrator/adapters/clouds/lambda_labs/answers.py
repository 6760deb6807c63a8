"""What an answer that is no success means: Lambda's codes as our errors."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
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

LONGEST_WAIT_S = 3_600.0

# Codes, by Lambda's API specification, version 1.8.3. Of an error its code alone says what it is; a code that begins
# with "provider/" comes from whoever runs the region.
NO_SUCH = "global/object-does-not-exist"
NO_CAPACITY = "instance-operations/launch/insufficient-capacity"
WRONG_REGION = "instance-operations/launch/file-system-in-wrong-region"
KEY_EXISTS = frozenset({"global/duplicate", "global/invalid-parameters"})
ACCOUNT = frozenset(
    {
        "global/invalid-api-key",
        "global/account-inactive",
        "global/invalid-address",
        "global/quota-exceeded",
    }
)
FROM_REGION = "provider/"

_SECRETS = re.compile(r"[0-9a-fA-F]{24,}|secret_\S+|(?i:bearer\s+\S+)|token=\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    One complete answer, whatever it says.

    Attributes:
        body: The JSON of it; None where it has none. It may hold secrets: every machine's has a Jupyter token.
        key: Ours, which must not come back in a message.
        wait_s: How long to stay away, where the cloud says that we ask too often.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    key: str = field(default="", repr=False)
    wait_s: float = 0.0

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def _error(self) -> Mapping[str, Any]:
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return error if isinstance(error, dict) else {}

    @property
    def code(self) -> str:
        """The cloud's own name of an error, or nothing."""
        code = self._error.get("code")
        return code if isinstance(code, str) else ""

    @property
    def told(self) -> str:
        """Status, code, message and suggestion, fit for a message; nothing else of the body."""
        said = [self._error.get(name) for name in ("code", "message", "suggestion")]
        words = ": ".join(word.rstrip(".") for word in said if isinstance(word, str) and word)
        hidden = words.replace(self.key, HIDDEN) if self.key else words
        return f"{self.status} {tidy(hidden) or ('no JSON' if self.body is None else 'without an error code')}"

    @property
    def is_rate_limit(self) -> bool:
        """Looked at before any code: the body of such an answer is not specified."""
        return self.status == 429

    @property
    def is_gone(self) -> bool:
        """Whether the cloud itself says that it has no such thing."""
        return self.status == 404 and self.code == NO_SUCH


def tidy(text: str) -> str:
    """Make the cloud's words fit for one line of a log: short, printable, without anything that looks like a key."""
    return one_line(text, _SECRETS)


def refusal(cloud: CloudName, answer: Answer, doing: str) -> CloudError:
    """Name the error for an answer that is no success; *doing* is what was asked, for the message."""
    message = f"{doing}: {answer.told}"
    if answer.is_rate_limit:
        return RateLimited(cloud, message, retry_after=timedelta(seconds=answer.wait_s))
    if answer.status in {401, 402, 403} or answer.code in ACCOUNT:
        return AccountProblem(cloud, message)
    if answer.status >= 500 or answer.status == 408 or answer.code.startswith(FROM_REGION):
        return CloudUnavailable(cloud, message)
    return CloudProtocolError(cloud, message)


def launch_refusal(cloud: CloudName, answer: Answer) -> CloudError:
    """
    The same for an order: a region that has sold out is the normal case.

    A type, or the file system that the offer was made with, may have gone since.
    """
    if 400 <= answer.status < 500 and answer.code in {NO_CAPACITY, NO_SUCH, WRONG_REGION}:
        return OfferGone(cloud, f"launch: {answer.told}")
    return refusal(cloud, answer, "launch")


def asked_wait(answer: Answer) -> float | None:
    """Seconds that the cloud wants us to wait; None when it does not say, which its specification does not promise."""
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S) if math.isfinite(seconds) else None
