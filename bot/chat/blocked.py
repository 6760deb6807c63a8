"""Words that may not be asked for in a place: found as whole words, however they are written. Pure."""

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"\w+")
_FIRST_UNSPACED = "\u2e80"
"""From here on stand the scripts that write no spaces between words (Chinese, Japanese, Korean)."""


def plain(text: str) -> str:
    """*text* without case, accents, width and punctuation: words with one space between them."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(_WORD.findall("".join(c for c in apart if not unicodedata.combining(c))))


def blocked_in(prompt: str, words: Iterable[str]) -> str:
    """The first of *words*, each :func:`plain` and perhaps of several words, that is in *prompt*; empty if none is."""
    said = f" {plain(prompt)} "
    return next((word for word in words if (word if max(word) >= _FIRST_UNSPACED else f" {word} ") in said), "")
