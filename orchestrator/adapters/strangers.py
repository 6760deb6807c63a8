"""What strangers send, made harmless: JSON that may be none, words for one line of a log, pictures that may be none."""

import json
import re
from typing import Any

LONGEST_TEXT = 200
HIDDEN = "[hidden]"
SECRETS = re.compile(r"[0-9a-fA-F]{24,}|(?i:bearer\s+\S+)")
"""What looks like a key, whoever has made it."""

PNG, JPEG, RIFF, WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"WEBP"


def read_json(raw: bytes) -> Any:
    """Parse whatever came; None when it is no JSON, is nested absurdly or holds numbers nobody can read."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def one_line(text: str, secrets: re.Pattern[str] = SECRETS) -> str:
    """Make foreign words fit for one line of a log: short, printable, without anything that looks like a key."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    hidden = secrets.sub(HIDDEN, line)
    return hidden if len(hidden) <= LONGEST_TEXT else f"{hidden[:LONGEST_TEXT]}..."


def is_picture(content: bytes) -> bool:
    """PNG, JPEG or WebP, by what it begins with."""
    return content.startswith((PNG, JPEG)) or (content.startswith(RIFF) and content[8:12] == WEBP)
