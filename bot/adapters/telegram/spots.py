"""Where cards are, as the ``message`` of a ReplyHandle: ``after:77`` or ``345``, with ``@12`` in a topic."""

from dataclasses import dataclass, replace

from bot.chat.handle import ReplyHandle

NAME = "telegram"
_AFTER = "after:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """
    Attributes:
        message: The card; None while there is none.
        after: What it answers, while there is none.
        topic: The thread of a group with topics.
    """

    chat: int
    message: int | None = None
    after: int | None = None
    topic: int | None = None

    def handle(self) -> ReplyHandle:
        """The chat alone is in ``chat``: all topics of a group share its pace."""
        place = str(self.message) if self.message is not None else f"{_AFTER}{self.after or 0}"
        topic = f"@{self.topic}" if self.topic is not None else ""
        return ReplyHandle(surface=NAME, chat=str(self.chat), message=f"{place}{topic}")

    def at(self, message: int) -> "Spot":
        return replace(self, message=message, after=None)


def spot_of(handle: ReplyHandle) -> Spot | None:
    """None where the handle is not one of ours."""
    chat = _number(handle.chat)
    place, _, topic = handle.message.partition("@")
    if chat is None:
        return None
    is_after = place.startswith(_AFTER)
    number = _number(place.removeprefix(_AFTER))
    return Spot(
        chat=chat,
        message=None if is_after else number,
        after=(number or None) if is_after else None,
        topic=_number(topic),
    )


def is_group(chat: int) -> bool:
    """Groups and channels have negative ids (Bot API, ``Chat.id``)."""
    return chat < 0


def _number(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None
