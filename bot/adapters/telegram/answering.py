"""What happens when somebody writes a command: one call of the handler, and its answer where it was asked."""

import base64
import binascii
import logging
from collections import OrderedDict
from typing import assert_never

from telegram import Message, User

from bot.adapters.telegram.markup import code
from bot.adapters.telegram.people import call_of, check
from bot.adapters.telegram.spots import Spot, is_group
from bot.adapters.telegram.talking import Talking
from bot.chat.access import Access
from bot.chat.commands import Expect
from bot.chat.hunch import Hunch
from bot.chat.model import Answer, Call, Refused, Reply, Started
from bot.chat.surface import Backend
from bot.chat.texts import sentence
from bot.chat.typed import read_command
from orchestrator.api import RequestError

log = logging.getLogger(__name__)

NOT_AGAIN = "A message that was edited is not run again; send it anew."
WORDS_ONLY = "I understand words: say what to paint, for example a lighthouse at dusk."
GREETING = (
    "Say what to paint, for example: /imagine a lighthouse at dusk. A GPU is rented for you, which takes a few minutes"
    " the first time; after that a picture takes seconds. /help lists everything."
)
SHARED = "Somebody shared this with you; tap it to copy, change it as you like, and send it:"
OUR_FAULT = "This was not understood by the bot itself; nothing is lost. Send it again in a minute, or ask an admin."
MOST_HINTED = 500
LONGEST_DEEP_LINK = 64


class Answering:
    def __init__(self, *, backend: Backend, access: Access, talking: Talking, username: str) -> None:
        """
        Answer commands.

        Args:
            username: The bot's own, without ``@``: commands that name another bot are not for us.
        """
        self.backend = backend
        self.access = access
        self.talking = talking
        self._username = username.lower()
        self._hunch = Hunch(backend.handler, backend.now)
        self._hinted: OrderedDict[tuple[int, int], None] = OrderedDict()

    async def wrote(self, message: Message) -> None:
        """A new message, in private or in a group."""
        user = message.from_user
        if user is None or user.is_bot or message.sender_chat is not None:
            return
        spot = spot_of(message)
        text = message.text or ""
        if not self._is_for_us(message, text):
            return
        try:
            check(self.access, user, message.chat)
            if text.split(maxsplit=1)[:1] in (["/start"], [f"/start@{self._username}"]):
                await self._start(spot, text)
                key = f"{message.chat_id}:{message.message_id}"
                await self._hunch.tell(call_of(Expect(), user=user, spot=spot, access=self.access, key=key))
            elif text:
                await self._command(user, spot, text, key=f"{message.chat_id}:{message.message_id}")
            else:
                await self.talking.sentence(spot, WORDS_ONLY)
        except RequestError as error:
            await self.talking.sentence(spot, sentence(error.key, error.values))

    def _is_for_us(self, message: Message, text: str) -> bool:
        """Commands anywhere, words in private alone; a group's other talk is none of our business."""
        if not text.startswith("/"):
            return not is_group(message.chat_id) and not message.is_automatic_forward
        named = text.split(maxsplit=1)[0].partition("@")[2].lower()
        return named in {"", self._username}

    async def edited(self, message: Message) -> None:
        """A hint, once a message: people expect what they changed to happen."""
        text, key = message.text or "", (message.chat_id, message.message_id)
        user = message.from_user
        if user is None or user.is_bot or not text.startswith("/") or not self._is_for_us(message, text):
            return
        if key in self._hinted:
            return
        self._hinted[key] = None
        if len(self._hinted) > MOST_HINTED:
            self._hinted.popitem(last=False)
        try:
            check(self.access, user, message.chat)
        except RequestError:
            return
        await self.talking.sentence(spot_of(message), NOT_AGAIN)

    async def _command(self, user: User, spot: Spot, text: str, *, key: str) -> None:
        call = call_of(read_command(text), user=user, spot=spot, access=self.access, key=key)
        await self.tell(spot, await self.handled(call))

    async def run(self, user: User, spot: Spot, text: str, *, key: str) -> None:
        """
        Do what *text* says, as if *user* had written it at *spot*.

        Raises:
            RequestError: It makes no sense.
        """
        await self._command(user, spot, text, key=key)

    async def handled(self, call: Call) -> Answer:
        try:
            return await self.backend.handler.handle(call)
        except Exception:
            log.exception("the command %s could not be answered", call.key)
            return Refused(sentence=OUR_FAULT)

    async def tell(self, spot: Spot, answer: Answer) -> None:
        """Bring *answer* to where it was asked; cards come by the posting loops, which alone write them."""
        match answer:
            case Started(note=note):
                if note:
                    await self.talking.sentence(spot, note)
            case Reply():
                await self.talking.reply(spot, answer)
            case Refused(sentence=said):
                await self.talking.sentence(spot, said)
            case _:
                assert_never(answer)

    async def _start(self, spot: Spot, text: str) -> None:
        """What Telegram sends when somebody opens the bot, perhaps by a link with a prompt in it."""
        shared = prompt_in(text.partition(" ")[2].strip())
        if shared:
            await self.talking.say(spot, [f"{SHARED}\n{code(f'/imagine {shared}')}"])
        else:
            await self.talking.sentence(spot, GREETING)


def spot_of(message: Message) -> Spot:
    """Where the answer to *message* belongs."""
    topic = message.message_thread_id if message.is_topic_message else None
    return Spot(chat=message.chat_id, after=message.message_id, topic=topic)


def prompt_in(payload: str) -> str:
    """
    The prompt in a deep link, which is URL-safe base64 of it; empty where there is none.

    It is shown, never run: whoever follows a link has not asked for anything yet.
    """
    if not 0 < len(payload) <= LONGEST_DEEP_LINK:
        return ""
    try:
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return text if text.isprintable() and len(text) > 2 else ""


def deep_link(username: str, prompt: str) -> str:
    """The address that opens the bot with *prompt*; empty where it is too long for one (Bot API, "Deep linking")."""
    payload = base64.urlsafe_b64encode(prompt.encode()).decode().rstrip("=")
    return f"https://t.me/{username}?start={payload}" if len(payload) <= LONGEST_DEEP_LINK else ""
