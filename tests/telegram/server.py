"""
A Bot API server on this computer: python-telegram-bot talks to it over real HTTP.

Every call is held against the published description of the API. It keeps messages as chats do, enforces limits like
Telegram's, and can be told to misbehave.
"""

import asyncio
import io
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from aiohttp import web
from PIL import Image

from tests.telegram.entities import CannotParse, read_html
from tests.telegram.specification import is_method, read_call

TOKEN = "4242:a-secret-token-of-telegram"
BOT = {"id": 4242, "is_bot": True, "first_name": "glowplug", "username": "glowplug_bot"}
WRITES = frozenset(
    {
        "sendMessage",
        "sendPhoto",
        "sendDocument",
        "sendMediaGroup",
        "editMessageText",
        "editMessageCaption",
        "editMessageMedia",
    }
)
LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    One message of a chat, as people see it.

    Attributes:
        photo: The picture in it.
        files: Names of documents.
        buttons: Label to data.
    """

    id: int
    chat: int
    text: str = ""
    photo: bytes | None = None
    files: tuple[str, ...] = ()
    buttons: dict[str, str] = field(default_factory=dict)
    markup: str = ""
    reply_to: int | None = None
    topic: int | None = None
    links: tuple[str, ...] = ()
    author: dict[str, Any] = field(default_factory=lambda: dict(BOT))


@dataclass(slots=True, kw_only=True)
class Trouble:
    """
    What happens to calls of *method* instead of a good answer.

    Attributes:
        is_done: The call is carried out first, and only its answer is lost.
        times: None for ever.
    """

    method: str
    status: int
    description: str
    retry_after: int | None = None
    is_done: bool = False
    hangs: bool = False
    times: int | None = 1
    chat: int | None = None


class Refused(Exception):
    def __init__(
        self, status: int, description: str, *, retry_after: float | None = None, migrate_to: int | None = None
    ) -> None:
        super().__init__(description)
        self.status, self.description = status, description
        self.parameters: dict[str, int] = {}
        if retry_after is not None:
            self.parameters["retry_after"] = max(1, round(retry_after))
        if migrate_to is not None:
            self.parameters["migrate_to_chat_id"] = migrate_to


@dataclass(slots=True, kw_only=True)
class TelegramServer:
    """
    Attributes:
        url: Of the API, without a path.
        confirmed: Numbers of updates that the bot has confirmed.
        calls: Every call that was carried out: method and what it said.
        problems: What was wrong with calls, by the published description.
        floods: How often somebody wrote faster than is allowed.
        limits: Writes and seconds for a group and for a private chat; None for no limits.
    """

    url: str = ""
    limits: dict[str, tuple[int, float]] | None = None
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    floods: int = 0
    toasts: list[str] = field(default_factory=list)
    commands: dict[str, list[str]] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    messages: dict[tuple[int, int], Message] = field(default_factory=dict)
    confirmed: list[int] = field(default_factory=list)
    moved: dict[int, int] = field(default_factory=dict)
    _troubles: list[Trouble] = field(default_factory=list)
    _past: list[dict[str, Any]] = field(default_factory=list)
    _updates: list[dict[str, Any]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _message_numbers: defaultdict[int, "count[int]"] = field(default_factory=lambda: defaultdict(lambda: count(100)))
    _written: defaultdict[int, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    # What people see and do.

    def seen(self, chat: int) -> list[Message]:
        """The bot's messages in a chat, oldest first."""
        return [message for message in self.messages.values() if message.chat == chat and message.author == BOT]

    def write(self, user: int, text: str, *, chat: int | None = None, topic: int | None = None) -> int:
        """A person writes; gives the number of the message."""
        where = user if chat is None else chat
        number = next(self._message_numbers[where])
        author = person(user)
        self.messages[where, number] = Message(id=number, chat=where, text=text, author=author, topic=topic)
        self._push({"message": self._as_json(self.messages[where, number])})
        return number

    def edit(self, user: int, number: int, text: str, *, chat: int | None = None) -> None:
        where = user if chat is None else chat
        self.messages[where, number] = replace(self.messages[where, number], text=text)
        self._push({"edited_message": self._as_json(self.messages[where, number])})

    def press(self, user: int, message: Message, label: str) -> None:
        """A person presses the button whose label begins with *label*."""
        data = next(data for known, data in message.buttons.items() if known.startswith(label))
        query = {
            "id": str(next(self._numbers)),
            "from": person(user),
            "chat_instance": "1",
            "data": data,
            "message": self._as_json(self.messages[message.chat, message.id]),
        }
        self._push({"callback_query": query})

    def tell_again(self, update: int) -> None:
        """As if it had never been confirmed; under a number of its own, since those only grow."""
        told = next(each for each in self._past if each["update_id"] == update)
        self._push({name: value for name, value in told.items() if name != "update_id"})

    def migrate(self, chat: int, to: int) -> None:
        """A group becomes a supergroup: calls for the old id are told the new one."""
        self.moved[chat] = to

    def delete(self, message: Message) -> None:
        del self.messages[message.chat, message.id]

    def misbehave(self, method: str, status: int, description: str, **more: Any) -> None:
        self._troubles.append(Trouble(method=method, status=status, description=description, **more))

    @property
    def misbehaves(self) -> bool:
        """Whether some of what it was told to do wrong is still to come."""
        return bool(self._troubles)

    def _push(self, what: dict[str, Any]) -> None:
        self._updates.append({"update_id": next(self._numbers), **what})
        self._news.set()

    # The API.

    async def answer(self, request: web.Request) -> web.Response:
        token, method = request.match_info["token"], request.match_info["method"]
        if token != TOKEN:
            return _reply({"ok": False, "error_code": 401, "description": "Unauthorized"}, 401)
        if not is_method(method):
            self.problems.append(f"there is no method {method} in the description")
            return _reply({"ok": False, "error_code": 404, "description": "Not Found"}, 404)
        try:
            given, files = await _form(request)
        except ConnectionResetError:  # a bot that is killed
            return _reply({"ok": False}, 400)
        said, wrong = read_call(method, given, files)
        self.problems += wrong
        try:
            return _reply({"ok": True, "result": await self._carried_out(method, said, files)})
        except Refused as refused:
            body: dict[str, Any] = {"ok": False, "error_code": refused.status, "description": refused.description}
            if refused.parameters:
                body["parameters"] = refused.parameters
            return _reply(body, refused.status)

    async def _carried_out(self, method: str, said: dict[str, Any], files: dict[str, bytes]) -> Any:
        trouble = self._trouble_for(method, said)
        if trouble is not None and not trouble.is_done:
            if trouble.hangs:
                await asyncio.sleep(3600)
            raise Refused(trouble.status, trouble.description, retry_after=trouble.retry_after)
        moved = self.moved.get(said.get("chat_id", 0))
        if moved is not None:
            raise Refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to=moved)
        if method in WRITES:
            self._check_pace(int(said["chat_id"]))
        work: Callable[..., Any] = getattr(self, f"_{method}")
        result = await work(said, files) if method == "getUpdates" else work(said, files)
        if method != "getUpdates":
            self.calls.append((method, said))
        if trouble is not None:
            if trouble.hangs:
                await asyncio.sleep(3600)
            raise Refused(trouble.status, trouble.description, retry_after=trouble.retry_after)
        return result

    def _trouble_for(self, method: str, said: dict[str, Any]) -> Trouble | None:
        for trouble in self._troubles:
            is_here = trouble.chat is None or trouble.chat == said.get("chat_id")
            if trouble.method in {method, "*"} and is_here and (trouble.method != "*" or method != "getUpdates"):
                if trouble.times is not None:
                    trouble.times -= 1
                    if trouble.times <= 0:
                        self._troubles.remove(trouble)
                return trouble
        return None

    def _check_pace(self, chat: int) -> None:
        if self.limits is None:
            return
        most, per = self.limits["group" if chat < 0 else "private"]
        now, written = time.monotonic(), self._written[chat]
        while written and written[0] + per <= now:
            written.popleft()
        if len(written) >= most:
            self.floods += 1
            raise Refused(429, "Too Many Requests: retry after", retry_after=written[0] + per - now)
        written.append(now)

    # Methods.

    def _getMe(self, _said: dict[str, Any], _files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    async def _getUpdates(self, said: dict[str, Any], _files: dict[str, bytes]) -> list[dict[str, Any]]:  # noqa: N802
        offset = said.get("offset") or 0
        self.confirmed += [update["update_id"] for update in self._updates if update["update_id"] < offset]
        self._past += [update for update in self._updates if update["update_id"] < offset]
        self._updates = [update for update in self._updates if update["update_id"] >= offset]
        if not self._updates:
            self._news.clear()
            try:
                async with asyncio.timeout(min(float(said.get("timeout", 0)), 1.0)):
                    await self._news.wait()
            except TimeoutError:
                return []
        return list(self._updates)

    def _setWebhook(self, said: dict[str, Any], _files: dict[str, bytes]) -> bool:  # noqa: N802
        self.webhook = said
        return True

    def _deleteWebhook(self, _said: dict[str, Any], _files: dict[str, bytes]) -> bool:  # noqa: N802
        self.webhook = {}
        return True

    def _setMyCommands(self, said: dict[str, Any], _files: dict[str, bytes]) -> bool:  # noqa: N802
        scope = said.get("scope", {"type": "default"})
        name = f"{scope['type']}:{scope.get('chat_id', '')}"
        self.commands[name] = [command["command"] for command in said["commands"]]
        return True

    def _sendMessage(self, said: dict[str, Any], _files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802
        text, links = _read(said["text"], said, LONGEST_TEXT, "message is too long")
        return self._new(said, text=text, links=links)

    def _sendPhoto(self, said: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802
        return self._new(said, photo=_photo(next(iter(files.values()))))

    def _sendDocument(self, said: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802
        return self._new(said, files=tuple(files))

    def _sendMediaGroup(self, said: dict[str, Any], files: dict[str, bytes]) -> list[dict[str, Any]]:  # noqa: N802
        if not 2 <= len(said["media"]) <= 10:
            raise Refused(400, "Bad Request: wrong number of media in a group")
        return [self._new(said, files=(name,)) for name in files]

    def _editMessageText(self, said: dict[str, Any], _files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802
        message = self._own(said)
        if message.photo is not None:
            raise Refused(400, "Bad Request: there is no text in the message to edit")
        text, links = _read(said["text"], said, LONGEST_TEXT, "message is too long")
        return self._changed(message, said, text=text, links=links)

    def _editMessageCaption(self, said: dict[str, Any], _files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802
        message = self._own(said)
        if message.photo is None:
            raise Refused(400, "Bad Request: there is no caption in the message to edit")
        text, links = _read(said.get("caption", ""), said, LONGEST_CAPTION, "message caption is too long")
        return self._changed(message, said, text=text, links=links)

    def _editMessageMedia(self, said: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802
        message, media = self._own(said), said["media"]
        name = str(media["media"]).removeprefix("attach://")
        if name not in files:
            raise Refused(400, "Bad Request: wrong file identifier/HTTP URL specified")
        text, links = _read(media.get("caption", ""), media, LONGEST_CAPTION, "message caption is too long")
        return self._changed(message, said, text=text, links=links, photo=_photo(files[name]))

    def _editMessageReplyMarkup(self, said: dict[str, Any], _files: dict[str, bytes]) -> dict[str, Any]:  # noqa: N802
        return self._changed(self._own(said), said)

    def _answerCallbackQuery(self, said: dict[str, Any], _files: dict[str, bytes]) -> bool:  # noqa: N802
        if len(said.get("text", "")) > 200:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        self.toasts.append(said.get("text", ""))
        return True

    # Messages.

    def _new(self, said: dict[str, Any], **content: Any) -> dict[str, Any]:
        chat = int(said["chat_id"])
        number = next(self._message_numbers[chat])
        answers = (said.get("reply_parameters") or {}).get("message_id")
        message = Message(
            id=number,
            chat=chat,
            reply_to=answers if (chat, answers) in self.messages else None,
            topic=said.get("message_thread_id"),
            buttons=_buttons(said),
            markup=json.dumps(said.get("reply_markup")),
            **content,
        )
        self.messages[chat, number] = message
        return self._as_json(message)

    def _own(self, said: dict[str, Any]) -> Message:
        message = self.messages.get((int(said["chat_id"]), said["message_id"]))
        if message is None:
            raise Refused(400, "Bad Request: message to edit not found")
        if message.author != BOT:
            raise Refused(400, "Bad Request: message can't be edited")
        return message

    def _changed(self, message: Message, said: dict[str, Any], **content: Any) -> dict[str, Any]:
        after = replace(message, buttons=_buttons(said), markup=json.dumps(said.get("reply_markup")), **content)
        if after == message:
            raise Refused(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the"
                " same as a current content and reply markup of the message",
            )
        self.messages[message.chat, message.id] = after
        return self._as_json(after)

    def _as_json(self, message: Message) -> dict[str, Any]:
        chat: dict[str, Any] = {"id": message.chat, "type": "private" if message.chat > 0 else "supergroup"}
        if message.chat < 0:
            chat["title"] = "friends"
        document = {"message_id": message.id, "date": 1_772_366_400, "chat": chat, "from": message.author}
        if message.photo is not None:
            size = {"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}
            document |= {"photo": [size], "caption": message.text}
        else:
            document["text"] = message.text
        if message.topic is not None:
            document |= {"message_thread_id": message.topic, "is_topic_message": True}
        answered = self.messages.get((message.chat, message.reply_to or 0))
        if answered is not None:
            document["reply_to_message"] = self._as_json(replace(answered, reply_to=None))
        return document


def person(number: int) -> dict[str, Any]:
    return {"id": number, "is_bot": False, "first_name": f"person {number}"}


def _read(text: str, said: dict[str, Any], limit: int, too_long: str) -> tuple[str, tuple[str, ...]]:
    links: list[str] = []
    if said.get("parse_mode") == "HTML":
        try:
            text, links = read_html(text)
        except CannotParse as error:
            raise Refused(400, f"Bad Request: can't parse entities: {error}") from None
    if not text.strip():
        raise Refused(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > limit:
        raise Refused(400, f"Bad Request: {too_long}")
    return text, tuple(links)


def _buttons(said: dict[str, Any]) -> dict[str, str]:
    rows = (said.get("reply_markup") or {}).get("inline_keyboard", [])
    found = {button["text"]: button["callback_data"] for row in rows for button in row}
    if any(not 1 <= len(data.encode()) <= 64 for data in found.values()):
        raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return found


def _photo(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    if len(data) > 10_000_000 or width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    return data


async def _form(request: web.Request) -> tuple[dict[str, str], dict[str, bytes]]:
    given: dict[str, str] = {}
    files: dict[str, bytes] = {}
    if request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            data = bytes(await part.read())  # type: ignore[union-attr]
            if part.filename is not None:  # type: ignore[union-attr]
                files[str(part.name)] = data  # type: ignore[union-attr]
            else:
                given[str(part.name)] = data.decode()  # type: ignore[union-attr]
    else:
        given = {name: str(value) for name, value in (await request.post()).items()}
    return given, files


def _reply(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(body, status=status)


@asynccontextmanager
async def telegram_server(limits: dict[str, tuple[int, float]] | None = None) -> AsyncIterator[TelegramServer]:
    """Serve inside the block; afterwards every call must have fitted the description."""
    server = TelegramServer(limits=limits)
    app = web.Application(client_max_size=1 << 28)
    app.router.add_post("/bot{token}/{method}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
    assert not server.problems, "\n".join(server.problems)
