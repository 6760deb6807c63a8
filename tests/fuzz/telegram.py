"""What Telegram tells: the frame of its answers, updates, and how the bot takes each of them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from telegram import Bot, Update
from telegram.error import TelegramError

from bot.adapters.telegram.answering import Answering
from bot.adapters.telegram.messages import Messages
from bot.adapters.telegram.presses import Presses
from bot.adapters.telegram.reading import CarefulRequest, UpdatesRequest
from bot.adapters.telegram.surface import TelegramOptions, TelegramSurface, _handle
from bot.adapters.telegram.talking import Talking
from bot.chat.buttons import Action
from bot.chat.pace import Pace
from bot.chat.surface import Backend
from bot.service.desk import open_desk
from bot.service.router import Router
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.fuzz.harness import Feed, Subject
from tests.fuzz.mutate import Mutator
from tests.telegram.server import BOT, TOKEN, person, telegram_server
from tests.telegram.world import ACCESS, ADA, GROUP, ROOT, unhurried

TEXTS = ("/imagine a cat --seed 7", "a lighthouse", "/help", "/start YSBjYXQ", "/settings", "/presets", "/lora x")
A_LIFE = 200
"""Updates after which the bot and its orchestrator begin anew: what is kept of all would slow down the rest."""


def message(mutator: Mutator, *, text: str | None = None) -> dict[str, Any]:
    """As a person writes one; the numbers are those of the people who may."""
    chat = mutator.one_of((ADA, GROUP, ROOT))
    said: dict[str, Any] = {
        "message_id": mutator.dice.randrange(1, 10**6),
        "date": 1_772_366_400,
        "chat": {"id": chat, "type": "private" if chat > 0 else "supergroup", "title": "friends"},
        "from": {**person(abs(chat) if chat > 0 else ADA), "last_name": "x", "username": "x", "language_code": "de"},
        "text": text or mutator.one_of(TEXTS),
        "entities": [{"type": "bot_command", "offset": 0, "length": 8}],
    }
    if mutator.chance(4):
        said |= {"message_thread_id": 5, "is_topic_message": True}
    if mutator.chance(4):
        said["photo"] = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
    return said


def update(mutator: Mutator) -> dict[str, Any]:
    number = mutator.dice.randrange(1, 10**6)
    kind = mutator.dice.randrange(4)
    if kind < 2:
        return {"update_id": number, mutator.one_of(("message", "message", "edited_message")): message(mutator)}
    action = mutator.one_of((*Action, "confirm", "original"))
    data = f"{action}:{mutator.one_of(('job-1', 'x', ''))}:{mutator.one_of(('1', '2', '٣', 'x'))}"
    asked = {**message(mutator), "reply_to_message": message(mutator)}
    query = {"id": str(number), "from": person(ADA), "chat_instance": "1", "data": data, "message": asked}
    return {"update_id": number, "callback_query": query}


def payload(mutator: Mutator) -> bytes:
    updates = [update(mutator) for _ in range(mutator.dice.randrange(1, 3))]
    if mutator.chance(8):
        parameters = mutator.value({"retry_after": 3, "migrate_to_chat_id": -100})
        return mutator.as_json({"ok": False, "error_code": 429, "description": "Too Many", "parameters": parameters})
    if mutator.chance(2):  # the content alone, so that the frame is understood
        return json.dumps({"ok": True, "result": [{**each, **_spoiled(mutator, each)} for each in updates]}).encode()
    return mutator.as_json({"ok": True, "result": updates})


def _spoiled(mutator: Mutator, told: dict[str, Any]) -> dict[str, Any]:
    return {name: mutator.value(content) for name, content in told.items() if name != "update_id"}


@asynccontextmanager
async def _updates() -> AsyncIterator[Feed]:
    bot = Bot(TOKEN)

    async def feed(mutator: Mutator) -> object:
        raw = payload(mutator)
        CarefulRequest.parse_json_payload(raw)
        answer = UpdatesRequest.parse_json_payload(raw)
        return Update.de_list(answer.get("result") or [], bot)

    yield feed


@asynccontextmanager
async def _handled() -> AsyncIterator[Feed]:
    """Each update to its end: what the bot then says to Telegram must fit Telegram's own description."""
    async with telegram_server() as server:
        bot = Bot(TOKEN, base_url=f"{server.url}/bot", request=CarefulRequest())
        await bot.initialize()
        lives: list[tuple[Answering, Presses]] = []
        count = 0

        async def feed(mutator: Mutator) -> object:
            nonlocal count
            if count % A_LIFE == 0:
                lives[:] = [_life(bot, server.url)]
                server.messages.clear()
                server.calls.clear()
            count += 1
            answer = UpdatesRequest.parse_json_payload(payload(mutator))
            for each in Update.de_list(answer.get("result") or [], bot):
                await _handle(each, *lives[0])
            return count

        yield feed
        await bot.shutdown()


def _life(bot: Bot, url: str) -> tuple[Answering, Presses]:
    orchestrator = FakeOrchestrator()
    surface = TelegramSurface(TelegramOptions(token=TOKEN, access=ACCESS, api=url, rate=unhurried))
    desk = open_desk(orchestrator, [surface], lambda: orchestrator.now)
    backend = Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=lambda: orchestrator.now)
    messages = Messages(bot)
    talking = Talking(bot, messages, Pace(unhurried))
    answering = Answering(backend=backend, access=ACCESS, talking=talking, username=str(BOT["username"]))
    return answering, Presses(bot, answering, messages)


SUBJECTS = (
    Subject(name="telegram updates", opened=_updates, refusals=(TelegramError,)),
    Subject(name="telegram handled", opened=_handled, refusals=(TelegramError,)),
)
