"""``/why``: how a person's last request was decided, in numbers."""

from bot.chat.model import Answer, Person, Reply
from bot.chat.reasons import renting, rule_of, staying, way
from bot.chat.texts import STEP_NAMES
from bot.chat.voice import Voice
from bot.chat.words import price, span
from bot.service.desk import Desk
from bot.service.policy import choice
from orchestrator.api import (
    Cancelled,
    ColdStart,
    Decision,
    Failed,
    JobView,
    MachineView,
    PolicyView,
    Queued,
    Running,
    Succeeded,
    dollars,
)

UNKNOWN = "the numbers that it was decided by are no longer kept"


async def show(desk: Desk, person: Person) -> Answer:
    """What became of the person's last request, and by which rule."""
    view = await desk.job_of(person, None)
    rule = await desk.orchestrator.policy()
    decision = await desk.orchestrator.why(view.id)
    surface = desk.surfaces.get(person.surface)
    voice = surface.voice if surface else Voice()
    return Reply(
        text=f"Request {view.id}: {await _where(desk, view)}.",
        lines=(*_route(view, rule), *_decided(view, rule, decision, voice), *_waited(desk, view), *choice(rule)),
        data={
            "job": view.id,
            "policy": decision.policy if decision else rule.name,
            "cost_usd": dollars(view.cost),
            "decision": _numbers(decision) if decision else None,
        },
    )


def _decided(view: JobView, rule: PolicyView, decision: Decision | None, voice: Voice) -> list[str]:
    """What the request went by when it came in: its way first, then whether a machine was to be rented."""
    if decision is None:
        return [rule_of(rule.name, rule.idle_timeout), UNKNOWN] if rule.clouds else []
    was_warm = isinstance(view.status, Succeeded) and not _by_api(view, rule) and not view.stages
    told = [] if was_warm else way(decision, rule)
    return [*told, *renting(decision, rule), *staying(decision, rule, voice)] if rule.clouds else told


def _numbers(decision: Decision) -> dict[str, object]:
    """For programs: the same, seconds and dollars."""
    return {
        "rents": decision.rents,
        "rule": decision.rule,
        "keep_s": decision.keep.total_seconds(),
        "within": decision.within,
        "of": decision.of,
        "rule_usd": decision.rule_usd,
        "bridge_usd": decision.bridge_usd,
        "credit_usd": decision.credit_usd,
        "requests": decision.requests,
        "cold_s": decision.cold.total_seconds(),
        "start_usd": decision.start_usd,
        "usd_hour": decision.usd_hour,
        "obstacle": decision.obstacle,
    }


async def _where(desk: Desk, view: JobView) -> str:
    if isinstance(view.status, Succeeded):
        served = view.status.served
        return f"painted by {served.by} in {span(served.seconds)} for {price(served.cost)}, {price(view.cost)} in all"
    card = await desk.cards.of(view)
    return f"{card.line.removesuffix('.')}; {price(view.cost)} {'in all' if card.is_over else 'so far'}"


def _route(view: JobView, rule: PolicyView) -> list[str]:
    """Which way it went, and why: the person's own machine first, an API only where nothing can be rented."""
    match view.status:
        case Succeeded(served=served) if _by_api(view, rule):
            why = "was free" if rule.clouds else "was free and none can be rented here"
            return [f"no machine of yours {why}, so {served.by} painted it at once"]
        case Succeeded() if not view.stages:
            return ["your machine was warm already: no cold start"]
        case Succeeded() | Running():
            return []
        case ColdStart(machine=MachineView() as machine):
            told = (machine.gpu, machine.location, machine.cloud, f"{price(machine.price)}/h", machine.variant)
            return [f"you had no machine, so one was rented: {', '.join(part for part in told if part)}"]
        case Queued() | ColdStart():
            return ["no machine of yours is free for it yet"]
        case Failed() | Cancelled():
            return []


def _waited(desk: Desk, view: JobView) -> list[str]:
    now = desk.now()
    steps = [(STEP_NAMES[stage.step], stage.seconds(now)) for stage in view.stages]
    told = ", ".join(f"{name} {span(seconds)}" for name, seconds in steps if seconds is not None)
    return [f"it waited for a cold start: {told}"] if told else []


def _by_api(view: JobView, rule: PolicyView) -> bool:
    return isinstance(view.status, Succeeded) and view.status.served.by in rule.bridges
