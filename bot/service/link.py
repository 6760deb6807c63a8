"""``/link``: one person with an account on each chat."""

from bot.chat.commands import Link, OfferLink, Unlink
from bot.chat.model import Answer, Call, Person, Reply
from bot.service.desk import Desk
from orchestrator.api import RequestError

CHATS = {"discord": "Discord", "telegram": "Telegram"}


async def change(desk: Desk, call: Call, command: OfferLink | Link | Unlink) -> Answer:
    """
    Offer a code, take one, or leave.

    Raises:
        RequestError: The page is everybody's; the code is wrong, or others have read it; something is under way.
    """
    person = call.person
    if person.surface not in CHATS:
        raise RequestError("link_elsewhere")
    match command:
        case OfferLink():
            return await _offer(desk, person)
        case Link(code=code) if call.is_overheard:
            await desk.orchestrator.people.withdraw_link(code)
            raise RequestError("overheard_code")
        case Link(code=code):
            await desk.orchestrator.people.link(person.account, code)
            return Reply(
                text="Joined: one GPU, one budget, one history, one set of presets.",
                lines=("/me lists your accounts; /link remove takes this one out again.",),
                data={"linked": True},
            )
        case Unlink():
            await desk.orchestrator.people.unlink(person.account)
            return Reply(
                text="This account is by itself again.",
                lines=("What you did with it stays with the account that it was joined to.",),
                data={"linked": False},
            )


async def _offer(desk: Desk, person: Person) -> Reply:
    code = await desk.orchestrator.people.offer_link(person.user)
    other = " or ".join(name for chat, name in CHATS.items() if chat != person.surface)
    return Reply(
        text=f"Write /link {code} to the bot on {other} within ten minutes.",
        lines=(
            "That account and this one become one person: one GPU, one budget, one history, one set of presets.",
            "Give the code to nobody else: whoever uses it spends your budget.",
        ),
        data={"code": code},
    )
