"""What discord.py raises, as what the bot does about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import aiohttp
import discord

from bot.chat.surface import SurfaceFailed, SurfaceUnavailable

UNKNOWN_MESSAGE = 10008
MISSING_ACCESS = 50001
CLOSED_DM = 50007
ARCHIVED_THREAD = 50083
TOO_LARGE = 40005

AWAY = (discord.GatewayNotFound, discord.ConnectionClosed, aiohttp.ClientError, OSError, TimeoutError)
"""Discord, or the way to it, is down."""


@contextmanager
def translated() -> Iterator[None]:
    """
    Inside the block, Discord being away or busy is SurfaceUnavailable; what it forbids or does not know stays as it is.

    Raises:
        SurfaceUnavailable: Offer it again.
    """
    try:
        yield
    except discord.RateLimited as error:
        raise SurfaceUnavailable(
            "Discord asks for a pause", retry_after=timedelta(seconds=error.retry_after)
        ) from error
    except discord.HTTPException as error:
        if error.status >= 500 or error.status in {401, 429}:
            raise SurfaceUnavailable(f"Discord answers {error.status}") from error
        raise
    except AWAY as error:
        raise SurfaceUnavailable(f"Discord cannot be reached ({type(error).__name__})") from error


def is_gone(error: discord.HTTPException) -> bool:
    """The message was deleted."""
    return error.status == 404 and error.code == UNKNOWN_MESSAGE


def is_closed_to_us(error: discord.HTTPException) -> bool:
    """The channel is gone, or we may not do that in it."""
    return error.status in {403, 404} or error.code == ARCHIVED_THREAD


def failed(error: Exception) -> SurfaceFailed | None:
    """What an operator has to change, if that is the matter."""
    match error:
        case discord.LoginFailure():
            return SurfaceFailed(
                "Discord refuses DISCORD_TOKEN; copy it anew from the Bot page of your application"
                " (docs/guide-discord.md, Reset Token)."
            )
        case discord.PrivilegedIntentsRequired():
            return SurfaceFailed(
                "Discord refuses the intents; switch the application's intents back to none that is privileged"
                " (docs/guide-discord.md)."
            )
        case discord.ConnectionClosed(code=4004):
            return SurfaceFailed("Discord takes DISCORD_TOKEN no longer; reset it and set the new one.")
        case discord.ConnectionClosed(code=4013 | 4014):
            return SurfaceFailed("Discord refuses the intents of this application; docs/guide-discord.md says which.")
        case discord.HTTPException(status=403 | 404):
            return SurfaceFailed(
                "Discord does not let the application register its commands; invite it with the scopes"
                " bot and applications.commands (docs/guide-discord.md)."
            )
        case _:
            return None
