"""Slash commands: ``/imagine`` with what the workflows offer, and every other command as it would be typed."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import discord
from discord import app_commands

from bot.adapters.discord.markup import typed
from bot.adapters.discord.options import (
    LARGEST,
    LONGEST_TEXT,
    MOST_CHOICES,
    PROMPT,
    REMOVE_LORA,
    Option,
    composed,
    options_of,
)
from bot.chat.commands import Imagine
from bot.chat.typed import COMMANDS, Spoken, read_command
from bot.chat.words import clipped
from orchestrator.api import ParameterKind, WorkflowCard

EVERYWHERE = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False)
IN_GUILDS = app_commands.AppInstallationType(guild=True, user=False)
FOR_ADMINS = discord.Permissions(manage_guild=True)
"""Hides admins' commands from most people. Who is an admin is decided by ourselves, when one is used."""

ACTIONS = ("show", "keep", "release")

_RANGE: Any = app_commands.Range  # its type is made of values here, which no type checker follows


class Answers(Protocol):
    """What commands call."""

    async def command(self, interaction: discord.Interaction, read: Callable[[], Any]) -> None:
        """Answer whatever *read* reads; its RequestError is told."""
        ...

    async def complete(self, interaction: discord.Interaction, option: str, begun: str) -> list[str]:
        """Values of *option* that fit what is typed so far."""
        ...


Made = app_commands.Command[Any, Any, None]


def commands_of(workflows: Sequence[WorkflowCard], answers: Answers) -> list[Made]:
    """All of them, in the order in which help lists them."""
    made: list[Made] = []
    for name, spoken in COMMANDS.items():
        match name:
            case "/imagine":
                made.append(_imagine(spoken, options_of(workflows), answers))
            case "/session":
                made.append(_session(spoken, answers))
            case "/lora":
                made.append(_lora(spoken, answers))
            case _:
                made.append(_plain(name, spoken, answers))
    return made


def _command(name: str, spoken: Spoken, callback: Any) -> Made:
    made: Made = app_commands.Command(
        name=name.removeprefix("/"),
        description=clipped(spoken.purpose, LONGEST_TEXT),
        callback=callback,
        allowed_contexts=EVERYWHERE,
        allowed_installs=IN_GUILDS,
    )
    made.default_permissions = FOR_ADMINS if spoken.is_for_admins else None
    return made


# Imagine.


def _imagine(spoken: Spoken, options: Sequence[Option], answers: Answers) -> Made:
    async def imagine(interaction: discord.Interaction, **given: Any) -> None:
        text = composed(str(given.pop(PROMPT)), given, options)
        await answers.command(interaction, lambda: Imagine(text=text))

    vars(imagine)["__signature__"] = _signature(options)  # the options are known only now
    titles = {option.name: clipped(f"{option.title} ({option.flag})", LONGEST_TEXT) for option in options}
    app_commands.describe(prompt="What to paint; options such as --ar 16:9 may stand in it", **titles)(imagine)
    _complete(imagine, [option.name for option in options if option.is_completed], answers)
    return _command("/imagine", spoken, imagine)


def _signature(options: Sequence[Option]) -> inspect.Signature:
    """What discord.py reads a command's options from."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter("interaction", kind, annotation=discord.Interaction),
        inspect.Parameter(PROMPT, kind, annotation=str),
        *(inspect.Parameter(option.name, kind, default=None, annotation=_annotation(option)) for option in options),
    ]
    return inspect.Signature(parameters)


def _annotation(option: Option) -> Any:
    match option.kind:
        case ParameterKind.INTEGER:
            low, high = (-LARGEST if option.minimum is None else int(option.minimum)), option.maximum
            return _RANGE[int, max(low, -LARGEST), LARGEST if high is None else min(int(high), LARGEST)]
        case ParameterKind.NUMBER if option.minimum is not None and option.maximum is not None:
            return _RANGE[float, float(option.minimum), float(option.maximum)]
        case ParameterKind.NUMBER:
            return float
        case ParameterKind.CHOICE if not option.is_completed:
            return _Choices(option.choices).annotation
        case _:
            return str


class _Choices(app_commands.Transformer):
    """One of a few texts."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self._choices: list[app_commands.Choice[int | float | str]] = [
            app_commands.Choice(name=choice[:LONGEST_TEXT], value=choice) for choice in choices
        ]

    @property
    def annotation(self) -> Any:
        transform: Any = app_commands.Transform
        return transform[str, self]

    @property
    def choices(self) -> list[app_commands.Choice[int | float | str]]:
        return self._choices

    async def transform(self, _interaction: discord.Interaction, value: Any, /) -> str:
        return str(value)


