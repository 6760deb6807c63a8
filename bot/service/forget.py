"""``/forget me``: a person's words and pictures, gone for good."""

from bot.chat.commands import Forget
from bot.chat.model import Answer, Confirm, Person, Reply
from bot.chat.prompt import YES
from bot.chat.words import plural
from bot.service.desk import Desk


async def forget(desk: Desk, person: Person, command: Forget) -> Answer:
    """Ask first: it cannot be undone."""
    if not command.is_confirmed:
        return Reply(
            text=(
                "This removes all your prompts, pictures, presets and choices for good, and takes accounts that you"
                " joined apart. What it cost stays in the books."
            ),
            confirm=Confirm(text="Forget everything", command=f"/forget me {YES}"),
        )
    gone = await desk.orchestrator.people.forget(person.user)
    return Reply(
        text=f"Forgotten: {plural(gone.jobs, 'request')} and {plural(gone.pictures, 'picture')}.",
        data={"forgotten": {"jobs": gone.jobs, "pictures": gone.pictures}},
    )
