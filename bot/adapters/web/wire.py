"""Cards and answers as the page's JSON, to the letter of its contract; further keys are additions."""

import base64
from datetime import datetime
from typing import Any

from bot.chat.card import Card
from bot.chat.documents import Document, name_of
from bot.chat.model import Reply, Started
from bot.chat.words import left
from orchestrator.api import Stage, dollars


def card_document(card: Card) -> Document:
    """One card; spans are in seconds, counted from when this version was made."""
    return {
        "id": card.job,
        "user": name_of(card.user),
        "state": str(card.state),
        "stages": [_stage(stage, card.as_of) for stage in card.stages],
        "eta_s": _eta(card),
        "cost_usd": dollars(card.cost),
        "images": list(card.images),
        "seed": card.seed,
        "served_by": card.served_by or None,
        "error": card.error or None,
        "revision": card.revision,
        "created_at": card.created_at.timestamp(),
        "ended_at": card.ended_at.timestamp() if card.ended_at else None,
        "workflow": card.workflow,
        "parameters": dict(card.values),
        "attempt": card.attempt,
        "trouble": {"reason": str(card.trouble.reason), "step": card.trouble.step} if card.trouble else None,
        "view": _view(card),
    }


def _view(card: Card) -> Document:
    return {
        "line": card.line,
        "detail": list(card.details),
        "bar": {"share": card.bar.share, "text": card.bar.text} if card.bar else None,
        "buttons": [
            {"action": str(button.action), "label": button.label, "command": button.command} for button in card.buttons
        ],
        "prompt": card.prompt,
        "caption": card.caption,
    }


def _stage(stage: Stage, now: datetime) -> Document:
    seconds = stage.seconds(now)
    return {
        "name": str(stage.step),
        "state": str(stage.state),
        "seconds": None if seconds is None else round(seconds, 3),
    }


def _eta(card: Card) -> list[float] | None:
    if card.eta is None or card.is_over:
        return None
    return [round(end, 1) for end in left(card.eta, card.as_of - card.eta.at)]


def started_document(started: Started) -> Document:
    cards = [card_document(card) for card in started.cards]
    document: dict[str, Any] = {"card": cards[0]}
    if len(cards) > 1:
        document["cards"] = cards
    if started.note:
        document["note"] = started.note
    return document


def reply_document(reply: Reply) -> Document:
    document: dict[str, Any] = {**reply.data, "text": reply.text, "lines": list(reply.lines)}
    if reply.pictures:
        encoded = (base64.b64encode(picture).decode() for picture in reply.pictures)
        document["pictures"] = [f"data:image/png;base64,{picture}" for picture in encoded]
    if reply.confirm is not None:
        document["confirm"] = {"text": reply.confirm.text, "command": reply.confirm.command}
    return {"reply": document}
