"""Policies by the names that people type."""

import re
from collections.abc import Callable
from datetime import timedelta

from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.fixed import DAY_HOURS, AlwaysOn, BridgeOnly, Fixed
from orchestrator.domain.policy.renting import FirstUser, RentingPolicy

NAMES = "auto, first-user, bridge-only, fixed(REQUESTS,WINDOW_S,KEEP_S), always-on(24|16|12|6) or always-on(BEGIN-END)"

HIS_HOURS = {24: (0, 24), 16: (10, 2), 12: (14, 2), 6: (17, 23)}
"""The first user's fixed schedules: so many hours a day, from and until when, UTC."""

_PLAIN: dict[str, Callable[[timedelta], RentingPolicy]] = {
    "auto": lambda idle: Auto(idle_timeout=idle),
    "first-user": lambda idle: FirstUser(idle_timeout=idle),
    "bridge-only": lambda idle: BridgeOnly(idle_timeout=idle),
}
_FIXED = re.compile(r"fixed\((\d{1,6}),(\d{1,6}),(\d{1,6})\)")
_ALWAYS = re.compile(r"always-on\((?:(24|16|12|6)|(\d{1,2})-(\d{1,2}))\)")


def policy_by_name(name: str, idle_timeout: timedelta) -> RentingPolicy:
    """
    The policy called *name*; blanks in it do not count.

    Raises:
        ValueError: There is none; the text says which there are.
    """
    text = "".join(name.split())
    if text in _PLAIN:
        return _PLAIN[text](idle_timeout)
    if found := _FIXED.fullmatch(text):
        requests, window_s, keep_s = map(int, found.groups())
        if requests and window_s:
            window, keep = timedelta(seconds=window_s), timedelta(seconds=keep_s)
            return Fixed(requests=requests, window=window, keep=keep, idle_timeout=idle_timeout)
    if found := _ALWAYS.fullmatch(text):
        schedule, begin, end = (int(hour or 0) for hour in found.groups())
        begins, ends = HIS_HOURS.get(schedule, (begin, end))
        if begins < DAY_HOURS and ends <= DAY_HOURS:
            hours = (ends - begins) % DAY_HOURS or DAY_HOURS
            return AlwaysOn(begins=begins, hours=hours, idle_timeout=idle_timeout)
    raise ValueError(f"there is no policy {name!r}; choose {NAMES}")
