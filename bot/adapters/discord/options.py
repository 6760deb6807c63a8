"""What ``/imagine`` offers beside the prompt: the options of all workflows, and the way back to typed text. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.adapters.discord.markup import typed
from bot.chat.flags import QUOTES
from bot.chat.values import flag_of
from orchestrator.api import Parameter, ParameterKind, WorkflowCard

PROMPT = "prompt"
REMOVE_LORA = "remove lora"
"""What is typed after ``/lora``, by its own name as an option of ``/imagine`` has that of LoRAs."""

MOST_OPTIONS = 25
MOST_CHOICES = 25
LONGEST_TEXT = 100
"""Of a description, and of the name of a choice (Discord's documentation, "Application Commands")."""

LARGEST = 2**53 - 1
"""Discord's whole numbers end there."""

SIDES = frozenset({"width", "height"})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_WORD = re.compile(r"[^\s\"'\u2018\u201c\u201e\u00ab]+")
_QUOTES = ('"', "\u201c", "\u00ab")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """
    Attributes:
        name: What the person sees, and what comes back.
        flag: What it is in typed text.
        is_completed: Its values are looked up while the person types, as there may be many.
    """

    name: str
    flag: str
    title: str
    kind: ParameterKind
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_completed: bool = False


def options_of(workflows: Sequence[WorkflowCard]) -> tuple[Option, ...]:
    """Every option of every workflow that starts from words; where two differ, what either of them allows."""
    cards = [card for card in workflows if not card.takes_image]
    found: dict[str, Option] = {}
    for card in cards:
        for parameter in card.parameters:
            option = _option(parameter)
            if option is not None:
                found[option.name] = _either(found.get(option.name, option), option)
    return (*_workflow(cards), *found.values(), *_size(cards), _PRESET)[: MOST_OPTIONS - 1]


def _option(parameter: Parameter) -> Option | None:
    if not parameter.flag or parameter.name in SIDES or not _NAME.fullmatch(parameter.name):
        return None
    is_count = parameter.name == "count"  # more than one job may have becomes several jobs
    return Option(
        name=parameter.name,
        flag=flag_of(parameter),
        title=parameter.title,
        kind=parameter.kind,
        minimum=parameter.minimum,
        maximum=None if is_count else parameter.maximum,
        choices=parameter.choices,
        is_completed=parameter.kind is ParameterKind.LORA or len(parameter.choices) > MOST_CHOICES,
    )


def _either(one: Option, other: Option) -> Option:
    low = None if one.minimum is None or other.minimum is None else min(one.minimum, other.minimum)
    high = None if one.maximum is None or other.maximum is None else max(one.maximum, other.maximum)
    choices = tuple(dict.fromkeys((*one.choices, *other.choices)))
    is_completed = one.is_completed or other.is_completed or len(choices) > MOST_CHOICES
    return replace(one, minimum=low, maximum=high, choices=choices, is_completed=is_completed)


def _workflow(cards: Sequence[WorkflowCard]) -> list[Option]:
    if len(cards) < 2:
        return []
    names = tuple(card.name for card in cards)
    title = "Another way to paint it"
    choices = names if len(names) <= MOST_CHOICES else ()
    return [_text("workflow", title, choices=choices, is_completed=not choices)]


def _size(cards: Sequence[WorkflowCard]) -> list[Option]:
    has_sides = any({parameter.name for parameter in card.parameters} >= SIDES for card in cards)
    return [_text("size", "Width and height, such as 1024x768")] if has_sides else []


def _text(name: str, title: str, *, choices: tuple[str, ...] = (), is_completed: bool = False) -> Option:
    kind = ParameterKind.CHOICE if choices else ParameterKind.TEXT
    return Option(name=name, flag=f"--{name}", title=title, kind=kind, choices=choices, is_completed=is_completed)


_PRESET = _text("preset", "Your own named options", is_completed=True)


def composed(prompt: str, given: Mapping[str, object], options: Sequence[Option]) -> str:
    """
    What somebody would have typed for the same: one parser judges both.

    Args:
        given: Values by option name; None where none was given.
    """
    parts = [typed(prompt)]
    for option in options:
        value = given.get(option.name)
        if value is not None:
            parts.append(f"{option.flag} {_quoted(_said(value))}")
    return " ".join(parts)


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.15g}" if math.isfinite(value) else str(value)
    return " ".join(typed(str(value)).split())


def _quoted(value: str) -> str:
    """*value* such that it is read as one, whatever is in it."""
    if _WORD.fullmatch(value) and not value.startswith(("-", "\u2012", "\u2013", "\u2014", "\u2015")):
        return value
    for opening in _QUOTES:
        if QUOTES[opening] not in value:
            return f"{opening}{value}{QUOTES[opening]}"
    return f'"{value.replace(chr(34), "")}"'
