"""What python-telegram-bot raises, as what the bot does about it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.chat.surface import SurfaceUnavailable

UNCHANGED = "message is not modified"
GONE = ("message to edit not found", "message can't be edited", "message to be replied not found")
NOT_PARSED = "can't parse entities"
NO_CHAT = (
    "chat not found",
    "user not found",
    "peer_id_invalid",
    "chat_id is empty",
    "topic_closed",
    "not enough rights",
)
NO_TOPIC = ("message thread not found", "topic_id_invalid", "topic_deleted")
NEVER_LEFT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""What httpx, which python-telegram-bot calls, raises before anything was sent."""

GATEWAY = ("bad gateway", "(502)", "(504)")
LATE = ("query is too old", "query_id_invalid", "query id is invalid")


@contextmanager
def translated() -> Iterator[None]:
    """
    Inside the block, Telegram being away or busy is SurfaceUnavailable; what it forbids or does not know stays.

    Raises:
        SurfaceUnavailable: Offer it again.
    """
    try:
        yield
    except RetryAfter as error:
        raise SurfaceUnavailable("Telegram asks for a pause", retry_after=pause_of(error)) from error
    except BadRequest:
        raise  # a NetworkError by its class, and none by its meaning
    except (NetworkError, TimeoutError) as error:
        raise SurfaceUnavailable(f"Telegram cannot be reached ({type(error).__name__})") from error


def pause_of(error: RetryAfter) -> timedelta:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its type is about to change; both are understood here
        asked = error.retry_after
    return asked if isinstance(asked, timedelta) else timedelta(seconds=asked)


def says(error: TelegramError, *phrases: str) -> bool:
    return any(phrase in error.message.lower() for phrase in phrases)


def is_lost(error: TelegramError) -> bool:
    """Whether the call was perhaps carried out, and only its answer did not come through."""
    if isinstance(error, BadRequest) or not isinstance(error, NetworkError):
        return False
    if error.__cause__ is not None:
        return type(error.__cause__).__name__ not in NEVER_LEFT
    return says(error, *GATEWAY)


def is_without_topic(error: TelegramError) -> bool:
    """The topic was deleted; its group is there."""
    return isinstance(error, BadRequest) and says(error, *NO_TOPIC)


def is_unchanged(error: TelegramError) -> bool:
    return isinstance(error, BadRequest) and says(error, UNCHANGED)


def is_gone(error: TelegramError) -> bool:
    """The message was deleted, is not ours any more, or stayed behind when its group became a supergroup."""
    return isinstance(error, ChatMigrated) or (isinstance(error, BadRequest) and says(error, *GONE))


def is_closed_to_us(error: TelegramError) -> bool:
    """Blocked, kicked out, or the chat is gone: nothing can be written there."""
    return isinstance(error, Forbidden) or (isinstance(error, BadRequest) and says(error, *NO_CHAT))


def is_not_parsed(error: TelegramError) -> bool:
    return isinstance(error, BadRequest) and says(error, NOT_PARSED)
