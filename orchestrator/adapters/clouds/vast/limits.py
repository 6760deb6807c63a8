"""How long a call may take, and how often the cloud lets itself be asked."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Limits on time, each for one call of the port that it names; waiting for a turn counts.

    Attributes:
        connect: For name, connection and TLS alone. What fails within it has sent nothing.
        read: One machine, the account, the keys.
        listing: A complete listing, all pages together.
        launch: One order. Long, because an order that is given up halfway has to be looked for.
        answer_bytes: The longest answer that is read.
        pages: The most pages of one listing.
    """

    connect: timedelta = timedelta(seconds=10)
    read: timedelta = timedelta(seconds=20)
    search: timedelta = timedelta(seconds=30)
    listing: timedelta = timedelta(seconds=60)
    launch: timedelta = timedelta(seconds=60)
    terminate: timedelta = timedelta(seconds=60)
    answer_bytes: int = 8 * 2**20
    pages: int = 200


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
