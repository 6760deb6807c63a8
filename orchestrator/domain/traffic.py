"""How pictures are asked for, and how long machines live for it under the first user's rule. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

IDLE = timedelta(minutes=10)
"""His rule: a person's machine is given back when nobody has asked for so long."""

MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """
    What was asked for in *span*.

    Attributes:
        stretches: How often a machine would have been rented: requests of one person, none more than :data:`IDLE`
            after the one before.
        busy: From the first to the last request of each stretch, in all.
    """

    pictures: int
    span: timedelta
    stretches: int
    busy: timedelta

    @property
    def pictures_month(self) -> float:
        return self.pictures * (MONTH / self.span)

    @property
    def stretches_month(self) -> float:
        return self.stretches * (MONTH / self.span)

    def machine_month(self, cold_start: timedelta) -> timedelta:
        """Machine time a month: each stretch with its cold start before it and the idle time after it."""
        each = cold_start + IDLE
        return self.busy * (MONTH / self.span) + each * self.stretches_month


FIRST_USER = Traffic(pictures=5817, span=timedelta(days=90), stretches=933, busy=timedelta(hours=60, minutes=30))
"""His 90 days: the pictures as he counted them, the stretches from a log with the statistics that he gave."""

HIS_RUN = timedelta(seconds=491.6)
"""His one run that worked, from the order to its picture."""

HIS_PICTURE = timedelta(seconds=14.4)
"""The picture itself."""

HIS_COLD_START = HIS_RUN - HIS_PICTURE
"""What is assumed of a cloud that nobody has measured."""

HIS_SUCCESS_RATE = 0.2
"""One run of five worked."""


def traffic_of(requests: Iterable[tuple[datetime, str]]) -> Traffic | None:
    """Count *requests* (when, whose), in whatever order; None where there are none."""
    of_user: defaultdict[str, list[datetime]] = defaultdict(list)
    for at, user in requests:
        of_user[user].append(at)
    if not of_user:
        return None
    moments = [at for times in of_user.values() for at in times]
    parts = [_stretches(sorted(times)) for times in of_user.values()]
    return Traffic(
        pictures=len(moments),
        span=max(max(moments) - min(moments), timedelta(days=1)),
        stretches=sum(count for count, _ in parts),
        busy=sum((busy for _, busy in parts), timedelta()),
    )


def _stretches(times: list[datetime]) -> tuple[int, timedelta]:
    """How many, and how long they are together."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return 1 + sum(gap > IDLE for gap in gaps), sum((gap for gap in gaps if gap <= IDLE), timedelta())
