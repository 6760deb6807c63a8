"""``{red, blue} hat``: one text that stands for several. Pure."""

import itertools
import math
import re
from dataclasses import dataclass

from orchestrator.api import RequestError

DEEPEST = 4
_MARKS = re.compile(r"\\[{},\\]|[{},]")
_ESCAPED = re.compile(r"[{}\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One pair of braces: exactly one of *options* is taken."""

    options: tuple["Sequence", ...]


Sequence = tuple[str | Group, ...]
"""A text with its groups: plain parts and groups in order."""


def read(text: str) -> Sequence:
    r"""
    Read *text* with its groups; ``\{``, ``\}``, ``\,`` and ``\\`` stand for the characters themselves.

    Raises:
        RequestError: A brace without its partner, or nested too deep.
    """
    stack: list[list[list[str | Group]]] = [[[]]]
    at = 0
    for mark in _MARKS.finditer(text):
        stack[-1][-1].append(text[at : mark.start()])
        at = mark.end()
        _take(mark.group(), stack)
    stack[-1][-1].append(text[at:])
    if len(stack) > 1:
        raise RequestError("unbalanced_brace")
    return tuple(stack[0][0])


def _take(mark: str, stack: list[list[list[str | Group]]]) -> None:
    if mark == "{":
        if len(stack) > DEEPEST:
            raise RequestError("too_deep", allowed=DEEPEST)
        stack.append([[]])
    elif mark == "}":
        options = stack.pop()
        if not stack:
            raise RequestError("unbalanced_brace")
        stack[-1][-1].append(Group(options=tuple(tuple(option) for option in options)))
    elif mark == "," and len(stack) > 1:
        stack[-1].append([])
    else:
        stack[-1][-1].append(mark[-1])


def count(sequence: Sequence) -> int:
    """How many texts it stands for, without making them."""
    return math.prod(sum(map(count, part.options)) for part in sequence if isinstance(part, Group))


def texts(sequence: Sequence) -> list[str]:
    """Every text it stands for; the first group changes slowest."""
    parts = [_texts_of(part) for part in sequence]
    return ["".join(choice) for choice in itertools.product(*parts)]


def _texts_of(part: str | Group) -> list[str]:
    if isinstance(part, str):
        return [part]
    return [text.strip() for option in part.options for text in texts(option)]


def escaped(text: str) -> str:
    """*text* so that :func:`read` gives it back as it is."""
    return _ESCAPED.sub(r"\\\g<0>", text)
