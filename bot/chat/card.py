"""The living message of a job: what it says in each state. Pure; how it looks is the surface's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from bot.chat.bars import Bar, cold_start_bar, painting_bar
from bot.chat.buttons import Button, buttons_of
from bot.chat.handle import ReplyHandle
from bot.chat.lines import say
from bot.chat.texts import sentence
from bot.chat.voice import Voice
from orchestrator.api import (
    Cancelled,
    ColdStart,
    Eta,
    Failed,
    ImageKey,
    JobId,
    JobView,
    MicroUsd,
    Queued,
    Running,
    SessionView,
    Stage,
    StageState,
    Succeeded,
    Trouble,
    UserId,
    Value,
    Warming,
    WorkflowCard,
    WorkflowName,
)


class CardState(StrEnum):
    QUEUED = "queued"
    COLD_START = "cold_start"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS = frozenset({CardState.SUCCEEDED, CardState.FAILED, CardState.CANCELLED})
_RANK = {state: rank for rank, state in enumerate(CardState)}
_STAGE_RANK = {state: rank for rank, state in enumerate(StageState)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """
    What a card needs beside its job.

    Attributes:
        session: The person's session; its warm machine is offered to be kept.
    """

    now: datetime
    workflows: tuple[WorkflowCard, ...] = ()
    session: SessionView | None = None
    voice: Voice = Voice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """
    One version of a job's card.

    Attributes:
        revision: Of two versions the one with the higher number is the newer.
        as_of: When this version was made; :attr:`eta` and the running stage go on from there.
        line: What is happening now, in words that are enough by themselves.
        details: What else there is to know, a line each.
        caption: Prompt and figures, for below the pictures.
        attempt: Which machine this is, from 1.
        error: Why it failed, in one sentence; empty unless it did.
    """

    job: JobId
    user: UserId
    handle: ReplyHandle
    revision: int
    as_of: datetime
    state: CardState
    line: str
    details: tuple[str, ...]
    caption: str
    prompt: str
    bar: Bar | None
    stages: tuple[Stage, ...]
    eta: Eta | None
    cost: MicroUsd
    images: tuple[ImageKey, ...]
    seed: int
    served_by: str
    error: str
    buttons: tuple[Button, ...]
    workflow: WorkflowName
    values: Mapping[str, Value]
    attempt: int
    trouble: Trouble | None
    created_at: datetime
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.state in ENDS


def draw(view: JobView, telling: Telling, previous: Card | None = None) -> Card:
    """
    Make the card of a job as it stands.

    Args:
        previous: The version before, if any: nothing moves backwards from it.
    """
    if previous is None:
        return _drawn(view, telling)
    if view.ended_at is None and view.cost < previous.cost:
        view = replace(view, cost=previous.cost)
    return _after(previous, _drawn(view, telling))


def _drawn(view: JobView, telling: Telling) -> Card:
    said = say(view, telling.now, telling.voice, telling.session)
    status = view.status
    return Card(
        job=view.id,
        user=view.user,
        handle=ReplyHandle.decode(view.origin),
        revision=view.revision,
        as_of=telling.now,
        state=_state(view),
        line=said.line,
        details=said.details,
        caption=said.caption,
        prompt=str(view.values.get("prompt", "")),
        bar=_bar(view),
        stages=view.stages,
        eta=status.eta if isinstance(status, Queued | ColdStart | Running) else None,
        cost=view.cost,
        images=status.images if isinstance(status, Succeeded) else (),
        seed=view.seed,
        served_by=_served_by(view),
        error=_error(view),
        buttons=buttons_of(view, telling.workflows, telling.session, telling.now),
        workflow=view.workflow,
        values=view.values,
        attempt=status.attempt if isinstance(status, ColdStart) else 1,
        trouble=status.trouble if isinstance(status, ColdStart) else None,
        created_at=view.submitted_at,
        ended_at=view.ended_at,
    )


def _state(view: JobView) -> CardState:
    match view.status:
        case Queued():
            return CardState.QUEUED
        case ColdStart():
            return CardState.COLD_START
        case Running():
            return CardState.RUNNING
        case Succeeded():
            return CardState.SUCCEEDED
        case Failed():
            return CardState.FAILED
        case Cancelled():
            return CardState.CANCELLED
        case _:
            assert_never(view.status)


def _bar(view: JobView) -> Bar | None:
    match view.status:
        case ColdStart(stages=stages):
            return cold_start_bar(stages)
        case Succeeded(warming=Warming(stages=stages)) if stages:
            return cold_start_bar(stages)
        case Running(done=done, of=of):
            return painting_bar(done, of)
        case _:
            return None


def _served_by(view: JobView) -> str:
    match view.status:
        case Running(served_by=by):
            return by
        case Succeeded(served=served):
            return served.by
        case _:
            return ""


def _error(view: JobView) -> str:
    return sentence(view.status.failure.key, view.status.failure.values) if isinstance(view.status, Failed) else ""


# Nothing moves backwards.


def _after(previous: Card, card: Card) -> Card:
    """Hold *card* to what *previous* has already said."""
    if card.revision < previous.revision or (previous.is_over and card.state is not previous.state):
        return previous
    known = card if card.attempt >= previous.attempt else replace(card, attempt=previous.attempt)
    if card.is_over:
        return known
    if _is_new_machine(previous, card):
        return known
    if _RANK[card.state] < _RANK[previous.state]:
        return replace(known, state=previous.state, bar=previous.bar, stages=previous.stages, trouble=previous.trouble)
    return replace(known, bar=_fuller(previous, card), stages=_further(previous.stages, card.stages))


def _is_new_machine(previous: Card, card: Card) -> bool:
    """A cold start after a lost machine: it is told as what it is, a beginning."""
    if card.state is not CardState.COLD_START:
        return False
    is_other = card.attempt > previous.attempt or (card.trouble is not None and card.trouble != previous.trouble)
    return previous.state is CardState.RUNNING or is_other


def _fuller(previous: Card, card: Card) -> Bar | None:
    if card.state is not previous.state or previous.bar is None:
        return card.bar
    if card.bar is None or card.bar.share < previous.bar.share:
        return previous.bar
    return card.bar


def _further(before: tuple[Stage, ...], now: tuple[Stage, ...]) -> tuple[Stage, ...]:
    known = {stage.step: stage for stage in before}
    return tuple(_later(known.get(stage.step, stage), stage) for stage in now)


def _later(before: Stage, now: Stage) -> Stage:
    """The one that is further; a step that failed and is tried again, as a search is, may begin anew."""
    if before.state is StageState.FAILED:
        return now
    return before if _STAGE_RANK[now.state] < _STAGE_RANK[before.state] else now
