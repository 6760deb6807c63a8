"""A button as the short text that a chat keeps for us, below a message of any age: ``again:JOB``, ``vary:JOB:2``."""

from bot.chat.buttons import Action
from bot.chat.commands import MOST_PICTURES, Press
from orchestrator.api import JobId


def encode_press(press: Press) -> str:
    """At most 64 characters, which is what Telegram takes (Bot API, ``callback_data``)."""
    picture = f":{press.picture}" if press.picture != 1 else ""
    return f"{press.action}:{press.job}{picture}"


def decode_press(text: str) -> Press | None:
    """Read what :func:`encode_press` wrote; None for anything else."""
    action, _, rest = text.partition(":")
    job, _, picture = rest.partition(":")
    if action not in set(Action) or not job or not (picture or "1").isdecimal() or len(picture) > 2:
        return None
    number = int(picture or 1)
    return Press(job=JobId(job), action=Action(action), picture=number) if 1 <= number <= MOST_PICTURES else None
