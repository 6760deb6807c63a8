"""What an answer that is no success means: RunPod's ways to say no, as our errors."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestrator.adapters.clouds.runpod.limits import LONGEST_WAIT_S, USUAL_WAIT_S
from orchestrator.adapters.strangers import HIDDEN, one_line
from orchestrator.domain.errors import (
    AccountProblem,
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    RateLimited,
)
from orchestrator.domain.ids import CloudName

_SECRETS = re.compile(r"(?i:bearer\s+\S+)|\brpa_\w+|\b[0-9a-fA-F]{24,}\b")

NO_CAPACITY = (
    "no longer any instances available",
    "no instances currently available",
    "not have the resources to deploy",
    "no capacity",
    "out of stock",
    "could not be placed",
)
"""Words of a 400 that is no fault of the order: capacity has no code of its own (REST v2, createPod)."""

KEY_REFUSED = ("unauthorized", "not authorized", "unauthenticated", "invalid api key", "forbidden")
"""Words of a GraphQL error, which comes with status 200."""


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
    def fields(self) -> Mapping[str, Any]:
        return self.body if isinstance(self.body, dict) else {}

    @property
    def errors(self) -> tuple[str, ...]:
        """Lines of ``errors``: texts in a problem (RFC 9457), objects with a message in GraphQL."""
        listed = self.fields.get("errors")
        lines = listed if isinstance(listed, list) else []
        said = (line.get("message") if isinstance(line, dict) else line for line in lines)
        return tuple(line for line in said if isinstance(line, str))

    @property
    def words(self) -> str:
        """What it says about itself, and nothing else of the body."""
        said = [self.fields.get(name) for name in ("title", "detail")]
        return ": ".join([*(word for word in said if isinstance(word, str) and word), *self.errors])

    @property
    def told(self) -> str:
        """Its words, fit for a message."""
        return f"{self.status} {tidy(self.words.replace(self.key, HIDDEN) if self.key else self.words)}".rstrip()

    def says(self, *phrases: str) -> bool:
        words = self.words.lower()
        return any(phrase in words for phrase in phrases)

    @property
    def is_gone(self) -> bool:
        """Whether the API itself says that it has no such pod; a 404 from anything in between says nothing."""
        return self.status == 404 and self.fields.get("status") == 404

    @property
    def wait_s(self) -> float:
        """How long a 429 wants us to stay away."""
        try:
            seconds = float(self.headers.get("Retry-After", ""))
        except ValueError:
            return USUAL_WAIT_S
        return min(max(seconds, 0.0), LONGEST_WAIT_S) if math.isfinite(seconds) else USUAL_WAIT_S


def tidy(text: str) -> str:
    """Make the cloud's words fit for one line of a log: short, printable, without anything that looks like a key."""
    return one_line(text, _SECRETS)


def refusal(cloud: CloudName, answer: Answer, doing: str) -> CloudError:
    """Name the error for an answer that is no success; *doing* is what was asked, for the message."""
    message = f"{doing}: {answer.told}"
    match answer.status:
        case 429:
            return RateLimited(cloud, message, retry_after=timedelta(seconds=answer.wait_s))
        case 401 | 403:
            return AccountProblem(cloud, f"{message}; see that the API key is whole and may do this")
        case 402:
            return AccountProblem(cloud, f"{message}; add credit at RunPod, which asks for an hour's worth")
        case 408:
            return CloudUnavailable(cloud, message)
        case status if status >= 500:
            return CloudUnavailable(cloud, message)
    return CloudProtocolError(cloud, message)


def graphql_refusal(cloud: CloudName, answer: Answer, doing: str) -> CloudError:
    """The same for GraphQL, which says no with status 200 and a list of errors."""
    if answer.is_success and answer.says(*KEY_REFUSED):
        return AccountProblem(cloud, f"{doing}: {answer.told}; see that the API key may read GraphQL")
    return refusal(cloud, answer, doing)
