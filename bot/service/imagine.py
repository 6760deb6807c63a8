"""``/imagine``, ``/again`` and ``/vary``: from words to jobs."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.chat.card import Card
from bot.chat.commands import Again, Imagine, Vary
from bot.chat.model import Answer, Call, Confirm, Person, Reply, Started
from bot.chat.prompt import YES, Wish, Wishes, parse
from bot.chat.texts import sentence
from bot.chat.words import clipped, cost_of, guess, plural, usd
from bot.service import lora, places, words
from bot.service.desk import Desk
from orchestrator.api import (
    ImageKey,
    JobRequest,
    JobView,
    MicroUsdPerHour,
    ParameterKind,
    RequestError,
    Succeeded,
    Value,
    WorkflowCard,
    dollars,
)

log = logging.getLogger(__name__)

USUAL_PRICE = MicroUsdPerHour(200_000), MicroUsdPerHour(600_000)
"""What a suitable GPU has cost an hour; for guesses while the person has no machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    wish: Wish
    source: ImageKey | None = None


async def start(desk: Desk, call: Call, command: Imagine) -> Answer:
    """Start what was typed; ask first when that is several requests."""
    presets = {each.name: each.options for each in await desk.orchestrator.people.presets(call.person.user)}
    wishes = parse(command.text, await lora.cards_for(desk, call.person), presets)
    if len(wishes.wishes) > 1 and not wishes.is_confirmed:
        return await _question(desk, call.person, command, wishes)
    return await _submit(desk, call, [Order(wish=wish) for wish in wishes.wishes])


async def again(desk: Desk, call: Call, command: Again) -> Answer:
    """The same parameters, a new seed."""
    view = await desk.job_of(call.person, command.job)
    cards = await lora.cards_for(desk, call.person)
    known = next((card for card in cards if card.name == view.workflow), None)
    if known is None:
        raise RequestError("unknown_workflow", name=view.workflow)
    wish = Wish(workflow=view.workflow, values=_fitting(known, view.values))
    return await _submit(desk, call, [Order(wish=wish, source=view.source)])


async def vary(desk: Desk, call: Call, command: Vary) -> Answer:
    """Image to image from one of a job's pictures, by the first workflow that can."""
    view = await desk.job_of(call.person, command.job)
    source = _picture(view, command.picture)
    painter = next((card for card in await lora.cards_for(desk, call.person) if card.takes_image), None)
    if painter is None:
        raise RequestError("no_vary")
    values = _fitting(painter, view.values)
    values.pop("count", None)
    return await _submit(desk, call, [Order(wish=Wish(workflow=painter.name, values=values), source=source)])


def _picture(view: JobView, picture: int) -> ImageKey:
    if not isinstance(view.status, Succeeded):
        raise RequestError("not_painted")
    images = view.status.images
    if not images:
        raise RequestError("no_longer_kept")
    if not 1 <= picture <= len(images):
        raise RequestError("unknown_picture", picture=picture, known=len(images))
    return images[picture - 1]


def _fitting(card: WorkflowCard, values: Mapping[str, Value]) -> dict[str, Value]:
    """What of an earlier request this workflow takes, without the seed."""
    fitting: dict[str, Value] = {}
    for parameter in card.parameters:
        value = values.get(parameter.name)
        if value is None or parameter.name == "seed":
            continue
        is_gone = parameter.kind is ParameterKind.LORA and value not in {*card.loras, parameter.default}
        is_odd = parameter.kind is ParameterKind.CHOICE and value not in parameter.choices
        if not (is_gone or is_odd):
            fitting[parameter.name] = value
    return fitting


async def _submit(desk: Desk, call: Call, orders: list[Order]) -> Started:
    """
    Start all, or as many as are accepted.

    Raises:
        RequestError: Not even the first was accepted.
    """
    await places.check(desk, call)
    triggers = await lora.triggers_for(desk, call.person)
    await words.check(desk, call, [_said(order.wish, triggers) for order in orders])
    may_remake = await places.may_remake(desk, call)
    cards: list[Card] = []
    note = ""
    for place, order in enumerate(orders):
        key = call.key if len(orders) == 1 else f"{call.key}:{place}"
        try:
            ticket = await desk.orchestrator.submit(_request(call, order, key, may_remake=may_remake))
        except RequestError as error:
            if not cards:
                raise
            note = f"{len(cards)} of {len(orders)} were started. {sentence(error.key, error.values)}"
            break
        if desk.logs_prompts:
            log.info("job %s of %s: %s", ticket.job, call.person.user, order.wish.values.get("prompt", ""))
        card = await desk.cards.card(ticket.job)
        cards += [card] if card else []
    return Started(cards=tuple(cards), note=note)


def _said(wish: Wish, triggers: Mapping[str, str]) -> str:
    """All the words that are painted: a LoRA that was added brings some."""
    return f"{triggers.get(str(wish.values.get('lora')), '')} {wish.values.get('prompt', '')}"


def _request(call: Call, order: Order, key: str, *, may_remake: bool) -> JobRequest:
    return JobRequest(
        user=call.person.user,
        surface=call.person.surface,
        origin=call.handle.encode(),
        idempotency_key=key,
        workflow=order.wish.workflow,
        values=order.wish.values,
        source=order.source,
        prefers=order.wish.prefers,
        may_remake=may_remake,
    )


async def _question(desk: Desk, person: Person, command: Imagine, wishes: Wishes) -> Reply:
    """Say how many and what they take, before anything costs money."""
    seconds = desk.orchestrator.seconds_per_image() * wishes.pictures
    session = await desk.orchestrator.session(person.user)
    machine = session.machine if session else None
    prices = (machine.price, machine.price) if machine else USUAL_PRICE
    low, high = (dollars(cost_of(rate, timedelta(seconds=seconds))) for rate in prices)
    cost = f"about {usd(low)}" if low == high else f"{usd(low)} to {usd(high)} as a guess, warming up a GPU not counted"
    what = f"{plural(len(wishes.wishes), 'request')} with {plural(wishes.pictures, 'picture')}"
    lines = tuple(clipped(str(wish.values["prompt"]), 100) for wish in wishes.wishes[:8])
    more = (f"and {len(wishes.wishes) - 8} more",) if len(wishes.wishes) > 8 else ()
    return Reply(
        text=f"This makes {what}: {guess(seconds, seconds)} of painting, {cost}.",
        lines=(*lines, *more),
        confirm=Confirm(
            text=f"Start {plural(len(wishes.wishes), 'request')}", command=f"/imagine {command.text} {YES}"
        ),
        data={
            "jobs": len(wishes.wishes),
            "pictures": wishes.pictures,
            "seconds": round(seconds, 1),
            "usd": [low, high],
        },
    )
