"""A typed line as a command: ``/cancel abc``, or a prompt without any slash. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.chat.blocked import plain
from bot.chat.choices import read_budget, read_link, read_settings, read_user
from bot.chat.commands import (
    MOST_PICTURES,
    Again,
    BlockedWords,
    Cancel,
    Command,
    Cost,
    Details,
    Drain,
    Forget,
    Help,
    History,
    Imagine,
    Keep,
    Me,
    Policy,
    Presets,
    Release,
    RemovePreset,
    SavePreset,
    Sessions,
    ShowPictures,
    ShowSession,
    Status,
    StopMachine,
    TreatFiltered,
    Vary,
    Why,
    Workflows,
)
from bot.chat.loras import read_lora_command
from bot.chat.places import Filtered, Showing
from orchestrator.api import InstanceId, JobId, RequestError, closest

LONGEST_KEEP = 24 * 60
LONGEST_REPORT = 3660
LONGEST_PRESET_NAME = 24
LONGEST_BLOCKED = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """
    One word that begins a command.

    Attributes:
        read: Makes the command of the words after it; None when they make no sense.
        is_for_admins: Help shows it to admins alone.
    """

    example: str
    purpose: str
    read: Callable[[list[str]], Command | None]
    is_for_admins: bool = False


def read_command(text: str) -> Command:
    """
    Read what a person typed; what does not begin with a slash is a prompt.

    Raises:
        RequestError: There is no such command, or it is written differently.
    """
    line = text.strip()
    if not line.startswith("/"):
        return Imagine(text=line)
    first, *_ = line.split(maxsplit=1)
    rest = line[len(first) :].strip()
    name = first.lower().partition("@")[0]  # a group chat adds @botname
    if name == "/imagine":
        return Imagine(text=rest)
    spoken = COMMANDS.get(name)
    if spoken is None:
        raise RequestError("unknown_command", name=name, closest=closest(name, list(COMMANDS)))
    command = spoken.read(rest.split())
    if command is None:
        raise RequestError("bad_argument", command=name, value=rest or "that", example=spoken.example)
    return command


def _alone(command: Command) -> Callable[[list[str]], Command | None]:
    return lambda words: None if words else command


def _with_job(make: Callable[[JobId | None], Command]) -> Callable[[list[str]], Command | None]:
    return lambda words: None if len(words) > 1 else make(JobId(words[0]) if words else None)


def _vary(words: list[str]) -> Command | None:
    if len(words) > 2:
        return None
    picture = _number(words[1:], otherwise=1, most=MOST_PICTURES)
    job = JobId(words[0]) if words else None
    return None if picture is None else Vary(job=job, picture=picture)


def _session(words: list[str]) -> Command | None:
    match words:
        case []:
            return ShowSession()
        case ["keep", *rest]:
            return _keep(rest)
        case ["release"]:
            return Release()
        case _:
            return None


def _keep(words: list[str]) -> Command | None:
    minutes = _number(words, otherwise=30, most=LONGEST_KEEP)
    return None if minutes is None else Keep(minutes=minutes)


def _forget(words: list[str]) -> Command | None:
    match words:
        case ["me"]:
            return Forget()
        case ["me", "--yes"]:
            return Forget(is_confirmed=True)
        case _:
            return None


def _presets(words: list[str]) -> Command | None:
    match words:
        case []:
            return Presets()
        case ["save", name, first, *rest] if is_preset_name(name):
            return SavePreset(name=name.lower(), options=" ".join([first, *rest]))
        case ["remove", name]:
            return RemovePreset(name=name.lower())
        case _:
            return None


def is_preset_name(name: str) -> bool:
    """Whether it can be typed as a value of ``--preset`` and read again in a list."""
    return len(name) <= LONGEST_PRESET_NAME and name.replace("-", "").replace("_", "").isalnum()


def _cost(words: list[str]) -> Command | None:
    days = _number(words, otherwise=30, most=LONGEST_REPORT)
    return None if days is None else Cost(days=days)


def _admin(words: list[str]) -> Command | None:
    match words:
        case ["sessions"]:
            return Sessions()
        case ["stop", machine]:
            return StopMachine(instance=InstanceId(machine))
        case ["drain", "on" | "off" as state]:
            return Drain(on=state == "on")
        case ["words" | "pictures" | "filtered" | "user" | "budget" as what, *rest]:
            return _ADMIN[what](rest)
        case _:
            return None


def _words(words: list[str]) -> Command | None:
    """What is blocked here, or a change of it: one word or phrase at a time."""
    if not words:
        return BlockedWords()
    verb, word = words[0], plain(" ".join(words[1:]))
    if not 0 < len(word) <= LONGEST_BLOCKED:
        return None
    match verb:
        case "add":
            return BlockedWords(block=word)
        case "remove":
            return BlockedWords(allow=word)
        case _:
            return None


def _pictures(words: list[str]) -> Command | None:
    match words:
        case []:
            return ShowPictures()
        case [how] if how in set(Showing):
            return ShowPictures(how=Showing(how))
        case _:
            return None


def _filtered(words: list[str]) -> Command | None:
    match words:
        case []:
            return TreatFiltered()
        case [how] if how in set(Filtered):
            return TreatFiltered(how=Filtered(how))
        case _:
            return None


def _policy(words: list[str]) -> Command | None:
    return Policy(routing=words[0] if words else None) if len(words) < 2 else None


_ADMIN: Mapping[str, Callable[[list[str]], Command | None]] = {
    "words": _words,
    "pictures": _pictures,
    "filtered": _filtered,
    "user": read_user,
    "budget": read_budget,
}


def _number(words: list[str], *, otherwise: int, most: int) -> int | None:
    """The one number of *words*, from 1 to *most*; None when they are something else."""
    if not words:
        return otherwise
    is_number = len(words) == 1 and words[0].isascii() and words[0].isdecimal() and len(words[0]) <= 6
    return int(words[0]) if is_number and 1 <= int(words[0]) <= most else None


COMMANDS: Mapping[str, Spoken] = {
    "/imagine": Spoken(
        example="/imagine a lighthouse at dusk --ar 16:9",
        purpose="paint a picture; a text without a slash does the same",
        read=lambda words: Imagine(text=" ".join(words)),
    ),
    "/again": Spoken(example="/again", purpose="the same with a new seed", read=_with_job(lambda job: Again(job=job))),
    "/vary": Spoken(example="/vary ID 2", purpose="paint anew from a picture of a request", read=_vary),
    "/cancel": Spoken(
        example="/cancel", purpose="stop your newest unfinished request", read=_with_job(lambda job: Cancel(job=job))
    ),
    "/session": Spoken(example="/session keep 30", purpose="see, keep or release your machine", read=_session),
    "/keep": Spoken(example="/keep 30", purpose="keep your warm machine for some minutes", read=_keep),
    "/release": Spoken(example="/release", purpose="give your machine back now", read=_alone(Release())),
    "/history": Spoken(example="/history", purpose="what you asked for lately", read=_alone(History())),
    "/details": Spoken(
        example="/details ID", purpose="everything about a request", read=_with_job(lambda job: Details(job=job))
    ),
    "/presets": Spoken(
        example="/presets save poster --ar 2:3 --steps 6",
        purpose="your named options; use one with --preset NAME, drop one with /presets remove NAME",
        read=_presets,
    ),
    "/link": Spoken(
        example="/link",
        purpose="join your accounts on Discord and Telegram; /link CODE with the code of the other one",
        read=read_link,
    ),
    "/settings": Spoken(
        example="/settings notify done off",
        purpose="what you are told beside your cards, and your quiet hours",
        read=read_settings,
    ),
    "/lora": Spoken(
        example="/lora add ink https://huggingface.co/ada/ink/resolve/main/ink.safetensors 0.8 ink drawing",
        purpose="the LoRAs that can be used; add one by a link, drop one with /lora remove NAME",
        read=read_lora_command,
    ),
    "/why": Spoken(example="/why", purpose="how your last request was decided, in numbers", read=_alone(Why())),
    "/workflows": Spoken(
        example="/workflows", purpose="what can be painted, and its options", read=_alone(Workflows())
    ),
    "/me": Spoken(example="/me", purpose="your pictures, your costs, your machine", read=_alone(Me())),
    "/forget": Spoken(example="/forget me", purpose="remove your prompts, pictures and presets for good", read=_forget),
    "/help": Spoken(example="/help", purpose="this list", read=lambda _: Help()),
    "/status": Spoken(
        example="/status", purpose="machines, queue and clouds", read=_alone(Status()), is_for_admins=True
    ),
    "/cost": Spoken(example="/cost 7", purpose="what the last days cost", read=_cost, is_for_admins=True),
    "/policy": Spoken(
        example="/policy",
        purpose="the rule by which machines are rented; /policy hybrid, own or bridge: where pictures are made then",
        read=_policy,
        is_for_admins=True,
    ),
    "/admin": Spoken(
        example="/admin sessions | stop ID | drain on | drain off | words | words add WORD | words remove WORD"
        " | pictures plain | pictures spoiler | pictures nsfw-only | filtered tell | filtered remake"
        " | user NAME | user ID block | user ID allow | budget | budget day 5 | budget month off",
        purpose="sessions, machines, what is blocked, how pictures are shown, people, budgets",
        read=_admin,
        is_for_admins=True,
    ),
}
