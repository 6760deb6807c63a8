"""Logs to judge policies on: ninety days of the first user's people, and of people who are quite unlike them."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from math import log
from pathlib import Path

from orchestrator.adapters.activity_log import Remarks, read_log
from orchestrator.domain.bounds import Times, people_of

FIRST_USER = Path(__file__).parents[1] / "data" / "generations_90d.csv"
DAYS = 90
DAY_S, HOUR_S = 86_400.0, 3600.0
WORKDAYS, WEEK = 5, 7


def first_users_people() -> tuple[Times, ...]:
    return people_of(read_log(FIRST_USER, Remarks()))


def halves(people: Sequence[Times]) -> tuple[tuple[Times, ...], tuple[Times, ...]]:
    """The first 45 days and the rest, of the same people in the same order; who asked for nothing has no times."""
    middle = DAYS / 2 * DAY_S
    first = tuple([at for at in times if at < middle] for times in people)
    rest = tuple([at for at in times if at >= middle] for times in people)
    return first, rest


def office_team(seed: int) -> tuple[Times, ...]:
    """Six people on workdays: some sittings each, most of them a request or two, a few of them long."""
    dice = random.Random(f"team/{seed}")
    return tuple(sorted(_at_work(dice)) for _ in range(6))


def _at_work(dice: random.Random) -> Iterator[float]:
    for day in range(DAYS):
        for _ in range(dice.choice((0, 0, 1, 1, 2, 3)) if day % WEEK < WORKDAYS else 0):
            at = day * DAY_S + dice.uniform(8, 17) * HOUR_S
            for _ in range(min(int(dice.paretovariate(0.9)), 200)):
                yield at
                at += dice.lognormvariate(log(50), 1)


def night_owl(seed: int) -> tuple[Times, ...]:
    """One person, every other night from ten or later, for two hours or so."""
    dice = random.Random(f"owl/{seed}")
    nights = [day * DAY_S for day in range(DAYS) if dice.random() < 1 / 2]
    return ([at for night in nights for at in _one_night(night, dice)],)


def _one_night(night: float, dice: random.Random) -> Iterator[float]:
    at = night + 22 * HOUR_S + dice.uniform(0, 2) * HOUR_S
    end = at + dice.expovariate(1 / (2 * HOUR_S))
    while at < end:
        yield at
        at += dice.lognormvariate(log(60), 1.2)


def poisson(seed: int) -> tuple[Times, ...]:
    """Five people who ask at any moment alike, from once in ten days to some forty times a day."""
    dice = random.Random(f"poisson/{seed}")
    rates = [10 ** dice.uniform(-1, 1.6) / DAY_S for _ in range(5)]
    return tuple(list(takewhile(lambda at: at < DAYS * DAY_S, _at_random(rate, dice))) for rate in rates)


def _at_random(rate: float, dice: random.Random) -> Iterator[float]:
    at = 0.0
    while True:
        at += dice.expovariate(rate)
        yield at


GENERATED: Mapping[str, Callable[[int], tuple[Times, ...]]] = {
    "office team": office_team,
    "night owl": night_owl,
    "poisson": poisson,
}
