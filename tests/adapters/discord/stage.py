"""A Discord in memory with the production surface on it; discord.py is real, from events to requests."""

import asyncio
import io
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import discord
import simcord
from PIL import Image
from simcord.actors import MemberActor
from simcord.backend.serializers import channel_payload
from simcord.builders import ChannelHandle, GuildHandle, RoleHandle
from simcord.results import InteractionResult

from bot.adapters.discord.surface import DiscordOptions, DiscordSurface
from bot.chat.access import Access
from bot.chat.surface import Backend
from bot.service.desk import open_desk
from bot.service.posting import keep_posted
from bot.service.router import Router
from orchestrator.api import JobId, UserId
from tests.adapters.discord.rest import Rest
from tests.component.bot.fake_orchestrator import FakeOrchestrator

GRACE = timedelta(milliseconds=50)


@dataclass(kw_only=True)
class Stage:
    """
    One server with one channel, and people: *ada* and *bob* may use the bot, *root* is an admin, *eve* is nobody.

    Attributes:
        surface: The one that runs now; another after a restart.
    """

    env: simcord.Env
    rest: Rest
    guild: GuildHandle
    channel: ChannelHandle
    ada: MemberActor
    bob: MemberActor
    root: MemberActor
    eve: MemberActor
    painters: RoleHandle
    access: Access
    orchestrator: FakeOrchestrator = field(default_factory=FakeOrchestrator)
    grace: timedelta = GRACE
    admin_channel: str = ""

    def __post_init__(self) -> None:
        """Build the first surface."""
        self.surface = self._new_surface()

    def _new_surface(self) -> DiscordSurface:
        options = DiscordOptions(token="token", access=self.access, admin_channel=self.admin_channel, grace=self.grace)
        surface = DiscordSurface(options)
        self.desk = open_desk(self.orchestrator, [surface], lambda: self.orchestrator.now)
        surface.serve(
            Backend(
                handler=Router(self.desk),
                cards=self.desk.cards,
                orchestrator=self.orchestrator,
                now=lambda: self.orchestrator.now,
            )
        )
        return surface

    async def restart(self, orchestrator: FakeOrchestrator | None = None) -> None:
        """The bot ends and another begins: nothing that was in memory is there any more."""
        self.orchestrator = orchestrator or self.orchestrator
        self.orchestrator.restart()
        self.surface = self._new_surface()
        await self.env.restart_bot(self.surface.client)

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[None]:
        """The loops that keep people posted run inside the block."""
        async with asyncio.TaskGroup() as group:
            loops = group.create_task(keep_posted(self.desk))
            yield
            loops.cancel()

    def restrict(self) -> None:
        """The channel becomes age-restricted, which simcord does not know by itself."""
        payload = channel_payload(self.env.backend, self.env.backend.get_channel(self.channel.id))
        self.env.backend.emit("CHANNEL_UPDATE", {**payload, "nsfw": True})

    # What people see.

    def messages(self, channel: ChannelHandle | None = None) -> list[discord.Message]:
        """What everybody sees in a channel, oldest first."""
        return (channel or self.channel).history()

    def message(self) -> discord.Message:
        """The only one."""
        (only,) = self.messages()
        return only

    def card_text(self) -> str:
        return self.message().embeds[0].description or ""

    async def imagine(self, prompt: str = "a cat", *, by: MemberActor | None = None, **options: Any) -> JobId:
        """Ask for a picture; says which job it became."""
        before = len(self.orchestrator.requests)
        await (by or self.ada).slash(self.channel, "imagine", prompt=prompt, **options)
        assert len(self.orchestrator.requests) == before + 1
        return JobId(f"job{before + 1}")

    def user(self, actor: MemberActor) -> UserId:
        return UserId(f"discord:{actor.id}")


def words(result: InteractionResult) -> str:
    """What an answer to one person says."""
    response = result.response
    assert response is not None
    assert response.ephemeral
    return "\n".join(embed.description or "" for embed in response.embeds) or response.content


def labels(message: discord.Message) -> list[str]:
    return [
        str(child.label)
        for row in message.components
        if isinstance(row, discord.ActionRow)
        for child in row.children
        if isinstance(child, discord.Button)
    ]


def png(side: int = 8, *, seed: int = 0) -> bytes:
    """A picture of noise, which hardly gets smaller by being a PNG."""
    dice = random.Random(seed)
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), dice.randbytes(side * side * 3)).save(out, "PNG")
    return out.getvalue()


def set_stage(env: simcord.Env, rest: Rest) -> Stage:
    guild = env.create_guild("studio")
    painters = guild.create_role("painters")
    root = guild.create_role("root", permissions=discord.Permissions(manage_guild=True))
    people = [guild.add_member(env.create_user(name)) for name in ("ada", "bob", "eve")]
    admin = guild.add_member(env.create_user("root"), roles=[root])
    ada, bob, eve = people
    access = Access(
        users=frozenset({str(ada.id), str(bob.id)}),
        roles=frozenset({str(painters.id)}),
        admins=frozenset({str(root.id), str(admin.id)}),
        contact="@root",
    )
    stage = Stage(
        env=env,
        rest=rest,
        guild=guild,
        channel=guild.create_text_channel("pictures"),
        ada=ada,
        bob=bob,
        eve=eve,
        root=admin,
        painters=painters,
        access=access,
    )
    env.bot = stage.surface.client
    return stage
