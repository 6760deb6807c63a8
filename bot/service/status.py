"""``/status``: everything at a glance."""

from datetime import datetime

from bot.chat.documents import name_of, overview_document
from bot.chat.model import Answer, Reply
from bot.chat.words import plural, price, span
from bot.service.desk import Desk
from orchestrator.api import BridgeView, CloudView, EndReason, InstanceView, Overview


async def show(desk: Desk) -> Answer:
    overview = await desk.orchestrator.overview()
    machines = [_machine(instance) for instance in overview.instances]
    clouds = [cloud_line(cloud, overview.now) for cloud in overview.clouds]
    return Reply(
        text=_summary(overview),
        lines=(*machines, *clouds, *map(bridge_line, overview.bridges), *_warnings(overview)),
        data=overview_document(overview),
    )


def _summary(overview: Overview) -> str:
    parts = (
        plural(len(overview.instances), "machine"),
        plural(len(overview.sessions), "session"),
        f"{plural(overview.queue, 'request')} under way",
        f"{price(overview.today)} today",
        f"{price(overview.month)} this month",
    )
    return " · ".join(parts)


def _machine(instance: InstanceView) -> str:
    state = "left alone" if instance.end_reason is EndReason.LEFT_BEHIND else str(instance.state)
    parts = (instance.gpu, instance.cloud, state, f"{price(instance.price)}/h", name_of(instance.user))
    return " · ".join([*(part for part in parts if part), f"{price(instance.cost)} so far", str(instance.id)])


def cloud_line(cloud: CloudView, now: datetime) -> str:
    """With the proof that nothing runs there that we do not know of, or how old it is."""
    parts = (cloud.problem or "answers", _key(cloud), _money(cloud), _patience(cloud, now), _last_error(cloud, now))
    return f"{cloud.name}: " + " · ".join([*(part for part in parts if part), _proof(cloud, now)])


def _key(cloud: CloudView) -> str:
    return {None: "", True: "key good", False: "key or account refused"}[cloud.has_good_key]


def _money(cloud: CloudView) -> str:
    if cloud.balance is None:
        return ""
    lasts = "" if cloud.runway is None else f", enough for {span(cloud.runway.total_seconds())}"
    return f"{price(cloud.balance)} left{lasts}"


def _patience(cloud: CloudView, now: datetime) -> str:
    if cloud.limited_until is None or cloud.limited_until <= now:
        return ""
    return f"may not be asked for {span((cloud.limited_until - now).total_seconds())}"


def _last_error(cloud: CloudView, now: datetime) -> str:
    """What went wrong before; what is wrong now is said first."""
    if cloud.problem or cloud.failed_at is None:
        return ""
    return f"last error {span((now - cloud.failed_at).total_seconds())} ago: {cloud.last_error}"


def bridge_line(bridge: BridgeView) -> str:
    return f"{bridge.title}: {bridge.state}" + (f", {bridge.why}" if bridge.why else "")


def _proof(cloud: CloudView, now: datetime) -> str:
    if cloud.checked_at is None:
        return "not listed yet, so nobody knows what runs there"
    ago = max((now - cloud.checked_at).total_seconds(), 0.0)
    return f"unknown machines {cloud.unknown_machines or 0}, seen {ago:.0f} s ago"


def _warnings(overview: Overview) -> list[str]:
    lines = ["No new request is accepted: /admin drain off"] if overview.draining else []
    if overview.unknown_machines:
        lines.append(
            f"{plural(overview.unknown_machines, 'machine')} with our label in no book of ours: glowplug sweep"
        )
    return lines
