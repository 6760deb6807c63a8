"""How long a call may take, and how much is asked for at once."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Limits on time, each for one call, and on size.

    Attributes:
        connect: For name, connection and TLS alone. What fails within it has sent nothing.
        hold: How long an order's answer may be held back until the picture is there, whole seconds from 1 to 60.
            Short: only the answer tells what the order is called.
        order: One order, the time it is held back included.
        read: Everything else but a picture.
        queue: How long an order may wait to be begun. Pools that accept and never begin have been met; a healthy
            cold start was 25 s, a warm one is under a second.
        run: From the order to its end; the API is told, and stops it by itself after that.
        poll: Between two looks at an order, and between two tries to fetch its picture.
        settle: How long an order whose answer was lost is looked for.
        patience: The longest refusal as "too often" that is waited for where several pictures are asked for.
        download: One picture, with all tries.
        answer_bytes: The longest answer that is read.
        picture_bytes: The longest picture that is read; a megapixel is about 2 MB.
        at_once: The most orders of one job at the same time.
        pages: The most pages of the listing, 100 orders each.
    """

    connect: timedelta = timedelta(seconds=10)
    hold: timedelta = timedelta(seconds=5)
    order: timedelta = timedelta(seconds=20)
    read: timedelta = timedelta(seconds=15)
    queue: timedelta = timedelta(seconds=15)
    run: timedelta = timedelta(seconds=90)
    poll: timedelta = timedelta(seconds=0.5)
    settle: timedelta = timedelta(seconds=10)
    patience: timedelta = timedelta(seconds=3)
    download: timedelta = timedelta(seconds=60)
    answer_bytes: int = 4 * 2**20
    picture_bytes: int = 32 * 2**20
    at_once: int = 4
    pages: int = 10
