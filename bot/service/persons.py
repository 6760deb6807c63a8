"""``/admin user`` and ``/admin budget``: one person as an admin sees them, and everybody's money."""

from bot.chat.buttons import Action
from bot.chat.commands import Cancel, Command, Forget, Press, Release, SetBudget, ShowBudget, ShowPerson
from bot.chat.documents import name_of
from bot.chat.model import Answer, Person, Reply
from bot.chat.words import clipped, price, usd
from bot.service.desk import Desk
from orchestrator.api import CapView, RequestError, UserId, dollars, micro_usd

ACCESS = "access"
BLOCKED = "blocked"
REPORTED_DAYS = 30
SHOWN = 5
LONGEST_NAME = 40


async def show(desk: Desk, admin: Person, command: ShowPerson) -> Answer:
    """
    Block or allow a person, if that is wanted, and say what there is to say of them.

    Raises:
        RequestError: Nobody of that name has ever asked for anything, or more than one has.
    """
    people = desk.orchestrator.people
    user = await _meant(desk, admin, command)
    jobs = await desk.orchestrator.jobs(user=user, limit=SHOWN)
    accounts = await people.accounts_of(user)
    if command.blocked is not None:
        for account in accounts:
            await people.set_place_setting(place_of(account), ACCESS, BLOCKED if command.blocked else "")
    is_blocked = await _is_blocked(desk, *accounts)
    report = await desk.orchestrator.costs(REPORTED_DAYS)
    spent = sum(dollars(row.amount) for row in report.by_user if row.key == user)
    session = await desk.orchestrator.session(user)
    lines = [f"accounts: {', '.join([await _named(desk, account) for account in accounts])}"]
    lines += [f"session: {session.state.lower()}, {price(session.cost)}"] if session else []
    lines += [f"{clipped(str(view.values.get('prompt', '')), 60)} · {price(view.cost)} · {view.id}" for view in jobs]
    state = "blocked" if is_blocked else "may ask for pictures"
    return Reply(
        text=f"{name_of(user)}: {state}, {usd(spent)} in the last {REPORTED_DAYS} days.",
        lines=tuple(lines),
        data={"user": user, "blocked": is_blocked, "usd": spent},
    )


async def _meant(desk: Desk, admin: Person, command: ShowPerson) -> UserId:
    """
    Find a person by an account, its number, a mention of it, or a name.

    Whoever is blocked before they said anything is named by their account.
    """
    people = desk.orchestrator.people
    who = command.who.removeprefix("<@").removesuffix(">").removeprefix("@").removeprefix("!")
    for account in (UserId(who), UserId(f"{admin.surface}:{who}")):
        user = await people.person_of(account)
        if await people.name_of(account) or await desk.orchestrator.jobs(user=user, limit=1):
            return user
    found = await people.called(who)
    if len(found) > 1:
        raise RequestError("several_people", name=who, known=", ".join(found))
    if found:
        return found[0]
    if command.blocked is None or ":" not in who:
        raise RequestError("unknown_person", name=who)
    return await people.person_of(UserId(who))


async def _named(desk: Desk, account: UserId) -> str:
    name = await desk.orchestrator.people.name_of(account)
    return f"{account} ({clipped(name, LONGEST_NAME)})" if name else account


async def check(desk: Desk, person: Person, command: Command) -> None:
    """
    Look whether an admin has blocked the person. What ends costs or takes their words away, they may always do.

    Raises:
        RequestError: They are blocked.
    """
    if not _is_harmless(command) and await _is_blocked(desk, person.user, person.account):
        raise RequestError("person_blocked")


def _is_harmless(command: Command) -> bool:
    match command:
        case Cancel() | Release() | Forget() | Press(action=Action.CANCEL | Action.RELEASE):
            return True
        case _:
            return False


async def _is_blocked(desk: Desk, *accounts: UserId) -> bool:
    """By account, so that neither joining another person nor leaving one lifts it."""
    for account in dict.fromkeys(accounts):
        if await desk.orchestrator.people.place_setting(place_of(account), ACCESS) == BLOCKED:
            return True
    return False


def place_of(account: UserId) -> str:
    """What is chosen for one account, beside what is chosen for guilds and groups."""
    return f"person:{account}"


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
