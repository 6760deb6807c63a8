"""Why a request went where it went, and what makes the policies rent: sentences for ``/why`` and ``/policy``."""

import re
from datetime import timedelta

from bot.chat.voice import Voice
from bot.chat.words import minutes, plural, usd
from orchestrator.api import Decision, PolicyView, Preference, Routing

ROUGHLY = timedelta(minutes=2)
"""From here on a stretch that is not in whole minutes is said in them."""

OBSTACLES = {
    "own": "--own: it is made on your own machine, however cold that is",
    "own_lora": "only a machine could make it: a LoRA that was added here is given to no API",
    "lora": "only a machine could make it: no API here has that LoRA, or not at that strength",
    "workflow": "only a machine could make it: no API here has the model of that workflow",
    "words": "only a machine could make it: no API here can leave out what was named to be left out",
    "steps": "only a machine could make it: no API here takes that many steps",
    "size": "only a machine could make it: no API here makes pictures of that size",
}
PREFERRED = {
    Preference.NOW: "--now: it is made wherever it is there soonest",
    Preference.CHEAP: "--cheap: it is made where that costs least",
}


def way(decision: Decision, rule: PolicyView) -> list[str]:
    """What sent it to an API or to a machine, as far as that was no matter of course."""
    if decision.obstacle:
        return [OBSTACLES.get(decision.obstacle, "only a machine could make it")]
    if not decision.api:
        return ["no API is set up here, so only a machine could make it"] if not rule.bridges else []
    if decision.prefers in PREFERRED:
        return [PREFERRED[decision.prefers] + _prices(decision, rule)]
    if rule.clouds and decision.routing is Routing.OWN:
        return ["here everything waits for its machine, unless you say --now"]
    if rule.clouds and decision.routing is Routing.HYBRID and decision.is_batch:
        return ["that many pictures are a batch, which waits for a machine; --now does not"]
    return []


def _prices(decision: Decision, rule: PolicyView) -> str:
    if decision.prefers is not Preference.CHEAP:
        return ""
    start = f", a start of a machine {usd(decision.start_usd)}" if rule.clouds else ""
    return f"; {decision.api} takes {usd(decision.api_usd)} for it{start}"


def rule_of(name: str, idle_timeout: timedelta) -> str:
    """The policy called *name*, in words."""
    kind, told = name.partition("(")[0], f"the rule ({name}): "
    last = f"given back after {minutes(idle_timeout)} without one"
    match kind:
        case "first-user":
            return f"{told}a machine is rented at the first request and {last}"
        case "bridge-only":
            return f"{told}an API makes all that it can; a machine is rented for the rest alone, and soon given back"
        case "always-on":
            hours = re.search(r"(\d+)-(\d+)", name)
            until = f"in the hours {hours[1]} to {hours[2]} UTC and kept to their end" if hours else "and kept for good"
            return f"{told}a machine is rented at the first request {until}"
        case "fixed":
            return told + _fixed(name)
        case _:
            return (
                f"{told}a machine is rented for whom that would have been cheapest so far, and kept for as long as that"
                f" pays, {minutes(idle_timeout)} without a request at most; what no API can make gets one at once"
            )


def _fixed(name: str) -> str:
    """``fixed(3,300,120)`` in words."""
    found = re.search(r"(\d+),(\d+),(\d+)", name)
    if found is None:
        return name
    of, window_s, keep_s = map(int, found.groups())
    return f"rent at the {nth(of)} request within {stretch(window_s)}, keep {stretch(keep_s)} after the last"


def renting(decision: Decision, rule: PolicyView) -> list[str]:
    """Whether a machine was to be rented then, and by what numbers."""
    match decision.policy.partition("(")[0]:
        case "auto":
            return [_auto(decision), _belief(decision)]
        case "fixed":
            return [f"{rule_of(decision.policy, rule.idle_timeout)}; {_count(decision)}", _belief(decision)]
        case _:
            return [rule_of(decision.policy, rule.idle_timeout), _belief(decision)]


def _auto(decision: Decision) -> str:
    if not decision.api:
        return "a machine is rented for it at once, since nothing else could make it"
    verdict = "a machine is to be ready for your next one" if decision.rents else "no machine is started for you yet"
    asked = plural(max(round(decision.requests), 1), "request")
    alone = f"an API alone {usd(decision.bridge_usd)}"
    if decision.rule == "bridge-only":
        return f"{verdict}: on your last {asked} no machine would have paid, {alone}"
    if decision.rule == "break-even":
        bounded = ", and a bolder rule could cost you too much by now" if decision.is_bounded else ""
        return (
            f"{verdict}: break-even - API pictures have cost {usd(decision.credit_usd)} more than a machine would have,"
            f" a start costs {usd(decision.start_usd)}{bounded}"
        )
    return (
        f"{verdict}: rule {decision.rule} - {_fixed(decision.rule)} - would have cost {usd(decision.rule_usd)} on your"
        f" last {asked}, {alone}; {_count(decision)}"
    )


def _count(decision: Decision) -> str:
    if decision.within > decision.of:
        return f"this was request {decision.within}, and {decision.of} are enough"
    return f"this was request {decision.within} of {decision.of}"


def _belief(decision: Decision) -> str:
    cold = stretch(decision.cold.total_seconds())
    start = f"a start is believed to take {cold} and cost {usd(decision.start_usd)} (lost tries included)"
    return f"{start}, an hour {usd(decision.usd_hour)}"


def staying(decision: Decision, rule: PolicyView, voice: Voice) -> list[str]:
    """Until when their machine is kept, while they have one."""
    if decision.warm_until is None:
        return []
    longest = f"at most {stretch(rule.idle_timeout.total_seconds())}"
    kept = f"keep-alive {stretch(decision.keep.total_seconds())}, {longest}" if decision.policy == "auto" else longest
    at = voice.clock(decision.warm_until)
    return [f"your machine stays until {at} if nothing more is asked ({kept} after a request)"]


def stretch(seconds: float) -> str:
    """``90 s``, ``5 min``, ``8 min``: as people say it."""
    whole = round(seconds)
    if whole >= ROUGHLY.total_seconds() or (whole and whole % 60 == 0):
        return f"{round(whole / 60)} min"
    return f"{whole} s"


def nth(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``11th``."""
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
