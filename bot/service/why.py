"""``/why`` and ``/policy``: how requests are decided, in numbers."""

from bot.chat.commands import Policy
from bot.chat.model import Answer, Person, Reply
from bot.chat.texts import STEP_NAMES
from bot.chat.words import minutes, plural, price, span
from bot.service.desk import Desk
from orchestrator.api import (
    Cancelled,
    ColdStart,
    Failed,
    JobView,
    MachineView,
    PolicyView,
    Queued,
    Routing,
    Running,
    Succeeded,
    dollars,
)


async def show(desk: Desk, person: Person) -> Answer:
    """What became of the person's last request, and by which rule."""
    view = await desk.job_of(person, None)
    rule = await desk.orchestrator.policy()
    return Reply(
        text=f"Request {view.id}: {await _where(desk, view)}.",
        lines=(*_route(view, rule), *_waited(desk, view), *([_rule(rule)] if rule.clouds else []), *_choice(rule)),
        data={"job": view.id, "policy": rule.name, "cost_usd": dollars(view.cost)},
    )


async def _where(desk: Desk, view: JobView) -> str:
    if isinstance(view.status, Succeeded):
        served = view.status.served
        return f"painted by {served.by} in {span(served.seconds)} for {price(served.cost)}, {price(view.cost)} in all"
    card = await desk.cards.of(view)
    return f"{card.line.removesuffix('.')}; {price(view.cost)} {'in all' if card.is_over else 'so far'}"


def _route(view: JobView, rule: PolicyView) -> list[str]:
    """Which way it went, and why: the person's own machine first, an API only where nothing can be rented."""
    match view.status:
        case Succeeded(served=served) if served.by in rule.bridges:
            why = "was ready" if rule.clouds else "was ready and none can be rented here"
            return [f"no machine of yours {why}, so {served.by} painted it at once"]
        case Succeeded() if not view.stages:
            return ["your machine was warm already: no cold start"]
        case Succeeded() | Running():
            return []
        case ColdStart(machine=MachineView() as machine):
            told = (machine.gpu, machine.location, machine.cloud, f"{price(machine.price)}/h")
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


def _rule(rule: PolicyView) -> str:
    return (
        f"the rule ({rule.name}): a machine is rented at the first request and given back after"
        f" {minutes(rule.idle_timeout)} without one"
    )


def _choice(rule: PolicyView) -> list[str]:
    if not rule.clouds:
        return [f"nothing is rented: {', '.join(rule.bridges) or 'no API either'} paints"]
    return [
        (
            f"which one: the cheapest acceptable offer of {', '.join(rule.clouds)} up to {price(rule.max_price)}/h,"
            " leaving out machines that failed in the last 24 hours; other machines of their owners come last"
        )
    ]


ROUTED = {
    Routing.HYBRID: "while a machine is cold {apis} paints for who waits, and batches wait for the machine",
    Routing.OWN: "everything waits for its machine; {apis} paints for who says --now",
    Routing.BRIDGE: "while a machine is cold {apis} paints whatever it can",
}


def _bridged(rule: PolicyView) -> list[str]:
    if not rule.bridges or not rule.clouds:
        return []
    told = ROUTED[rule.routing].format(apis=" or ".join(rule.bridges))
    return [f"{told} (/policy {' | '.join(Routing)})"]


async def policy(desk: Desk, command: Policy) -> Answer:
    """The policy in force and everything that bounds it, after a change if one was asked for."""
    if command.routing is not None:
        await desk.orchestrator.set_routing(command.routing)
    rule = await desk.orchestrator.policy()
    caps = [
        f"{words}: {price(cap)}"
        for words, cap in (("a person a day", rule.person_day), ("a day", rule.day), ("a month", rule.month))
        if cap is not None
    ]
    return Reply(
        text=f"Policy {rule.name}.",
        lines=(
            *([_rule(rule)] if rule.clouds else []),
            *_choice(rule),
            *_bridged(rule),
            f"at most {plural(rule.max_machines, 'machine')} at any time",
            f"second machines beside late ones: {rule.hedges_per_hour} an hour",
            f"caps: {', '.join(caps)}" if caps else "no caps are set",
            "what other policies would have cost on the same requests is not kept yet",
        ),
        data={"policy": rule.name, "routing": str(rule.routing), "idle_timeout_s": rule.idle_timeout.total_seconds()},
    )
