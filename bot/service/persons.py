"""``/admin user`` and ``/admin budget``: one person as an admin sees them, and everybody's money."""

from bot.chat.commands import SetBudget, ShowBudget, ShowPerson
from bot.chat.documents import name_of
from bot.chat.model import Answer, Call, Reply
from bot.chat.words import clipped, price, usd
from bot.service.desk import Desk
from orchestrator.api import CapView, RequestError, UserId, dollars, micro_usd

ACCESS = "access"
BLOCKED = "blocked"
REPORTED_DAYS = 30
SHOWN = 5


async def show(desk: Desk, command: ShowPerson) -> Answer:
    """
    Block or allow a person, if that is wanted, and say what there is to say of them.

    Raises:
        RequestError: Nobody of that name has ever asked for anything.
    """
    people = desk.orchestrator.people
    user = await people.person_of(command.user)
    jobs = await desk.orchestrator.jobs(user=user, limit=SHOWN)
    if not jobs and command.blocked is None:
        raise RequestError("unknown_person", name=command.user)
    if command.blocked is not None:
        await people.set_place_setting(place_of(user), ACCESS, BLOCKED if command.blocked else "")
    is_blocked = await _is_blocked(desk, user)
    report = await desk.orchestrator.costs(REPORTED_DAYS)
    spent = sum(dollars(row.amount) for row in report.by_user if row.key == user)
    session = await desk.orchestrator.session(user)
    lines = [f"accounts: {', '.join(await people.accounts_of(user))}"]
    lines += [f"session: {session.state.lower()}, {price(session.cost)}"] if session else []
    lines += [f"{clipped(str(view.values.get('prompt', '')), 60)} · {price(view.cost)} · {view.id}" for view in jobs]
    state = "blocked" if is_blocked else "may ask for pictures"
    return Reply(
        text=f"{name_of(user)}: {state}, {usd(spent)} in the last {REPORTED_DAYS} days.",
        lines=tuple(lines),
        data={"user": user, "blocked": is_blocked, "usd": spent},
    )


async def check(desk: Desk, call: Call) -> None:
    """
    Look whether an admin has blocked the person.

    Raises:
        RequestError: They have.
    """
    if await _is_blocked(desk, call.person.user):
        raise RequestError("person_blocked")


async def _is_blocked(desk: Desk, user: UserId) -> bool:
    return await desk.orchestrator.people.place_setting(place_of(user), ACCESS) == BLOCKED


def place_of(user: UserId) -> str:
    """What is chosen for one person, beside what is chosen for guilds and groups."""
    return f"person:{user}"


async def budget(desk: Desk, command: ShowBudget | SetBudget) -> Answer:
    """Change one cap, if any is named, and show them with what is used."""
    if isinstance(command, SetBudget):
        await desk.orchestrator.set_cap(command.cap, None if command.usd is None else micro_usd(command.usd))
    caps = await desk.orchestrator.caps()
    return Reply(
        text="What may be spent, and what is spent or set aside:",
        lines=(*(_cap(cap) for cap in caps), "change one like this: /admin budget day 5, /admin budget month off"),
        data={"caps": {cap.name: None if cap.limit is None else dollars(cap.limit) for cap in caps}},
    )


def _cap(cap: CapView) -> str:
    limit = "no cap" if cap.limit is None else f"of {price(cap.limit)}"
    return f"{cap.name}: {price(cap.spent)} {limit}" if cap.spent is not None else f"{cap.name}: {limit}"
