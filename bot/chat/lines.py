"""The words of a card: its first line, what else there is to know, and what stands below the pictures. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from bot.chat.buttons import is_of
from bot.chat.texts import late_words, restart_words, sentence, trouble_words, waiting_words
from bot.chat.voice import Voice
from bot.chat.words import TIMES, clock_span, gigabytes, guess, left, ordinal, plural, price, span
from orchestrator.api import (
    Cancelled,
    ColdStart,
    Eta,
    Failed,
    Fetching,
    JobView,
    Late,
    MachineView,
    MicroUsd,
    Queued,
    Running,
    SessionView,
    Succeeded,
    Value,
    Warming,
)

SAID_AS_A_TIME = timedelta(seconds=90)
"""Guesses that end later than this also say when that is."""

NO_LONGER_KEPT = "Its pictures are no longer kept; Again has it painted anew"

TO_THE_MINUTE = timedelta(seconds=59)
"""A clock shows whole minutes: one that has begun is not over yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    line: str
    details: tuple[str, ...] = ()
    caption: str = ""


def say(view: JobView, now: datetime, voice: Voice, session: SessionView | None) -> Said:
    """Put a job as it stands into words."""
    match view.status:
        case Queued() as queued:
            place = ordinal(queued.position)
            line = _with_guess(waiting_words(queued.waiting_for, place), queued.eta, now)
            return Said(line=line, details=_spent(view.cost), caption=_asked(view))
        case ColdStart() as cold:
            return _cold_start(view, cold, now, voice)
        case Running() as running:
            again = (restart_words(running.restarted),) if running.restarted is not None else ()
            return Said(
                line=_with_guess(_painting(view, running), running.eta, now), details=again, caption=_asked(view)
            )
        case Succeeded() as succeeded:
            return _succeeded(view, succeeded, now, voice, session)
        case Failed(failure=failure):
            return Said(line=sentence(failure.key, failure.values), details=_spent(view.cost), caption=_asked(view))
        case Cancelled() as cancelled:
            return Said(line=_cancelled(view, cancelled), caption=_asked(view))
        case _:
            assert_never(view.status)


def _cold_start(view: JobView, cold: ColdStart, now: datetime, voice: Voice) -> Said:
    line = "Warming up a GPU for you"
    details: list[str] = []
    if cold.trouble is not None:
        line = trouble_words(cold.trouble.reason, cold.trouble.step, machine=cold.attempt)
        details.append("nothing is lost: same prompt, same seed")
    details += [_machine(cold.machine)] if cold.machine else []
    return Said(
        line=f"{line}{_ready(cold.eta, now, voice)}",
        details=(*details, *_second(cold, now, voice), *_spent(view.cost)),
        caption=_asked(view),
    )


def _second(cold: ColdStart, now: datetime, voice: Voice) -> tuple[str, ...]:
    """That a second machine is on its way, or that it takes long and what happens then."""
    if cold.has_second:
        return ("it takes long, so a second machine warms up as well; the first that paints is yours",)
    return _late(cold.late, now, voice)


def _late(late: Late | None, now: datetime, voice: Voice) -> tuple[str, ...]:
    if late is None:
        return ()
    until = "" if late.given_up_at is None or late.given_up_at <= now else voice.clock(late.given_up_at + TO_THE_MINUTE)
    return (late_words(late.step, is_measured=late.is_measured, until=until),)


def _ready(eta: Eta | None, now: datetime, voice: Voice) -> str:
    if eta is None:
        return ""
    low, high = left(eta, now - eta.at)
    if high <= 0:
        return " · ready any moment"
    if voice.countdown is not None:
        best = f"{voice.countdown(eta.at + eta.low)} at best, " if low > 0 else ""
        return f" · ready {best}{voice.countdown(eta.at + eta.high)} at worst"
    at = f" ({voice.clock(eta.at + eta.high)})" if eta.high > SAID_AS_A_TIME else ""
    return f" · ready in {guess(low, high)}{at}"


def _with_guess(line: str, eta: Eta | None, now: datetime) -> str:
    if eta is None:
        return line
    low, high = left(eta, now - eta.at)
    return f"{line} · about {guess(low, high).removeprefix('about ')}" if high > 0 else line


def _painting(view: JobView, running: Running) -> str:
    if running.fetching is not None:
        return _fetching(running.fetching, running.served_by)
    count = int(view.values.get("count", 1))
    what = "Painting" if count == 1 else f"Painting {count} pictures"
    return f"{what} on {running.served_by}" if running.served_by else what


def _fetching(fetching: Fetching, served_by: str) -> str:
    on = f" onto {served_by}" if served_by else ""
    return f"Fetching the LoRA {fetching.name}{on} · {gigabytes(fetching.done, fetching.of)}"


def _machine(machine: MachineView) -> str:
    parts = (f"rented {machine.gpu}", f"{price(machine.price)}/h", machine.location, machine.variant)
    return ", ".join(part for part in parts if part)


def _spent(cost: MicroUsd) -> tuple[str, ...]:
    return (f"so far {price(cost)}",) if cost > 0 else ()


def _succeeded(view: JobView, succeeded: Succeeded, now: datetime, voice: Voice, session: SessionView | None) -> Said:
    served = succeeded.served
    took = ((view.ended_at or view.submitted_at) - view.submitted_at).total_seconds()
    line = f"{plural(len(succeeded.images), 'picture')} in {span(took)}" if succeeded.images else NO_LONGER_KEPT
    by = served.by
    if succeeded.warming is not None:
        line = f"{line} by {by}{_warming(succeeded.warming, now, voice, session)}"
    elif session is not None and session.warm_until is not None and is_of(view, session):
        by = f"{by}, warm until {voice.clock(session.warm_until)}"
    facts = (str(view.values.get("prompt", "")), f"seed {view.seed}", span(served.seconds), price(view.cost), by)
    details = (_machine(succeeded.warming.machine),) if succeeded.warming and succeeded.warming.machine else ()
    return Said(line=line, details=details, caption=" · ".join(fact for fact in facts if fact))


def _warming(warming: Warming, now: datetime, voice: Voice, session: SessionView | None) -> str:
    """How the person's own machine gets on, for the next picture."""
    own = f" · your own {warming.machine.gpu if warming.machine else 'GPU'}"
    if warming.is_ready:
        until = session.warm_until if session is not None else None
        return f"{own} is warm until {voice.clock(until)}" if until is not None else f"{own} is warm"
    if warming.eta is None:
        return f"{own} is being looked for"
    return f"{own} is getting warm{_ready(warming.eta, now, voice)}"


def _cancelled(view: JobView, cancelled: Cancelled) -> str:
    after = ((view.ended_at or view.submitted_at) - view.submitted_at).total_seconds()
    cost = f" · cost {price(cancelled.cost)}" if cancelled.cost > 0 else ""
    return f"Cancelled at {clock_span(after)}{cost}"


def _asked(view: JobView) -> str:
    facts = (str(view.values.get("prompt", "")), _size(view.values), f"seed {view.seed}")
    return " · ".join(fact for fact in facts if fact)


def _size(values: Mapping[str, Value]) -> str:
    return f"{values['width']}{TIMES}{values['height']}" if {"width", "height"} <= values.keys() else ""
