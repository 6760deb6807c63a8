"""
Text as Telegram shows it to the letter.

Everything is sent as HTML, in which three characters mean something (Bot API, "HTML style"); names and addresses that
Telegram's clients would make clickable by themselves are kept apart by a mark that nobody sees.
"""

import html
import re

_INVISIBLE = "\u2060"
_TURNS_TEXT_ROUND = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LIVE = re.compile(r"[@#](?=\w)|\$(?=[A-Za-z])|(?<=[^\W\d])\.(?=[^\W\d])|://")
_COMMAND = re.compile(r"(?<!\S)/(?=\w)")

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
"""Characters after entities were read (Bot API, ``sendMessage`` and ``InputMediaPhoto``)."""


def escaped(text: str, *, has_commands: bool = False) -> str:
    """
    *text* on one line, to be read as it is: no markup, no mention, no link.

    Args:
        has_commands: It is ours and names commands, which may be tapped.
    """
    line = _TURNS_TEXT_ROUND.sub("", " ".join(text.split()))
    kept_apart = _LIVE.sub(_kept_apart, line)
    return html.escape(kept_apart if has_commands else _COMMAND.sub(_kept_apart, kept_apart), quote=False)


def _kept_apart(match: re.Match[str]) -> str:
    return f"{match[0]}{_INVISIBLE}"


def bold(text: str) -> str:
    return f"<b>{escaped(text)}</b>"


def code(text: str) -> str:
    """To be copied with one tap, character by character."""
    return f"<code>{html.escape(text, quote=False)}</code>"


def plain(marked: str) -> str:
    """What is left to read of *marked*; for a server that does not take the markup."""
    return html.unescape(re.sub(r"</?[a-z]+>", "", marked))


def pages(lines: list[str], *, most: int, limit: int = LONGEST_TEXT) -> list[str]:
    """*lines* as at most *most* messages, never a line in two; what is left over is said to be."""
    found: list[list[str]] = [[]]
    length = 0
    for line in lines:
        size = len(plain(line)) + 1
        if length + size > limit - 40 and found[-1]:
            if len(found) == most:
                found[-1].append("… and more")
                break
            found.append([])
            length = 0
        found[-1].append(line)
        length += size
    return ["\n".join(page) for page in found if page]
