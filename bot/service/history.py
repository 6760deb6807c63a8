"""``/history`` and ``/me``: what a person asked for, and what that cost."""

from datetime import timedelta

from bot.chat.card import Card
from bot.chat.documents import name_of, session_document
from bot.chat.model import Answer, Person, Reply
from bot.chat.words import clipped, minutes, plural, price, usd
from bot.service.desk import Desk
from orchestrator.api import dollars

SHOWN = 10
REPORTED_DAYS = 30


async def show(desk: Desk, person: Person) -> Answer:
    cards = await desk.cards.cards(user=person.user, before=None, limit=SHOWN)
    if not cards:
        return Reply(text="You have not asked for anything yet. Try: /imagine a lighthouse at dusk")
    return Reply(
        text="What you asked for lately, the newest first:",
        lines=tuple(_line(desk, card) for card in cards),
        data={"jobs": [card.job for card in cards]},
    )


def _line(desk: Desk, card: Card) -> str:
    ago = desk.now() - card.created_at
    if ago < timedelta(minutes=1):
        when = "just now"
    else:
        when = f"{minutes(ago)} ago" if ago < timedelta(hours=2) else f"{card.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{clipped(card.prompt, 60)} · {clipped(card.line, 80)} · {price(card.cost)} · {when} · {card.job}"


async def me(desk: Desk, person: Person) -> Answer:
    report = await desk.orchestrator.costs(REPORTED_DAYS)
    session = await desk.orchestrator.session(person.user)
    spent = sum(dollars(row.amount) for row in report.by_user if row.key == person.user)
    accounts = await desk.orchestrator.people.accounts_of(person.user)
    lines = [f"{usd(spent)} in the last {REPORTED_DAYS} days"]
    lines += [f"your accounts: {', '.join(accounts)}"] if len(accounts) > 1 else []
    if session is not None:
        lines.append(f"this session: {plural(session.images, 'picture')}, {price(session.cost)}")
    return Reply(
        text=f"You are {name_of(person.user)}{', an admin' if person.is_admin else ''}.",
        lines=tuple(lines),
        data={
            "user": name_of(person.user),
            "is_admin": person.is_admin,
            "accounts": list(accounts),
            "days": REPORTED_DAYS,
            "usd": spent,
            "session": session_document(session, desk.now()) if session else None,
        },
    )
