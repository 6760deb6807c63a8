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
        read: One request that changes nothing, and those about SSH keys.
        listing: A complete listing, all pages together.
        launch: One order. Long, because an order that is given up halfway has to be looked for.
        answer_bytes: The longest answer that is read.
        pages: The most pages of one listing.
    """

    connect: timedelta = timedelta(seconds=10)
    read: timedelta = timedelta(seconds=20)
    listing: timedelta = timedelta(seconds=60)
    launch: timedelta = timedelta(seconds=60)
    terminate: timedelta = timedelta(seconds=60)
    answer_bytes: int = 8 * 2**20
    pages: int = 100


class Claim(IntEnum):
    """Who goes first where several wait for their turn."""

    ENDS_SPENDING = 0
    USUAL = 1


# The account may be asked once a second, and order one machine each 12 s: Lambda's API specification, version 1.8.3,
# "Rate limiting". Nothing is said there about an answer that refuses, so that waits grow until one is accepted.
CALL_INTERVAL_S = 1.0
LAUNCH_INTERVAL_S = 12.0
