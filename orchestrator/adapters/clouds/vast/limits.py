"""How often the cloud lets itself be asked."""

from dataclasses import dataclass
from enum import IntEnum


class Claim(IntEnum):
    """Who goes first where several wait for the same endpoint."""

    ENDS_SPENDING = 0
    USUAL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """
    One operation and the pace at which the cloud lets it be asked.

    Attributes:
        lane: Operations of one lane take turns: the cloud counts by path.
        interval_s: The shortest time until the lane's next call.
        penalty_s: How long to stay away after a refusal that names no time.
    """

    lane: str
    interval_s: float
    penalty_s: float
    claim: Claim = Claim.USUAL


# Intervals: vast-ai/docs (c624622), rate-limits-and-errors.mdx and the `x-rate-limit` notes of its OpenAPI files.
# Showing and ending share a path. Nothing is documented for reading keys and account: the usual second is kept.
SEARCH = Endpoint(lane="bundles", interval_s=6.0, penalty_s=6.0)
LAUNCH = Endpoint(lane="asks", interval_s=4.5, penalty_s=12.0)
LIST = Endpoint(lane="instances", interval_s=1.0, penalty_s=1.0)
SHOW = Endpoint(lane="instance", interval_s=2.0, penalty_s=2.0)
TERMINATE = Endpoint(lane="instance", interval_s=3.0, penalty_s=3.0, claim=Claim.ENDS_SPENDING)
ATTACH_KEY = Endpoint(lane="instance keys", interval_s=1.0, penalty_s=1.0)
LIST_KEYS = Endpoint(lane="keys", interval_s=1.0, penalty_s=1.0)
ADD_KEY = Endpoint(lane="keys", interval_s=1.0, penalty_s=1.0)
ACCOUNT = Endpoint(lane="account", interval_s=1.0, penalty_s=1.0)
