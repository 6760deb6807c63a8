"""``/details``: everything about one request."""

from bot.chat.model import Answer, Details, Person, Reply
from bot.chat.texts import STEP_NAMES
from bot.chat.words import price, span
from bot.service.desk import Desk
from orchestrator.api import JobView, Succeeded


async def show(desk: Desk, person: Person, command: Details) -> Answer:
    view = await desk.job_of(person, command.job)
    titles = {
        p.name: p.title for card in desk.orchestrator.workflows() if card.name == view.workflow for p in card.parameters
    }
    lines = [f"workflow: {view.workflow}"]
    lines += [f"{titles.get(name, name)}: {value}" for name, value in view.values.items() if value != ""]
    lines += [f"from the picture {view.source}"] if view.source else []
    lines += _how(desk, view)
    return Reply(text=f"Request {view.id}", lines=tuple(lines), data={"job": view.id, "parameters": dict(view.values)})


def _how(desk: Desk, view: JobView) -> list[str]:
    now = desk.now()
    timed = [(STEP_NAMES[stage.step], stage.seconds(now)) for stage in view.stages]
    steps = ", ".join(f"{name} {span(seconds)}" for name, seconds in timed if seconds is not None)
    lines = [f"cold start: {steps}"] if steps else []
    if isinstance(view.status, Succeeded):
        served = view.status.served
        lines.append(f"painted by {served.by} in {span(served.seconds)} for {price(served.cost)}")
    return lines
