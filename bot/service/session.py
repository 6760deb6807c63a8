"""``/session``, ``/keep``, ``/release``: the person's own warm machine."""

from datetime import datetime, timedelta

from bot.chat.commands import Keep
from bot.chat.documents import session_document
from bot.chat.model import Answer, Person, Reply
from bot.chat.voice import Voice
from bot.chat.words import minutes, plural, price
from bot.service.desk import Desk
from orchestrator.api import RequestError, SessionState, SessionView, dollars

STATES = {
    SessionState.OPEN: "No machine of yours is running; the next request warms one up.",
    SessionState.WARMING: "A GPU is warming up for you.",
    SessionState.WARM: "Your GPU is warm.",
    SessionState.COOLING: "Your GPU is being given back.",
    SessionState.CLOSED: "No machine of yours is running.",
}


async def show(desk: Desk, person: Person) -> Answer:
    session = await desk.orchestrator.session(person.user)
    if session is None:
        return Reply(text=STATES[SessionState.CLOSED], data={"session": None})
    return Reply(
        text=STATES[session.state],
        lines=tuple(_lines(desk, person, session)),
        data={"session": session_document(session, desk.now())},
    )


def _lines(desk: Desk, person: Person, session: SessionView) -> list[str]:
    lines: list[str] = []
    if session.machine is not None:
        machine = session.machine
        parts = (machine.gpu, machine.location, machine.cloud, f"{price(machine.price)}/h", machine.variant)
        lines.append(" · ".join(part for part in parts if part))
    if session.ready_since is not None:
        lines.append(f"warm since {_time(desk, person, session.ready_since)}")
    if session.warm_until is not None:
        lines.append(f"warm until {_time(desk, person, session.warm_until)} if nothing more is asked")
    lines.append(f"{plural(session.images, 'picture')}, {price(session.cost)} so far")
    if session.unfinished:
        lines.append(f"{plural(session.unfinished, 'request')} under way")
    return lines


async def keep(desk: Desk, person: Person, command: Keep) -> Answer:
    """Say until when it stays and what that adds."""
    outcome = await desk.orchestrator.keep(person.user, timedelta(minutes=command.minutes))
    desk.cards.forget_session(person.user)
    if outcome.warm_until is None:
        raise RequestError("nothing_to_keep")
    until = _time(desk, person, outcome.warm_until)
    left = minutes(outcome.warm_until - desk.now())
    return Reply(
        text=f"Your GPU stays warm until {until}, {left} from now; that adds at most {price(outcome.cost)}.",
        data={"warm_until": outcome.warm_until.timestamp(), "cost_usd": dollars(outcome.cost)},
    )


async def release(desk: Desk, person: Person) -> Answer:
    """Say what giving it back saves."""
    outcome = await desk.orchestrator.release(person.user)
    desk.cards.forget_session(person.user)
    if not outcome.released:
        raise RequestError("nothing_to_release")
    saved = f"; that saves {price(outcome.saved)}" if outcome.saved > 0 else ""
    return Reply(
        text=f"Your GPU is given back{saved}. The next request warms up another.",
        data={"released": True, "saved_usd": dollars(outcome.saved)},
    )


def _time(desk: Desk, person: Person, moment: datetime) -> str:
    surface = desk.surfaces.get(person.surface)
    return (surface.voice if surface else Voice()).clock(moment)
