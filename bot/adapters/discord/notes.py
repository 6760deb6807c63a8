"""News beside the cards: to a person alone, or by a mention where they take no private messages."""

import logging
from collections.abc import Callable

import discord

from bot.adapters.discord.buttons import note_view
from bot.adapters.discord.failures import CLOSED_DM, is_closed_to_us
from bot.adapters.discord.markup import escaped
from bot.adapters.discord.messages import NO_MENTIONS
from bot.adapters.discord.people import NAME, account
from bot.chat.access import Access
from bot.chat.model import Note
from bot.chat.surface import SurfaceUnavailable, Unreachable

log = logging.getLogger(__name__)

LONGEST_CONTENT = 2000


class Notes:
    def __init__(self, client: Callable[[], discord.Client], access: Access, admin_channel: str) -> None:
        self._client = client
        self._access = access
        self._admin_channel = admin_channel

    async def tell(self, note: Note) -> list[int]:
        """
        Tell it to whom it is for; says which channels were written to.

        Raises:
            SurfaceUnavailable: Nobody is known who could be told.
            Unreachable: They are known, and take nothing from us.
        """
        if note.user is None:
            return await self._tell_admins(note)
        number = account(note.user)
        if number is None:
            raise Unreachable("that is no account of Discord")
        told = await self._privately(number, note)
        return [told if told is not None else await self._by_mention(number, note)]

    async def _tell_admins(self, note: Note) -> list[int]:
        admins = [int(admin) for admin in sorted(self._access.admins) if admin.isdecimal() and not self._is_role(admin)]
        channel = int(self._admin_channel) if self._admin_channel.isdecimal() else None
        admins = [admin for admin in admins if f"{NAME}:{admin}" not in note.leaving_out]
        if not admins and channel is None and not note.leaving_out:
            raise SurfaceUnavailable("no admin is known who could be told; set DISCORD_ADMINS")
        told = [await self._privately(admin, note) for admin in admins]
        told += [await self._in_channel(channel, note)] if channel is not None else []
        reached = [each for each in told if each is not None]
        if told and not reached:
            raise Unreachable("no admin takes private messages, and there is no channel for them")
        return reached

    def _is_role(self, number: str) -> bool:
        return any(guild.get_role(int(number)) for guild in self._client().guilds)

    async def _privately(self, number: int, note: Note) -> int | None:
        """None when they take no private messages, or there is no such person."""
        try:
            channel = await self._client().create_dm(discord.Object(number))
            view = note_view(note.buttons) or discord.utils.MISSING
            await channel.send(escaped(note.sentence, LONGEST_CONTENT), view=view, allowed_mentions=NO_MENTIONS)
        except discord.HTTPException as error:
            if error.status not in {400, 403, 404}:
                raise
            log.info("a private message was not taken (%s)", "closed" if error.code == CLOSED_DM else error.text)
            return None
        return channel.id

    async def _by_mention(self, number: int, note: Note) -> int:
        if not note.chat.isdecimal():
            raise Unreachable("they take no private messages, and there is no channel to mention them in")
        channel = self._client().get_partial_messageable(int(note.chat))
        text = f"<@{number}> {escaped(note.sentence, LONGEST_CONTENT - 30)}"
        try:
            await channel.send(
                text,
                view=note_view(note.buttons) or discord.utils.MISSING,
                allowed_mentions=discord.AllowedMentions(
                    everyone=False, roles=False, replied_user=False, users=[discord.Object(number)]
                ),
            )
        except discord.HTTPException as error:
            if not is_closed_to_us(error):
                raise
            raise Unreachable(f"they can be told neither alone nor in their channel ({error.text})") from error
        return channel.id

    async def _in_channel(self, number: int, note: Note) -> int | None:
        try:
            await (
                self._client()
                .get_partial_messageable(number)
                .send(escaped(note.sentence, LONGEST_CONTENT), allowed_mentions=NO_MENTIONS)
            )
        except discord.HTTPException as error:
            if not is_closed_to_us(error):
                raise
            log.warning("the admins' channel DISCORD_ADMIN_CHANNEL cannot be written to: %s", error.text)
            return None
        return number
