"""The bot's settings: which surfaces there are and who may use them. Read once, in ``__main__``."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


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

    def secrets(self) -> tuple[str, ...]:
        """What must never be seen anywhere."""
        return tuple(value.get_secret_value() for value in (self.discord_token, self.telegram_token) if value)
