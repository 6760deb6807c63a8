"""``--ar 16:9 --no "text, watermark"`` inside a prompt: words and options apart. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.api import RequestError

_WORD = re.compile(r"\S+")
_FLAG = re.compile(r"(--|[\u2012-\u2015])([A-Za-z][\w-]*)(=?)")
"""Phones type a long dash for two short ones."""

_APOSTROPHES = ("'", "\u2018")
QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u201e": "\u201c", "\u00ab": "\u00bb"}
"""What begins a value of several words, and what ends it; phones type curly ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """
    A text taken apart.

    Attributes:
        words: What is not an option.
        given: The options by their lower-case name without dashes, each with its raw value.
    """

    words: str
    given: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """
    Which options there are.

    Attributes:
        names: All of them; a long dash counts as two short ones before these alone.
        greedy: Those whose value goes on until the next option.
        bare: Those without a value.
        refuse: Makes the error for an option that does not exist.
    """

    names: frozenset[str]
    greedy: frozenset[str]
    bare: frozenset[str]
    refuse: Callable[[str], RequestError]


def looks_like_a_flag(text: str) -> bool:
    """Whether *text* would be read as an option where it stands without quotes."""
    return _FLAG.match(text) is not None


def split(text: str, grammar: Grammar) -> Split:
    """
    Take the options out of *text*.

    Raises:
        RequestError: An option that does not exist, is there twice, lacks its value or its closing quote.
    """
    return _Reader(text, grammar).read()


class _Reader:
    def __init__(self, text: str, grammar: Grammar) -> None:
        self._text = text
        self._grammar = grammar
        self._at = 0
        self._given: dict[str, str] = {}

    def read(self) -> Split:
        words: list[str] = []
        while word := _WORD.search(self._text, self._at):
            flag = self._flag(word)
            if flag is None:
                words.append(word.group())
                self._at = word.end()
            else:
                self._take(flag)
        return Split(words=" ".join(words), given=self._given)

    def _flag(self, word: re.Match[str]) -> re.Match[str] | None:
        flag = _FLAG.match(word.group())
        if flag is None or (not flag[3] and flag.end() != len(word.group())):
            return None
        if flag[1] != "--" and flag[2].lower() not in self._grammar.names:
            return None
        return _FLAG.match(self._text, word.start())

    def _take(self, flag: re.Match[str]) -> None:
        name = flag[2].lower()
        if name not in self._grammar.names:
            raise self._grammar.refuse(name)
        if name in self._given:
            raise RequestError("flag_twice", name=f"--{name}")
        self._at = flag.end()
        self._given[name] = "" if name in self._grammar.bare else self._value(name)

    def _value(self, name: str) -> str:
        quoted = self._quoted(name)
        if quoted is not None:
            return quoted
        values: list[str] = []
        while (word := _WORD.search(self._text, self._at)) and self._flag(word) is None:
            values.append(word.group())
            self._at = word.end()
            if name not in self._grammar.greedy:
                break
        if not values:
            raise RequestError("missing_value", name=f"--{name}", example=EXAMPLES.get(name, f"--{name} 1"))
        return " ".join(values)

    def _quoted(self, name: str) -> str | None:
        word = _WORD.search(self._text, self._at)
        opening = word.group()[0] if word else ""
        if word is None or opening not in QUOTES:
            return None
        end = self._text.find(QUOTES[opening], word.start() + 1)
        if end < 0:
            if opening in _APOSTROPHES:
                return None
            raise RequestError("unbalanced_quote", name=f"--{name}")
        self._at = end + 1
        return " ".join(self._text[word.start() + 1 : end].split())


EXAMPLES = {
    "ar": "--ar 16:9",
    "size": "--size 1024x768",
    "seed": "--seed 7",
    "steps": "--steps 4",
    "n": "--n 2",
    "lora": "--lora NAME:0.8",
    "no": "--no text",
    "workflow": "--workflow NAME",
    "preset": "--preset NAME",
}
