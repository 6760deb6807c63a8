"""How long a call to a cloud may take. Lambda Cloud has fewer calls, and limits of its own."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Limits on time, each for one call of the port that it names; waiting for a turn counts.

    Attributes:
        connect: For name, connection and TLS alone. What fails within it has sent nothing.
        read: One machine, the account, the keys: one request that changes no machine.
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
