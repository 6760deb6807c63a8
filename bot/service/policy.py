"""``/policy``: the rule by which machines are rented, and what others would have cost."""

from bot.chat.commands import Policy
from bot.chat.model import Answer, Reply
from bot.chat.reasons import rule_of
from bot.chat.words import plural, price
from bot.service.desk import Desk
from orchestrator.api import MicroUsd, PolicyView, Routing, ShadowLedger, dollars


def choice(rule: PolicyView) -> list[str]:
    """Which machine is rented when one is."""
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


async def show(desk: Desk, command: Policy) -> Answer:
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
            *([rule_of(rule.name, rule.idle_timeout)] if rule.clouds else []),
            *choice(rule),
            *_bridged(rule),
            f"at most {plural(rule.max_machines, 'machine')} at any time",
            f"second machines beside late ones: {rule.hedges_per_hour} an hour",
            f"caps: {', '.join(caps)}" if caps else "no caps are set",
            *_shadow(rule.shadow),
        ),
        pictures=(await desk.shadow_chart(rule.shadow),) if desk.shadow_chart is not None and rule.shadow else (),
        data={
            "policy": rule.name,
            "routing": str(rule.routing),
            "idle_timeout_s": rule.idle_timeout.total_seconds(),
            "shadow": _document(rule.shadow),
        },
    )


def _shadow(shadow: ShadowLedger | None) -> list[str]:
    """What each policy would have cost on the same requests, at the prices that were believed when they came."""
    if shadow is None:
        return ["what other policies would have cost is not known yet: nothing was asked for"]
    rows = ", ".join(f"{row.name} {price(row.cost)}{_beside_auto(row.difference)}" for row in shadow.rows)
    return [
        f"on {plural(shadow.requests, 'request')} since {_day(shadow)}, as it would have been: {rows}",
        f"really booked since then: {price(shadow.booked)}",
    ]


def _beside_auto(difference: MicroUsd) -> str:
    return f" ({'+' if difference > 0 else '-'}{price(MicroUsd(abs(difference)))})" if difference else ""


def _day(shadow: ShadowLedger) -> str:
    return f"{shadow.since.day} {shadow.since:%b}"


def _document(shadow: ShadowLedger | None) -> dict[str, object] | None:
    if shadow is None:
        return None
    return {
        "since": shadow.since.isoformat(),
        "requests": shadow.requests,
        "booked_usd": dollars(shadow.booked),
        "usd": {row.name: dollars(row.cost) for row in shadow.rows},
    }