# All others.


Suggest = Callable[[discord.Interaction, str], Coroutine[Any, Any, list[app_commands.Choice[str]]]]


def _plain(name: str, spoken: Spoken, answers: Answers, suggest: Suggest | None = None) -> Made:
    """A command with one text, which is what would be typed after it."""

    async def plain(interaction: discord.Interaction, options: app_commands.Range[str, 0, 4000] = "") -> None:
        await answers.command(interaction, lambda: read_command(typed(f"{name} {options}")))

    app_commands.describe(options=clipped(f"Such as: {spoken.example}", LONGEST_TEXT))(plain)
    suggest = suggest or _suggesting(_suggestions(name, spoken))
    if suggest is not None:
        app_commands.autocomplete(options=suggest)(plain)
    return _command(name, spoken, plain)


def _suggesting(suggestions: Sequence[str]) -> Suggest | None:
    async def suggest(_: discord.Interaction, begun: str) -> list[app_commands.Choice[str]]:
        return choices([text for text in suggestions if begun.lower() in text.lower()])

    return suggest if suggestions else None


def _lora(spoken: Spoken, answers: Answers) -> Made:
    """As it would be typed; those that can be removed are offered by name."""

    async def suggest(interaction: discord.Interaction, begun: str) -> list[app_commands.Choice[str]]:
        offered = [text for text in ("list", "add NAME https://...") if begun.lower() in text.lower()]
        return choices([*offered, *await answers.complete(interaction, REMOVE_LORA, begun)])

    return _plain("/lora", spoken, answers, suggest)


def _suggestions(name: str, spoken: Spoken) -> list[str]:
    """What the example offers, where it offers several things."""
    parts = [part.strip().removeprefix(name).strip() for part in spoken.example.split("|")]
    return [part for part in parts if part] if len(parts) > 1 else []


def _session(spoken: Spoken, answers: Answers) -> Made:
    async def session(
        interaction: discord.Interaction, action: str = "show", minutes: app_commands.Range[int, 1, 1440] | None = None
    ) -> None:
        words = [] if action == "show" else [action]
        words += [str(minutes)] if minutes is not None else []
        await answers.command(interaction, lambda: read_command(" ".join(["/session", *words])))

    app_commands.describe(action="What to do with your machine", minutes="How long to keep it")(session)
    app_commands.choices(action=[app_commands.Choice(name=action, value=action) for action in ACTIONS])(session)
    return _command("/session", spoken, session)


# What is offered while somebody types.


def _complete(callback: Callable[..., Awaitable[None]], names: Sequence[str], answers: Answers) -> None:
    def completer(name: str) -> Any:
        async def complete(interaction: discord.Interaction, begun: str) -> list[app_commands.Choice[str]]:
            return choices(await answers.complete(interaction, name, begun))

        return complete

    completers: Mapping[str, Any] = {name: completer(name) for name in names}
    app_commands.autocomplete(**completers)(callback)


def choices(values: Sequence[str]) -> list[app_commands.Choice[str]]:
    """At most as many as Discord shows; what is too long to be a value cannot be chosen."""
    fitting = [value for value in values if 0 < len(value) <= LONGEST_TEXT]
    return [app_commands.Choice(name=value, value=value) for value in fitting[:MOST_CHOICES]]
