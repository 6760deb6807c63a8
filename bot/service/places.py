"""``/admin pictures`` and ``/admin filtered``: how pictures are shown in this place, and where they may be made."""

from bot.chat.commands import ShowPictures, TreatFiltered
from bot.chat.model import Answer, Call, Reply
from bot.chat.places import FILTERED, PICTURES, Filtered, Showing, filtered_of, showing_of
from bot.service.desk import Desk
from orchestrator.api import RequestError

SAID = {
    Showing.PLAIN: "Pictures are shown here as they are.",
    Showing.SPOILER: "Pictures are hidden here until somebody taps on them, where the chat can do that.",
    Showing.NSFW_ONLY: "Pictures are made here in age-restricted channels alone.",
}


async def change(desk: Desk, call: Call, command: ShowPictures) -> Answer:
    """Choose, if anything is to be chosen, and say what holds."""
    people = desk.orchestrator.people
    if command.how is not None:
        await people.set_place_setting(call.place, PICTURES, command.how)
    how = showing_of(await people.place_setting(call.place, PICTURES))
    return Reply(text=SAID[how], data={"pictures": str(how)})


async def check(desk: Desk, call: Call) -> None:
    """
    Look whether pictures may be made where this was said.

    Raises:
        RequestError: Only among adults.
    """
    if call.is_among_adults:
        return
    if showing_of(await desk.orchestrator.people.place_setting(call.place, PICTURES)) is Showing.NSFW_ONLY:
        raise RequestError("adults_only")


WHEN_FILTERED = {
    Filtered.TELL: "When an API keeps a picture back here, its person is told.",
    Filtered.REMAKE: "When an API keeps a picture back here, a machine makes it.",
}


async def treat_filtered(desk: Desk, call: Call, command: TreatFiltered) -> Answer:
    """As :func:`change`, for what managed APIs keep back."""
    people = desk.orchestrator.people
    if command.how is not None:
        await people.set_place_setting(call.place, FILTERED, command.how)
    how = filtered_of(await people.place_setting(call.place, FILTERED))
    return Reply(text=WHEN_FILTERED[how], data={"filtered": str(how)})


async def may_remake(desk: Desk, call: Call) -> bool:
    """Whether a machine may make what an API keeps back, where this was said."""
    chosen = await desk.orchestrator.people.place_setting(call.place, FILTERED)
    return filtered_of(chosen) is Filtered.REMAKE
