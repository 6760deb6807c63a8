"""``/settings``, ``/link``, ``/admin user`` and ``/admin budget``: what follows them. Pure."""

import re
from datetime import timedelta

from bot.chat.commands import (
    Command,
    Link,
    OfferLink,
    SetBudget,
    SetMetadata,
    SetNotice,
    SetQuiet,
    Settings,
    ShowBudget,
    ShowPerson,
    Unlink,
)
from orchestrator.api import NoticeKind, QuietHours

_HOURS = re.compile(r"(\d{1,2}):([0-5]\d)-(\d{1,2}):([0-5]\d)")
_OFFSET = re.compile(r"([+-])(\d{1,2}):?([0-5]\d)?")
_AMOUNT = re.compile(r"\$?\d{1,6}(\.\d{1,2})?")
LONGEST_CODE = 20
MOST_USD = 10_000

KINDS = {
    NoticeKind.DONE: "pictures that you waited for longer than a minute",
    NoticeKind.FAILED: "requests that failed",
    NoticeKind.GIVING_BACK: "your GPU, before it is given back",
    NoticeKind.BUDGET: "your budget, when it is nearly used",
    NoticeKind.MACHINE: "machines that will not end, or belong to nobody",
    NoticeKind.ACCOUNT: "clouds that refuse our key",
    NoticeKind.BALANCE: "balances that run out",
    NoticeKind.BUDGETS: "budgets of everybody",
}


def read_link(words: list[str]) -> Command | None:
    match words:
        case []:
            return OfferLink()
        case ["remove"]:
            return Unlink()
        case [code] if len(code) <= LONGEST_CODE:
            return Link(code=code)
        case _:
            return None


def read_settings(words: list[str]) -> Command | None:
    match words:
        case []:
            return Settings()
        case ["notify", kind, "on" | "off" as state]:
            return SetNotice(kind=kind.lower().replace("_", "-"), on=state == "on")
        case ["quiet", "off"]:
            return SetQuiet(hours=None)
        case ["quiet", hours, *offset] if len(offset) <= 1:
            quiet = _quiet(hours, *offset)
            return None if quiet is None else SetQuiet(hours=quiet)
        case ["metadata", "on" | "off" as state]:
            return SetMetadata(on=state == "on")
        case _:
            return None


def read_user(words: list[str]) -> Command | None:
    match words:
        case []:
            return None
        case [first, *rest, "block" | "allow" as verb]:
            return ShowPerson(who=" ".join([first, *rest]), blocked=verb == "block")
        case _:
            return ShowPerson(who=" ".join(words))


def read_budget(words: list[str]) -> Command | None:
    match words:
        case []:
            return ShowBudget()
        case [cap, "off"]:
            return SetBudget(cap=cap.lower(), usd=None)
        case [cap, amount] if _AMOUNT.fullmatch(amount) and 0 < float(amount.removeprefix("$")) <= MOST_USD:
            return SetBudget(cap=cap.lower(), usd=float(amount.removeprefix("$")))
        case _:
            return None


def _quiet(hours: str, offset: str = "+00:00") -> QuietHours | None:
    """``22:00-08:00 +02:00``; None when that is no time."""
    times, zone = _HOURS.fullmatch(hours), _OFFSET.fullmatch(offset)
    if times is None or zone is None:
        return None
    begin, end = (timedelta(hours=int(h), minutes=int(m)) for h, m in (times.groups()[:2], times.groups()[2:]))
    ahead = timedelta(hours=int(zone[2]), minutes=int(zone[3] or 0))
    day = timedelta(days=1)
    if begin == end or max(begin, end) >= day or ahead > timedelta(hours=14):
        return None
    return QuietHours(begin=begin, end=end, offset=ahead if zone[1] == "+" else -ahead)


def quiet_words(quiet: QuietHours | None) -> str:
    if quiet is None:
        return "none"
    sign = "-" if quiet.offset < timedelta() else "+"
    return f"{_clock(quiet.begin)}-{_clock(quiet.end)} (UTC{sign}{_clock(abs(quiet.offset))})"


def _clock(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"
