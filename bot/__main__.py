"""``python -m bot``: settings, logging, and errors that a person can act on."""

import asyncio
import sys

from pydantic import ValidationError

from bot.app import run
from bot.settings import BotSettings
from orchestrator import logs
from orchestrator.settings import Settings


def main() -> int:
    """Run the bot until it is told to stop; returns the exit status."""
    try:
        settings, bot_settings = Settings(), BotSettings()
    except ValidationError as error:
        print("These settings cannot be used:", file=sys.stderr)  # noqa: T201 - before there is a log
        for problem in error.errors():
            print(f"  {problem['loc'][0]}: {problem['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    logs.configure(level=settings.log_level, secrets=(*settings.secrets(), *bot_settings.secrets()))
    return asyncio.run(run(settings, bot_settings))


if __name__ == "__main__":
    sys.exit(main())
