"""Who speaks, and where: from a message or a press to a call."""

from telegram import Chat, User

from bot.adapters.telegram.spots import NAME, Spot, is_group
from bot.chat.access import Access
from bot.chat.commands import Command
from bot.chat.model import Call, Person
from orchestrator.api import UserId


def account(user: UserId) -> int | None:
    """The number of an account, from how we name people."""
    number = user.removeprefix(f"{NAME}:")
    return int(number) if number != user and number.isascii() and number.isdecimal() else None


def check(access: Access, user: User, chat: Chat) -> None:
    """
    Let those in who may come in.

    Raises:
        RequestError: They may not; it says whom to ask.
    """
    access.check(str(user.id), str(chat.id) if is_group(chat.id) else "")


def call_of(command: Command, *, user: User, spot: Spot, access: Access, key: str) -> Call:
    """Say *command* as a call of somebody who may use the bot."""
    called = f"{user.first_name} {user.last_name or ''}"  # the library's full_name is None for an account without any
    name = "".join(c for c in called if c.isprintable()).strip()
    return Call(
        person=Person(
            user=UserId(f"{NAME}:{user.id}"), surface=NAME, is_admin=access.is_admin(str(user.id)), name=name
        ),
        command=command,
        handle=spot.handle(),
        key=f"{NAME}:{key}",
        place=f"{NAME}:{spot.chat}",
        is_overheard=is_group(spot.chat),
    )
