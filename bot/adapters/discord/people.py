"""Who speaks, and where: from an interaction to a call."""

import discord

from bot.adapters.discord.asked import handle_of
from bot.adapters.discord.markup import shown
from bot.chat.access import Access
from bot.chat.commands import Command
from bot.chat.model import Call, Person
from orchestrator.api import UserId

NAME = "discord"
_ADULT_CHANNELS = (
    discord.TextChannel,
    discord.VoiceChannel,
    discord.StageChannel,
    discord.ForumChannel,
    discord.Thread,
)


def account(user: UserId) -> int | None:
    """The number of an account, from how we name people."""
    number = user.removeprefix(f"{NAME}:")
    return int(number) if number != user and number.isascii() and number.isdecimal() else None


def place_of(guild: int) -> str:
    return f"{NAME}:{guild}"


def call_of(interaction: discord.Interaction, command: Command, access: Access, *, key: str = "") -> Call:
    """
    Say *command* as a call, if the person may use the bot where they are.

    Raises:
        RequestError: They may not.
    """
    user = interaction.user
    roles = frozenset(str(role.id) for role in user.roles) if isinstance(user, discord.Member) else frozenset()
    guild = "" if interaction.guild_id is None else str(interaction.guild_id)
    access.check(str(user.id), guild, roles)
    return Call(
        person=Person(
            user=UserId(f"{NAME}:{user.id}"),
            surface=NAME,
            is_admin=access.is_admin(str(user.id), roles),
            name=shown(user.display_name).strip(),
        ),
        command=command,
        handle=handle_of(interaction, NAME),
        key=f"{NAME}:{key or interaction.id}",
        place=f"{NAME}:{guild or f'@{user.id}'}",
        is_overheard=False,  # words are shown to the person alone
        is_among_adults=_is_among_adults(interaction),
    )


def _is_among_adults(interaction: discord.Interaction) -> bool:
    channel = interaction.channel
    return interaction.guild_id is None or (isinstance(channel, _ADULT_CHANNELS) and channel.is_nsfw())
