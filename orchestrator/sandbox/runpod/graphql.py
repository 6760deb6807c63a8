"""As much of GraphQL as clients of RunPod use: one operation, arguments in place, no variables, no fragments."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'[\s,]*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[A-Za-z_]\w*|[{}()\[\]:$!])')
CONSTANTS = {"true": True, "false": False, "null": None}
DEEPEST = 20


class GraphqlError(Exception):
    """What such a server answers with status 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One field that is asked for, with what is asked of it."""

    name: str
    arguments: dict[str, Any]
    fields: tuple["Selection", ...]


def parse(query: str) -> tuple[Selection, ...]:
    """
    Read what *query* asks for.

    Raises:
        GraphqlError: It is none that we know.
    """
    reader = _Reader(query)
    if reader.peek() in {"query", "mutation"}:
        reader.next()
        if reader.peek() != "{":
            reader.next()
    found = reader.selections(0)
    if reader.peek():
        raise GraphqlError("Syntax Error: one operation is expected")
    return found


def shaped(value: Any, fields: tuple[Selection, ...]) -> Any:
    """
    Keep of *value* what was asked for.

    Raises:
        GraphqlError: Something else was asked for.
    """
    if not fields or value is None:
        return value
    if isinstance(value, list):
        return [shaped(each, fields) for each in value]
    unknown = [field.name for field in fields if field.name not in value]
    if unknown:
        raise GraphqlError(f'Cannot query field "{unknown[0]}"')
    return {field.name: shaped(value[field.name], field.fields) for field in fields}


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def next(self) -> str:
        word = self.peek()
        if not word:
            raise GraphqlError("Syntax Error: Unexpected <EOF>.")
        self._at += 1
        return word

    def expect(self, wanted: str) -> None:
        word = self.next()
        if word != wanted:
            raise GraphqlError(f'Syntax Error: Expected "{wanted}", found "{word}".')

    def selections(self, depth: int) -> tuple[Selection, ...]:
        if depth > DEEPEST:
            raise GraphqlError("Syntax Error: too deep")
        self.expect("{")
        found: list[Selection] = []
        while self.peek() != "}":
            name = self.next()
            arguments = self._arguments(depth) if self.peek() == "(" else {}
            fields = self.selections(depth + 1) if self.peek() == "{" else ()
            found.append(Selection(name=name, arguments=arguments, fields=fields))
        self.next()
        return tuple(found)

    def _arguments(self, depth: int) -> dict[str, Any]:
        self.expect("(")
        return self._pairs(")", depth)

    def _pairs(self, end: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.peek() != end:
            name = self.next()
            self.expect(":")
            found[name] = self._value(depth + 1)
        self.next()
        return found

    def _value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise GraphqlError("Syntax Error: too deep")
        word = self.next()
        if word == "{":
            return self._pairs("}", depth)
        if word == "[":
            found = []
            while self.peek() != "]":
                found.append(self._value(depth + 1))
            self.next()
            return found
        if word in CONSTANTS:
            return CONSTANTS[word]
        return _literal(word) if word[0] in '"-0123456789' else word


def _literal(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError as error:
        raise GraphqlError(f"Syntax Error: Unexpected {word!r}.") from error


def _tokens(text: str) -> Iterator[str]:
    at, text = 0, text.rstrip(" \t\r\n,")
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise GraphqlError(f"Syntax Error: Unexpected character: {text[at]!r}.")
        yield match[1]
        at = match.end()
