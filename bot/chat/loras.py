"""``/lora``: what follows it, and what a person can name after ``--lora``. Pure."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace

from bot.chat.commands import AddLora, Command, Loras, RemoveLora
from orchestrator.api import ParameterKind, WorkflowCard

_STRENGTH = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,4})?")
SHARED = "shared"


def read_lora_command(words: list[str]) -> Command | None:
    """``list``, ``add NAME URL [strength] [trigger words] [shared]``, ``remove NAME [shared]``; None for the rest."""
    match words:
        case [] | ["list"]:
            return Loras()
        case ["add", name, url, *rest]:
            return _add(name, url, rest)
        case ["remove", name, *rest] if rest in ([], [SHARED]):
            return RemoveLora(name=name.lower(), is_shared=bool(rest))
        case _:
            return None


def _add(name: str, url: str, rest: list[str]) -> Command:
    is_shared = rest[-1:] == [SHARED]
    rest = rest[:-1] if is_shared else rest
    has_strength = bool(rest) and _STRENGTH.fullmatch(rest[0]) is not None and math.isfinite(float(rest[0]))
    return AddLora(
        name=name.lower(),
        url=url.removeprefix("<").removesuffix(">"),  # so a link is written in Discord that is to show no preview
        strength=float(rest[0]) if has_strength else 1.0,
        triggers=" ".join(rest[1:] if has_strength else rest).strip("\"'\u201c\u201d"),
        is_shared=is_shared,
    )


def with_loras(cards: Iterable[WorkflowCard], names: Iterable[str]) -> tuple[WorkflowCard, ...]:
    """The workflows as a person knows them who has added LoRAs of these *names*."""
    added = tuple(names)
    return tuple(_with(card, added) for card in cards)


def _with(card: WorkflowCard, added: tuple[str, ...]) -> WorkflowCard:
    takes_any = any(parameter.kind is ParameterKind.LORA for parameter in card.parameters)
    return replace(card, loras=tuple(dict.fromkeys((*card.loras, *added)))) if takes_any else card
