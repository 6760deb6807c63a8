"""What happens when somebody uses a command or presses a button: one call of the handler, answered in time."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, assert_never

import discord

from bot.adapters.discord.asked import AskedTable
from bot.adapters.discord.buttons import confirm_view
from bot.adapters.discord.failures import translated
from bot.adapters.discord.files import Attached
from bot.adapters.discord.markup import LONGEST_DESCRIPTION, escaped, in_block
from bot.adapters.discord.messages import Drawing, Messages
from bot.adapters.discord.people import NAME, call_of
from bot.adapters.discord.render import REPLY_COLOUR, embeds_of
from bot.adapters.discord.turn import Turn
from bot.chat.access import Access
from bot.chat.buttons import Action
from bot.chat.commands import AddLora, Again, Command, Imagine, Press, Vary
from bot.chat.handle import ReplyHandle
from bot.chat.model import Answer, Call, Refused, Reply, Started
from bot.chat.surface import Backend, SurfaceUnavailable
from bot.chat.texts import sentence
from orchestrator.api import RequestError

log = logging.getLogger(__name__)

GRACE = timedelta(seconds=1.5)
"""How long an answer may take before something is said instead; Discord wants a response within three seconds."""

LONGEST = timedelta(minutes=2)
LONGEST_READING = timedelta(minutes=6)
"""A LoRA that is added is read to its end first."""

OUR_FAULT = "This was not understood by the bot itself; nothing is lost. Send it again in a minute, or ask an admin."
TOO_SLOW = "The bot's database does not answer. Look at /history in a minute, and send it again if it is not there."
TOO_LONG_FOR_A_BUTTON = "Send it once more with --yes at its end to go on."


class Answering:
    def __init__(
        self,
        *,
        backend: Backend,
        access: Access,
        asked: AskedTable,
        messages: Messages,
        grace: timedelta = GRACE,
    ) -> None:
        self.backend = backend
        self.access = access
        self._asked = asked
        self.messages = messages
        self._grace = grace

    async def answer(
        self, interaction: discord.Interaction, read: Callable[[], Command], *, turn: Turn | None = None, key: str = ""
    ) -> None:
        """Answer what *read* reads. A mistake of the person's is answered, too."""
        turn = turn or Turn(interaction)
        try:
            call = call_of(interaction, read(), self.access, key=key)
        except RequestError as error:
            await self.tell_safely(turn, Refused(sentence=sentence(error.key, error.values)))
            return
        await self._answer(turn, call)

    async def _answer(self, turn: Turn, call: Call) -> None:
        if not begins_cards(call.command):
            await self.tell_safely(turn, await self.in_time(turn, call))
            return
        self._asked.begin(turn.interaction)
        try:
            await self.tell_safely(turn, await self.in_time(turn, call))
        finally:
            asked = self._asked.get(call.handle)
            if asked is not None and asked.is_pending:
                self._asked.forget(turn.interaction)

    # The call.

    async def in_time(self, turn: Turn, call: Call, *, holds: bool = True) -> Answer:
        """
        What the handler answers, however long that takes; meanwhile the person is told that it takes a moment.

        Args:
            holds: Whether to say so.
        """
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._handled(call), name=f"answer:{call.key}")
            await asyncio.wait({work}, timeout=self._grace.total_seconds())
            if holds and turn.is_open and not work.done():
                await safely(turn.hold(is_public=begins_cards(call.command)))
            return await work

    async def _handled(self, call: Call) -> Answer:
        try:
            longest = LONGEST_READING if isinstance(call.command, AddLora) else LONGEST
            async with asyncio.timeout(longest.total_seconds()):
                return await self.backend.handler.handle(call)
        except TimeoutError:
            log.warning("the command %s was not answered within %s", call.key, LONGEST)
            return Refused(sentence=TOO_SLOW)
        except Exception:
            log.exception("the command %s could not be answered", call.key)
            return Refused(sentence=OUR_FAULT)

    # The answer.

    async def tell_safely(self, turn: Turn, answer: Answer) -> None:
        await safely(self.tell(turn, answer))

    async def tell(self, turn: Turn, answer: Answer) -> None:
        """Bring *answer* to the person: cards for everybody to see, words for them alone."""
        match answer:
            case Started():
                await self._started(turn, answer)
            case Reply():
                await self._reply(turn, answer)
            case Refused():
                await turn.sentence(escaped(answer.sentence))
            case _:
                assert_never(answer)

    async def _started(self, turn: Turn, started: Started) -> None:
        """The first card is the answer; the posting loops bring the others, and this one, too, if that fails."""
        if started.cards:
            card, interaction = started.cards[0], turn.interaction
            message = await turn.post(Drawing(card=card))
            if message is not None:
                self._asked.answered(interaction, card.job, message)
                self.messages.note(card)
                at = ReplyHandle(surface=NAME, chat=str(interaction.channel_id), message=str(message))
                await self.backend.handler.moved(card.job, at)
        if started.note or not started.cards:
            await turn.sentence(escaped(started.note or "It has begun; /history lists it."))

    async def _reply(self, turn: Turn, reply: Reply) -> None:
        embeds = embeds_of(reply)
        view = None
        if reply.confirm is not None:
            block = in_block(reply.confirm.command)
            if len(block) <= LONGEST_DESCRIPTION:
                embeds.append(discord.Embed(description=block, colour=REPLY_COLOUR))
                view = confirm_view(reply.confirm.text)
            else:
                embeds.append(discord.Embed(description=TOO_LONG_FOR_A_BUTTON, colour=REPLY_COLOUR))
        charts = [Attached(name=f"chart-{place + 1}.png", data=data) for place, data in enumerate(reply.pictures)]
        await turn.say(embeds, view=view, files=charts)


def begins_cards(command: Command) -> bool:
    if isinstance(command, Press):
        return command.action in {Action.AGAIN, Action.VARY}
    return isinstance(command, Imagine | Again | Vary)


async def safely(telling: Coroutine[Any, Any, None]) -> None:
    """Tell; where Discord does not take it, the posting loops bring the card, and words are lost."""
    try:
        with translated():
            await telling
    except (discord.HTTPException, discord.InteractionResponded, SurfaceUnavailable) as error:
        log.warning("an interaction could not be answered: %s", error)
