"""Writes ``.env.example`` from the settings; run by ``make env-example``, held equal by a test."""

import sys

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.settings import BotSettings
from orchestrator.settings import Settings

HEAD = """\
# Every setting of glowplug, with its default. Copy this file to .env and change what you need.
# Without any of it, `make run` uses the sandbox cloud on this computer: no account, no key, no cost.
"""


def example() -> str:
    """The text of the file."""
    fields = [*BotSettings.model_fields.values(), *Settings.model_fields.values()]
    return HEAD + "".join(_entry(field) for field in fields)


def _entry(field: FieldInfo) -> str:
    default = field.default
    if default in (None, PydanticUndefined, frozenset()) or hasattr(default, "get_secret_value"):
        default = ""
    return f"\n# {field.description}\n{field.alias}={default}\n"


if __name__ == "__main__":
    sys.stdout.write(example())
