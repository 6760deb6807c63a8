"""What can be done about a card in each state; each button says what it costs. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from bot.chat.retype import typed_again
from bot.chat.words import cost_of, price
from orchestrator.api import (
    Cancelled,
    ColdStart,
    Failed,
    JobView,
    MicroUsd,
    Queued,
    Running,
    SessionView,
    Succeeded,
    WorkflowCard,
)

KEEP = timedelta(minutes=30)


class Action(StrEnum):
    CANCEL = "cancel"
    AGAIN = "again"
    VARY = "vary"
    EDIT = "edit"
    KEEP = "keep"
    RELEASE = "release"
    DETAILS = "details"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """Attributes: command: What it does, as it would be typed; for EDIT the text to be changed first."""

    action: Action
    label: str
    command: str


def buttons_of(
    view: JobView, workflows: tuple[WorkflowCard, ...], session: SessionView | None, now: datetime
) -> tuple[Button, ...]:
    match view.status:
        case Queued() | ColdStart() | Running():
            return (Button(action=Action.CANCEL, label="Cancel", command=f"/cancel {view.id}"),)
        case Succeeded(images=images):
            vary = _vary(view, workflows) if images else ()
            return (*_again(view), *vary, *_edit(view, workflows), *_machine(view, session, now), _details(view))
        case Failed() | Cancelled():
            return (*_edit(view, workflows), *_again(view), _details(view))
        case _:
            assert_never(view.status)


def _again(view: JobView) -> tuple[Button, ...]:
    return (Button(action=Action.AGAIN, label="Again", command=f"/again {view.id}"),)


def _vary(view: JobView, workflows: tuple[WorkflowCard, ...]) -> tuple[Button, ...]:
    if not any(card.takes_image for card in workflows):
        return ()
    return (Button(action=Action.VARY, label="Vary", command=f"/vary {view.id}"),)


def _edit(view: JobView, workflows: tuple[WorkflowCard, ...]) -> tuple[Button, ...]:
    """None for what starts from a picture: that cannot be typed."""
    card = next((card for card in workflows if card.name == view.workflow and not card.takes_image), None)
    if card is None:
        return ()
    text = typed_again(view.values, card, default=workflows[0])
    return (Button(action=Action.EDIT, label="Edit", command=f"/imagine {text}"),)


def _details(view: JobView) -> Button:
    return Button(action=Action.DETAILS, label="Details", command=f"/details {view.id}")


def _machine(view: JobView, session: SessionView | None, now: datetime) -> tuple[Button, ...]:
    cost = keep_cost(session, now)
    if session is None or cost is None or not is_of(view, session):
        return ()
    return (
        Button(action=Action.KEEP, label=f"Keep 30 min · {price(cost)}", command="/keep 30"),
        Button(action=Action.RELEASE, label="Release", command="/release"),
    )


def is_of(view: JobView, session: SessionView) -> bool:
    """Whether the warm machine of *session* is the one that made it, or was waited for beside it."""
    since = session.ready_since
    if isinstance(view.status, Succeeded) and view.status.warming is not None:
        return view.status.warming.is_ready
    return since is not None and view.ended_at is not None and view.ended_at >= since


def keep_cost(session: SessionView | None, now: datetime) -> MicroUsd | None:
    """What keeping the warm machine for half an hour from now adds at most; None without one."""
    if session is None or session.machine is None or session.warm_until is None:
        return None
    return cost_of(session.machine.price, now + KEEP - session.warm_until)
