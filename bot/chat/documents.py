"""What is known, for programs: the same names and units wherever it is asked for. Pure."""

from datetime import datetime
from typing import Any

from bot.chat.buttons import keep_cost
from orchestrator.api import (
    CostReport,
    DayCostView,
    InstanceView,
    Overview,
    Parameter,
    SessionView,
    WorkflowCard,
    dollars,
)

Document = dict[str, Any]


def session_document(session: SessionView, now: datetime) -> Document:
    """A person's session; times in seconds since the epoch."""
    machine, cost = session.machine, keep_cost(session, now)
    return {
        "id": session.id,
        "user": name_of(session.user),
        "state": session.state.lower(),
        "machine": ", ".join(part for part in (machine.gpu, machine.location) if part) if machine else None,
        "instance": session.instance,
        "gpu": machine.gpu if machine else None,
        "location": machine.location if machine else None,
        "cloud": machine.cloud if machine else None,
        "usd_hour": dollars(machine.price) if machine else None,
        "since": _epoch(session.ready_since),
        "warm_until": _epoch(session.warm_until),
        "images": session.images,
        "cost_usd": dollars(session.cost),
        "keep_usd_30min": None if cost is None else dollars(cost),
        "unfinished": session.unfinished,
    }


def _epoch(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def name_of(user: str) -> str:
    """A person as they call themselves on the page; on other surfaces, with the surface's name before it."""
    return user.removeprefix("web:")


def overview_document(overview: Overview) -> Document:
    """The same keys as ``glowplug status --json``, and some more."""
    return {
        "sessions": [session_document(session, overview.now) for session in overview.sessions],
        "instances": [_instance(instance) for instance in overview.instances],
        "queue": overview.queue,
        "unknown_machines": overview.unknown_machines,
        "checked_s_ago": _seconds_ago(overview.checked_at, overview.now),
        "today_usd": dollars(overview.today),
        "month_usd": dollars(overview.month),
        "draining": overview.draining,
        "clouds": [
            {
                "name": cloud.name,
                "problem": cloud.problem,
                "unknown_machines": cloud.unknown_machines,
                "checked_s_ago": _seconds_ago(cloud.checked_at, overview.now),
                "key_good": cloud.has_good_key,
                "balance_usd": None if cloud.balance is None else dollars(cloud.balance),
                "runway_h": None if cloud.runway is None else round(cloud.runway.total_seconds() / 3600, 1),
                "last_error": cloud.last_error,
                "limited_until": None if cloud.limited_until is None else cloud.limited_until.isoformat(),
            }
            for cloud in overview.clouds
        ],
        "apis": [
            {"name": api.name, "title": api.title, "state": str(api.state), "why": api.why} for api in overview.bridges
        ],
    }


def _seconds_ago(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round((now - moment).total_seconds(), 1)


def _instance(instance: InstanceView) -> Document:
    return {
        "id": instance.id,
        "cloud": instance.cloud,
        "state": str(instance.state),
        "usd_hour": dollars(instance.price),
        "session": instance.session,
        "gpu": instance.gpu,
        "user": name_of(instance.user),
        "cost_usd": dollars(instance.cost),
    }


def cost_document(report: CostReport) -> Document:
    """The same keys as ``glowplug cost --json``."""
    total = dollars(report.total)
    return {
        "days": report.days,
        "total_usd": total,
        "by_day": _rows(report.by_day, "day"),
        "by_cloud": _rows(report.by_cloud, "cloud"),
        "by_user": _rows(report.by_user, "user"),
        "images": report.images,
        "usd_per_image": total / report.images if report.images else None,
    }


def _rows(rows: tuple[DayCostView, ...], name: str) -> list[Document]:
    return [{name: row.key, "usd": dollars(row.amount)} for row in rows]


def workflow_document(card: WorkflowCard) -> Document:
    return {
        "name": card.name,
        "title": card.title,
        "description": card.description,
        "takes_image": card.takes_image,
        "parameters": [_parameter(parameter) for parameter in card.parameters],
        "loras": list(card.loras),
    }


def _parameter(parameter: Parameter) -> Document:
    return {
        "name": parameter.name,
        "kind": str(parameter.kind),
        "title": parameter.title,
        "flag": parameter.flag,
        "default": parameter.default,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "step": parameter.step,
        "choices": list(parameter.choices),
    }
