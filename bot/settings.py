"""The bot's settings: which surfaces there are and who may use them. Read once, in ``__main__``."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.chat.access import Access

NOBODY: frozenset[str] = frozenset()


def _ids(value: object) -> object:
    """``1, 2``: ids, separated by commas."""
    return frozenset(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


Ids = Annotated[frozenset[str], NoDecode, BeforeValidator(_ids)]


class BotSettings(BaseSettings):
    """Every field may be set in the environment by its alias; an empty value counts as unset."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    web_port: int = Field(
        8600,
        alias="GLOWPLUG_WEB_PORT",
        ge=0,
        le=65535,
        description="Port of the local page on 127.0.0.1; 0 takes a free one.",
    )
    discord_token: SecretStr = Field(SecretStr(""), alias="DISCORD_TOKEN", description="Adds Discord; the page stays.")
    telegram_token: SecretStr = Field(
        SecretStr(""), alias="TELEGRAM_TOKEN", description="Adds Telegram; the page stays."
    )

    contact: str = Field(
        "",
        alias="GLOWPLUG_CONTACT",
        description="Whom a person who may not use the bot is told to ask, such as @ada or a channel.",
    )
    log_prompts: bool = Field(
        False,
        alias="GLOWPLUG_LOG_PROMPTS",
        description="Write what people ask for into the log, too.",
    )
    discord_guilds: Ids = Field(
        NOBODY,
        alias="DISCORD_GUILDS",
        description="Servers whose members may use the bot, by id, separated by commas. Nobody may unless listed.",
    )
    discord_roles: Ids = Field(NOBODY, alias="DISCORD_ROLES", description="Roles that may use it, by id.")
    discord_users: Ids = Field(NOBODY, alias="DISCORD_USERS", description="People who may use it, by id.")
    discord_admins: Ids = Field(NOBODY, alias="DISCORD_ADMINS", description="Admins, by the id of a person or a role.")
    discord_admin_channel: str = Field(
        "", alias="DISCORD_ADMIN_CHANNEL", description="A channel that admins' news is posted to as well, by id."
    )
    telegram_chats: Ids = Field(
        NOBODY, alias="TELEGRAM_CHATS", description="Groups whose members may use the bot, by id (they begin with -)."
    )
    telegram_users: Ids = Field(NOBODY, alias="TELEGRAM_USERS", description="People who may use it, by id.")
    telegram_admins: Ids = Field(NOBODY, alias="TELEGRAM_ADMINS", description="Admins, by id.")
    telegram_api: str = Field(
        "https://api.telegram.org",
        alias="TELEGRAM_API",
        description="The Bot API server; one of your own takes larger pictures.",
    )
    telegram_webhook: str = Field(
        "",
        alias="TELEGRAM_WEBHOOK",
        description="The public https address under which Telegram calls us; empty means that we ask (long polling).",
    )
    telegram_webhook_port: int = Field(
        8601,
        alias="TELEGRAM_WEBHOOK_PORT",
        ge=0,
        le=65535,
        description="Port on 127.0.0.1 that the webhook's address leads to.",
    )

    @property
    def discord_access(self) -> Access:
        return Access(
            users=self.discord_users,
            places=self.discord_guilds,
            roles=self.discord_roles,
            admins=self.discord_admins,
            contact=self.contact,
        )

    @property
    def telegram_access(self) -> Access:
        return Access(
            users=self.telegram_users, places=self.telegram_chats, admins=self.telegram_admins, contact=self.contact
        )

    def secrets(self) -> tuple[str, ...]:
        """What must never be seen anywhere."""
        return tuple(value.get_secret_value() for value in (self.discord_token, self.telegram_token) if value)
