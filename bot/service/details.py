"""``/details``: everything about one request, and how it would be typed again."""

from bot.chat.buttons import Action
from bot.chat.commands import Details, Retype
from bot.chat.handle import ReplyHandle
from bot.chat.model import Answer, Call, Person, Reply
from bot.chat.texts import STEP_NAMES
from bot.chat.words import price, span
from bot.service.desk import Desk
from orchestrator.api import JobView, RequestError, Succeeded


async def show(desk: Desk, call: Call, command: Details) -> Answer:
    """
    Say everything about one request.

    Raises:
        RequestError: It was made where the others here do not read.
    """
    view = await desk.job_of(call.person, command.job)
    if call.is_overheard and ReplyHandle.decode(view.origin).chat != call.handle.chat:
        raise RequestError("for_one_only", command="/details")
    titles = {
        p.name: p.title for card in desk.orchestrator.workflows() if card.name == view.workflow for p in card.parameters
    }
    lines = [f"workflow: {view.workflow}"]
    lines += [f"{titles.get(name, name)}: {value}" for name, value in view.values.items() if value != ""]
    lines += [f"from the picture {view.source}"] if view.source else []
    lines += _how(desk, view)
    return Reply(text=f"Request {view.id}", lines=tuple(lines), data={"job": view.id, "parameters": dict(view.values)})


async def retype(desk: Desk, person: Person, command: Retype) -> Answer:
    """
    Say how the request would be typed.

    Raises:
        RequestError: It started from a picture, or its workflow is gone.
    """
    card = await desk.cards.card((await desk.job_of(person, command.job)).id)
    text = next((button.command for button in card.buttons if button.action is Action.EDIT), "") if card else ""
    if not text:
        raise RequestError("not_editable")
    return Reply(text="Change it and send it again:", lines=(text,), data={"text": text})


def _how(desk: Desk, view: JobView) -> list[str]:
    now = desk.now()
    timed = [(STEP_NAMES[stage.step], stage.seconds(now)) for stage in view.stages]
    steps = ", ".join(f"{name} {span(seconds)}" for name, seconds in timed if seconds is not None)
    lines = [f"cold start: {steps}"] if steps else []
    if isinstance(view.status, Succeeded):
        served = view.status.served
        lines.append(f"painted by {served.by} in {span(served.seconds)} for {price(served.cost)}")
    return lines
