"""A button below a card, as the command that it stands for."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.chat.buttons import KEEP, Action
from bot.chat.commands import Again, Cancel, Command, Details, Keep, Press, Release, Retype, Vary
from bot.chat.model import Call
from bot.service.desk import Desk

COMMANDS: Mapping[Action, Callable[[Press], Command]] = {
    Action.CANCEL: lambda press: Cancel(job=press.job),
    Action.AGAIN: lambda press: Again(job=press.job),
    Action.VARY: lambda press: Vary(job=press.job, picture=press.picture),
    Action.EDIT: lambda press: Retype(job=press.job),
    Action.KEEP: lambda _: Keep(minutes=KEEP.seconds // 60),
    Action.RELEASE: lambda _: Release(),
    Action.DETAILS: lambda press: Details(job=press.job),
}


async def meant(desk: Desk, call: Call, press: Press) -> Call:
    """
    Say the button as a command.

    A machine is its owner's: an admin who presses Keep or Release speaks for whoever asked for the card. Whoever reads
    what is answered has the card before their eyes.

    Raises:
        RequestError: The card is somebody else's.
    """
    view = await desk.job_of(call.person, press.job)
    is_about_machine = press.action in {Action.KEEP, Action.RELEASE}
    person = replace(call.person, user=view.user) if is_about_machine else call.person
    return replace(call, person=person, command=COMMANDS[press.action](press), is_overheard=False)
