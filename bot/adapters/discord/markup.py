r"""
Text as Discord shows it to the letter: nothing that anybody typed becomes a mention, a link or bold.

Discord's clients take a backslash before any character that is neither a letter, a digit nor a space as "this
character, as it is", so everything that begins some markup gets one. Moments come as marks between control characters,
which nobody can type into a prompt, and are turned into Discord's own timestamps last.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime

LONGEST_DESCRIPTION = 4096
"""Of an embed (Discord's documentation, "Embed Limits")."""

_MARK = r"\x02t:(?P<seconds>-?\d{1,12}):(?P<style>[tR])\x03"
_ATOM = re.compile(
    rf"{_MARK}|(?P<cut>\x02[^\x03]*\Z)|(?P<bullet>\A(?:[-+]|\d+[.)])(?!\S))|(?P<link>://)|(?P<one>.)", re.DOTALL
)
_BEGINS_MARKUP = frozenset("\\`*_~|<>[]#")
_TURNS_TEXT_ROUND = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = "\u200b"


def clock(moment: datetime) -> str:
    """A moment as a mark for a time of day, in the reader's own time zone."""
    return f"\x02t:{int(moment.timestamp())}:t\x03"


def countdown(moment: datetime) -> str:
    """A moment as a mark for "in 2 minutes", which Discord's clients keep true by themselves."""
    return f"\x02t:{int(moment.timestamp())}:R\x03"


def typed(text: str) -> str:
    """What a person typed, without control characters: they could pass for our marks."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in {"Cc", "Cs"} else " " for c in text)


def escaped(text: str, limit: int = LONGEST_DESCRIPTION) -> str:
    """*text* on one line, to be read as it is; with an ellipsis where it would be longer than *limit*."""
    atoms = list(_atoms(" ".join(text.split(None))))
    if sum(map(len, atoms)) <= limit:
        return "".join(atoms)
    kept, length = [], 0
    for atom in atoms:
        length += len(atom)
        if length > limit - 1:
            break
        kept.append(atom)
    return "".join(kept) + "…"


def _atoms(line: str) -> Iterator[str]:
    for atom in _ATOM.finditer(line):
        if atom["seconds"]:
            yield f"<t:{atom['seconds']}:{atom['style']}>"
        elif atom["bullet"]:
            yield f"{atom['bullet'][:-1]}\\{atom['bullet'][-1]}"
        elif atom["link"]:
            yield "\\://"
        elif atom["one"]:
            yield _character(atom["one"])


def _character(one: str) -> str:
    if one in _TURNS_TEXT_ROUND or unicodedata.category(one) in {"Cc", "Cs"}:
        return ""
    if one == "@":
        return f"@{_INVISIBLE}"  # a backslash does not stop @everyone from being read as one
    return f"\\{one}" if one in _BEGINS_MARKUP else one


def shown(text: str) -> str:
    """*text* for places where Discord knows no markup, such as a modal or a choice; moments are left out."""
    return "".join(c for c in timeless(text) if c == "\n" or unicodedata.category(c) not in {"Cc", "Cs"})


def timeless(text: str) -> str:
    """*text* without its moments."""
    return re.sub(_MARK, "", text)


def moments(text: str) -> tuple[int, ...]:
    """The moments in *text*, in seconds since the epoch."""
    return tuple(int(mark["seconds"]) for mark in re.finditer(_MARK, text))


def coarse(text: str) -> str:
    """*text* without what changes all the time: figures and moments."""
    return re.sub(r"[\d.,:]+", "", timeless(text))


# A command that a message keeps for its button.

_FENCE = "```"


def in_block(text: str) -> str:
    """*text* in a code block, from which :func:`from_block` reads it back."""
    return f"{_FENCE}\n{text.replace('`', f'`{_INVISIBLE}')}\n{_FENCE}"


def from_block(block: str) -> str | None:
    """None where there is no block."""
    start, end = f"{_FENCE}\n", f"\n{_FENCE}"
    if len(block) < len(start) + len(end) or not (block.startswith(start) and block.endswith(end)):
        return None
    return block[len(start) : -len(end)].replace(f"`{_INVISIBLE}", "`")
