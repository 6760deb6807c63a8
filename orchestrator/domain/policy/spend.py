"""Caps on money: booked plus worst case must fit before anything is ordered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from orchestrator.domain.instance import Instance
from orchestrator.domain.money import MicroUsd, price_of


class Cap(StrEnum):
    PERSON_DAY = "person_day"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most that may be spent; None sets no limit."""

    person_day: MicroUsd | None
    day: MicroUsd | None
    month: MicroUsd | None


UNCAPPED = Caps(person_day=None, day=None, month=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Booked so far plus what is reserved for machines that still run."""

    person_day: MicroUsd
    day: MicroUsd
    month: MicroUsd


def limit_of(caps: Caps, cap: Cap) -> MicroUsd:
    limits = {Cap.PERSON_DAY: caps.person_day, Cap.DAY: caps.day, Cap.MONTH: caps.month}
    return limits[cap] or MicroUsd(0)


def used_shares(caps: Caps, spent: Spent) -> tuple[tuple[Cap, MicroUsd, float], ...]:
    """Of each cap that is set: its limit, and how much of it is used; 1 is all."""
    found = (
        (Cap.PERSON_DAY, caps.person_day, spent.person_day),
        (Cap.DAY, caps.day, spent.day),
        (Cap.MONTH, caps.month, spent.month),
    )
    return tuple((cap, limit, so_far / limit) for cap, limit, so_far in found if limit)


def broken_cap(caps: Caps, spent: Spent, extra: MicroUsd, *, share: float = 1.0) -> Cap | None:
    """The first cap that *extra* on top of *spent* would break, or None. *share* 1.2 tells 20 % above."""
    checks = (
        (Cap.PERSON_DAY, caps.person_day, spent.person_day),
        (Cap.DAY, caps.day, spent.day),
        (Cap.MONTH, caps.month, spent.month),
    )
    return next((cap for cap, limit, so_far in checks if limit is not None and so_far + extra > limit * share), None)


def once_given_up(
    spent: Spent, row: Instance, live: Iterable[Instance], alone_for: Callable[[Instance], timedelta]
) -> Spent:
    """
    What *spent* comes to at most if *row* is given up now, and from now on no cloud can be told to end a machine.

    Each of those that *live* then costs money until its dead-man's switch ends it, *alone_for* after us. One that is
    given up frees what was reserved for it beyond that; one that goes on working keeps it.
    """
    of_person = of_all = 0
    for each in live:
        reserved = max(each.reserved - each.booked, 0)
        at_least = -reserved if each.is_over or each.id == row.id else 0
        last = price_of(each.price, alone_for(each)) if each.ended_at is None else 0  # its cloud has agreed
        more = max(last - reserved, at_least)
        of_all += more
        of_person += more if each.user == row.user else 0
    return Spent(
        person_day=MicroUsd(spent.person_day + of_person),
        day=MicroUsd(spent.day + of_all),
        month=MicroUsd(spent.month + of_all),
    )
