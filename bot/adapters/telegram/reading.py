"""
What we read of Telegram's answers, and nothing else: whatever stands beside it may be anything.

One update that cannot be read must not keep the others from being handled: it is taken without its content, so that
it is confirmed and not told again. None of it gets into a log, for people's prompts are among it.
"""

import json
from typing import Any

from telegram.error import TelegramError
from telegram.request import HTTPXRequest

JSONDict = dict[str, Any]

LARGEST_ID = 2**53
LAST_DATE = 253_402_300_799
"""The end of the year 9999, in seconds."""

LONGEST_TEXT = 4096
LONGEST_DATA = 64
LONGEST_NAME = 256
LONGEST_DESCRIPTION = 300
LONGEST_PAUSE = 86_400
A_PHOTO = [{"file_id": "photo", "file_unique_id": "photo", "width": 1, "height": 1}]
"""That there is one is all we ask."""


class CarefulRequest(HTTPXRequest):
    """Reads answers as strictly as the rest of us; the library believes that they are what they should be."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> JSONDict:
        """
        Read the frame of an answer.

        Raises:
            TelegramError: It is none.
        """
        answer = _json(payload)
        if not isinstance(answer, dict):
            raise TelegramError("Invalid server response")
        read: JSONDict = {name: answer[name] for name in ("ok", "result", "error_code") if name in answer}
        read["description"] = one_line(answer.get("description"))
        parameters = answer.get("parameters")
        if isinstance(parameters, dict):
            read["parameters"] = _parameters(parameters)
        return read


class UpdatesRequest(CarefulRequest):
    """The request that asks for updates alone."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> JSONDict:
        """
        Read an answer with updates, each as far as we understand it.

        Raises:
            TelegramError: It is none, or there is an update that cannot be confirmed.
        """
        answer = CarefulRequest.parse_json_payload(payload)
        result = answer.pop("result", None)
        if answer.get("ok") is True:
            if not isinstance(result, list):
                raise TelegramError("Invalid server response")
            answer["result"] = [update_of(update) for update in result]
        return answer


def update_of(said: object) -> JSONDict:
    """
    One update with what we read of it; without content where that is not what it should be.

    Raises:
        TelegramError: It has no number, and so cannot be confirmed.
    """
    if not isinstance(said, dict) or not _is_id(said.get("update_id")):
        raise TelegramError("an update without a number")
    update: JSONDict = {"update_id": said["update_id"]}
    read = {
        "message": _message(said.get("message")),
        "edited_message": _message(said.get("edited_message")),
        "callback_query": _query(said.get("callback_query")),
    }
    return update | {name: content for name, content in read.items() if content is not None}


def one_line(words: object, longest: int = LONGEST_DESCRIPTION) -> str:
    """Telegram's words, fit for a log."""
    text = words if isinstance(words, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())[:longest]


def _message(said: object, *, answers: bool = True) -> JSONDict | None:
    """Read a message, and with *answers* the one that it replies to; None where it is no message of a person's."""
    if not isinstance(said, dict) or not _is_id(said.get("message_id")):
        return None
    chat, date = _chat(said.get("chat")), said.get("date")
    if chat is None or not isinstance(date, int) or not 0 <= date <= LAST_DATE:
        return None
    message: JSONDict = {"message_id": said["message_id"], "date": date, "chat": chat}
    if "from" in said:
        message["from"] = _user(said["from"])
    if "sender_chat" in said:
        message["sender_chat"] = _chat(said["sender_chat"])
    if None in message.values():
        return None
    if isinstance(said.get("text"), str):
        message["text"] = _text(said["text"], LONGEST_TEXT)
    if _is_id(said.get("message_thread_id")):
        message["message_thread_id"] = said["message_thread_id"]
    flags = ("is_topic_message", "is_automatic_forward")
    message |= {flag: True for flag in flags if said.get(flag) is True}
    if said.get("photo"):
        message["photo"] = A_PHOTO
    answered = _message(said.get("reply_to_message"), answers=False) if answers else None
    return message if answered is None else message | {"reply_to_message": answered}


def _query(said: object) -> JSONDict | None:
    """Read the press of a button."""
    if not isinstance(said, dict) or not isinstance(said.get("id"), str):
        return None
    user, message = _user(said.get("from")), _message(said.get("message"))
    if user is None or not 0 < len(said["id"]) <= LONGEST_NAME or not said["id"].isprintable():
        return None
    query: JSONDict = {"id": said["id"], "from": user, "chat_instance": ""}
    if isinstance(said.get("data"), str):
        query["data"] = _text(said["data"], LONGEST_DATA)
    return query if message is None else query | {"message": message}


def _chat(said: object) -> JSONDict | None:
    if not isinstance(said, dict) or not _is_id(said.get("id")):
        return None
    return {"id": said["id"], "type": _text(said.get("type"), LONGEST_NAME)}


def _user(said: object) -> JSONDict | None:
    if not isinstance(said, dict) or not _is_id(said.get("id")):
        return None
    user: JSONDict = {"id": said["id"], "is_bot": said.get("is_bot") is not False}
    user["first_name"] = _text(said.get("first_name"), LONGEST_NAME)
    if isinstance(said.get("last_name"), str):
        user["last_name"] = _text(said["last_name"], LONGEST_NAME)
    return user


def _text(said: object, longest: int) -> str:
    """Words as every database takes them: JSON may name halves of characters."""
    text = said[:longest] if isinstance(said, str) else ""
    return text.encode("utf-8", "replace").decode()


def _is_id(said: object) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and -LARGEST_ID < said < LARGEST_ID


def _parameters(said: JSONDict) -> JSONDict:
    """How long to wait, and where a chat has gone; whatever else there is, nobody here does anything about it."""
    read: JSONDict = {}
    pause = said.get("retry_after")
    if isinstance(pause, int) and pause > 0:
        read["retry_after"] = min(pause, LONGEST_PAUSE)
    if _is_id(said.get("migrate_to_chat_id")):
        read["migrate_to_chat_id"] = said["migrate_to_chat_id"]
    return read


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise TelegramError("Invalid server response") from None
