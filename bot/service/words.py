"""``/admin words``: what may not be asked for in this place."""

from collections.abc import Iterable

from bot.chat.blocked import blocked_in
from bot.chat.commands import BlockedWords
from bot.chat.model import Answer, Call, Reply
from bot.chat.words import plural
from bot.service.desk import Desk
from orchestrator.api import RequestError


async def change(desk: Desk, call: Call, command: BlockedWords) -> Answer:
    """Block or allow one word or phrase, if any is named, and list what is blocked here."""
    people = desk.orchestrator.people
    if command.block:
        await people.block_word(call.place, command.block)
    if command.allow and not await people.allow_word(call.place, command.allow):
        raise RequestError("not_blocked", word=command.allow)
    words = await people.blocked_words(call.place)
    text = f"{plural(len(words), 'word')} blocked here:" if words else "No word is blocked here."
    return Reply(text=text, lines=words, data={"blocked": list(words)})


async def check(desk: Desk, call: Call, prompts: Iterable[str]) -> None:
    """
    Look for what may not be asked for here.

    Raises:
        RequestError: It names the word.
    """
    words = await desk.orchestrator.people.blocked_words(call.place)
    for prompt in prompts if words else ():
        word = blocked_in(prompt, words)
        if word:
            raise RequestError("blocked_word", word=word)
