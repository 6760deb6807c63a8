"""``/admin``: who has a machine, ending one, and accepting nothing new."""

from bot.chat.commands import Drain, StopMachine
from bot.chat.documents import name_of, session_document
from bot.chat.model import Answer, Reply
from bot.chat.words import plural, price
from bot.service.desk import Desk
from orchestrator.api import RequestError, SessionView


async def sessions(desk: Desk) -> Answer:
    overview = await desk.orchestrator.overview()
    return Reply(
        text=plural(len(overview.sessions), "session"),
        lines=tuple(_line(session) for session in overview.sessions),
        data={"sessions": [session_document(session, overview.now) for session in overview.sessions]},
    )


def _line(session: SessionView) -> str:
    parts = [name_of(session.user), session.state.lower()]
    parts += [session.machine.gpu, f"{price(session.machine.price)}/h"] if session.machine else []
    parts += [f"{plural(session.unfinished, 'request')} under way", f"{price(session.cost)} so far"]
    parts += [f"/admin stop {session.instance}"] if session.instance else []
    return " · ".join(parts)


async def stop(desk: Desk, command: StopMachine) -> Answer:
    if not await desk.orchestrator.end_instance(command.instance):
        raise RequestError("unknown_machine", machine=command.instance)
    return Reply(
        text=f"The machine {command.instance} is being ended; its requests go to another.",
        data={"instance": command.instance, "ended": True},
    )


async def drain(desk: Desk, command: Drain) -> Answer:
    await desk.orchestrator.drain(on=command.on)
    text = "No new request is accepted; what is queued is finished." if command.on else "Requests are accepted again."
    return Reply(text=text, data={"draining": command.on})
