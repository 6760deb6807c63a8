"""``a cat --ar 16:9 --seed 7 {red, blue} hat``: what a person typed, as one or more requests. Pure."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from bot.chat import braces
from bot.chat.flags import Grammar, split
from bot.chat.values import read_lora, read_size, read_value
from orchestrator.api import (
    Parameter,
    ParameterKind,
    Preference,
    RequestError,
    Value,
    WorkflowCard,
    WorkflowName,
    closest,
)

LONGEST = 4000
"""Characters that may be typed at once."""

MOST_JOBS = 40
MOST_IN_ALL = MOST_JOBS * 10
NOT_IN_A_PRESET = ("preset", "yes")
PREFERENCES = {str(each): each for each in Preference if each}
BARE = frozenset({"yes", *PREFERENCES})
SAME_MATTER = (
    frozenset({"size", "width", "height", "ar"}),
    frozenset({"lora", "strength"}),
    frozenset(PREFERENCES),
)
"""Options that speak of one thing: whoever types one of them means none of a preset's."""

YES = "--yes"
"""Said at the end, it starts several requests without asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    One request: what a person said of it, and nothing else.

    Attributes:
        prefers: Where it is to be made.
    """

    workflow: WorkflowName
    values: Mapping[str, Value]
    prefers: Preference = Preference.DEFAULT

    @property
    def pictures(self) -> int:
        return int(self.values.get("count", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """
    All that one text asks for.

    Attributes:
        is_confirmed: The person has said yes to several.
    """

    wishes: tuple[Wish, ...]
    is_confirmed: bool

    @property
    def pictures(self) -> int:
        return sum(wish.pictures for wish in self.wishes)


def parse(text: str, workflows: tuple[WorkflowCard, ...], presets: Mapping[str, str] | None = None) -> Wishes:
    """
    Read what was typed after ``/imagine``.

    Args:
        workflows: The first one is used where the text names none.
        presets: The person's own, options by name.

    Raises:
        RequestError: One sentence that names the mistake and what would be right.
    """
    if not workflows:
        raise RequestError("no_workflows")
    clean = _clean(text)
    if len(clean) > LONGEST:
        raise RequestError("too_long", name="The prompt", length=len(clean), allowed=LONGEST)
    choices = braces.read(clean)
    _check_number(braces.count(choices))
    read = [_one(single, workflows, presets or {}) for single in braces.texts(choices)]
    wishes = tuple(part for wishes, _ in read for part in wishes)
    _check_number(len(wishes))
    return Wishes(wishes=wishes, is_confirmed=all(is_confirmed for _, is_confirmed in read))


def read_options(text: str, workflows: tuple[WorkflowCard, ...]) -> str:
    """
    Check the options of a preset, and return them as they are kept.

    Raises:
        RequestError: They are not options alone, or one of them makes no sense.
    """
    if not workflows:
        raise RequestError("no_workflows")
    clean = _clean(text)
    if len(clean) > LONGEST:
        raise RequestError("too_long", name="The preset", length=len(clean), allowed=LONGEST)
    card = _chosen(clean, workflows)
    parts = split(clean, _grammar(card))
    odd = [f"--{name}" for name in NOT_IN_A_PRESET if name in parts.given]
    if parts.words or odd or not parts.given:
        raise RequestError("bad_preset", value=parts.words or "".join(odd[:1]) or "that")
    _wish(card, "anything", parts.given)
    return clean


def _clean(text: str) -> str:
    """Without what no keyboard types and no database keeps: control characters and halves of characters."""
    return "".join(c if c.isspace() or unicodedata.category(c) not in {"Cc", "Cs"} else " " for c in text).strip()


def _check_number(jobs: int) -> None:
    if jobs > MOST_JOBS:
        asked = f"{jobs}" if jobs < 10**6 else "over a million"
        raise RequestError("too_many_jobs_at_once", jobs=asked, allowed=MOST_JOBS)


def _one(text: str, workflows: tuple[WorkflowCard, ...], presets: Mapping[str, str]) -> tuple[list[Wish], bool]:
    """The requests of a text without braces: several where one may not have so many pictures."""
    preset = _preset(split(text, _any_of(workflows)).given.get("preset"), presets)
    card = _chosen(text, workflows, preset)
    parts = split(text, _grammar(card))
    if not parts.words:
        raise RequestError("empty_prompt")
    given = _over(split(preset, _grammar(card)).given, parts.given)
    wish, count = _wish(card, parts.words, given)
    return _in_jobs(wish, count, card), "yes" in given


def _preset(name: str | None, presets: Mapping[str, str]) -> str:
    """The options of the preset that the text names; empty where it names none."""
    if name is None:
        return ""
    if name.lower() not in presets:
        raise RequestError("unknown_preset", name=name, closest=closest(name.lower(), [*presets]))
    return presets[name.lower()]


def _over(preset: Mapping[str, str], typed: Mapping[str, str]) -> dict[str, str]:
    """What is typed, and of the preset what is not about the same."""
    settled = {flag for matter in SAME_MATTER if matter & typed.keys() for flag in matter}
    return {flag: raw for flag, raw in preset.items() if flag not in settled} | dict(typed)


def _wish(card: WorkflowCard, words: str, given: Mapping[str, str]) -> tuple[Wish, int]:
    """What is wished for, and how many pictures of it."""
    if card.takes_image:
        raise RequestError("needs_picture", workflow=card.name)
    options = {flag: raw for flag, raw in given.items() if flag not in {"workflow", *NOT_IN_A_PRESET, *PREFERENCES}}
    count = _count(card, options)
    values = {"prompt": words} | _values(card, options)
    return Wish(workflow=card.name, values=values, prefers=_preference(given)), count


def _preference(given: Mapping[str, str]) -> Preference:
    """Where it is to be made, if that was said."""
    said = [name for name in PREFERENCES if name in given]
    if len(said) > 1:
        raise RequestError("one_of_flags", names=" and ".join(f"--{name}" for name in said))
    return PREFERENCES[said[0]] if said else Preference.DEFAULT


def _any_of(workflows: tuple[WorkflowCard, ...]) -> Grammar:
    """Every option of every workflow, for a first look."""
    every = frozenset(flag for card in workflows for flag in _grammar(card).names)
    return Grammar(names=every, greedy=_greedy(workflows), bare=BARE, refuse=_refusal(workflows[0], every))


def _chosen(text: str, workflows: tuple[WorkflowCard, ...], preset: str = "") -> WorkflowCard:
    """The workflow that the text names, else its preset; it decides which other options there are."""
    lenient = _any_of(workflows)
    name = split(text, lenient).given.get("workflow") or split(preset, lenient).given.get("workflow")
    if name is None:
        return workflows[0]
    by_name = {card.name.lower(): card for card in workflows}
    if name.lower() not in by_name:
        known = [card.name for card in workflows]
        meant = closest(name.lower(), [*known])
        raise RequestError("unknown_workflow", name=name, closest=meant, known=", ".join(known))
    return by_name[name.lower()]


def _grammar(card: WorkflowCard) -> Grammar:
    names = {parameter.flag for parameter in card.parameters if parameter.flag} | {"workflow", "preset", "n", *BARE}
    if _parameter(card, "width") and _parameter(card, "height"):
        names.add("size")
    return Grammar(names=frozenset(names), greedy=_greedy((card,)), bare=BARE, refuse=_refusal(card, names))


def _greedy(cards: tuple[WorkflowCard, ...]) -> frozenset[str]:
    return frozenset(p.flag for card in cards for p in card.parameters if p.kind is ParameterKind.TEXT and p.flag)


def _refusal(card: WorkflowCard, names: Iterable[str]) -> Callable[[str], RequestError]:
    known = sorted(names)

    def refuse(name: str) -> RequestError:
        meant = closest(name, known)
        return RequestError("unknown_flag", name=f"--{name}", workflow=card.name, closest=f"--{meant}" if meant else "")

    return refuse


def _parameter(card: WorkflowCard, name: str) -> Parameter | None:
    return next((parameter for parameter in card.parameters if parameter.name == name), None)


def _count(card: WorkflowCard, given: dict[str, str]) -> int:
    """How many pictures; as many jobs as that needs are made of it."""
    raw = given.pop("n", None)
    if raw is None:
        return 1
    known = _parameter(card, "count") or Parameter(name="count", kind=ParameterKind.INTEGER, title="Pictures", flag="n")
    return int(read_value(replace(known, minimum=1, maximum=MOST_IN_ALL), raw))


def _values(card: WorkflowCard, given: Mapping[str, str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    by_flag = {parameter.flag: parameter for parameter in card.parameters if parameter.flag}
    for flag, raw in given.items():
        if flag == "size":
            values |= _size(card, raw)
        elif by_flag[flag].kind is ParameterKind.LORA:
            values |= _lora(card, by_flag[flag], raw)
        else:
            values[by_flag[flag].name] = read_value(by_flag[flag], raw)
    return values


def _size(card: WorkflowCard, raw: str) -> dict[str, Value]:
    sides = dict(zip(("width", "height"), read_size(raw), strict=True))
    found = [(parameter, sides[parameter.name]) for parameter in card.parameters if parameter.name in sides]
    return {p.name: read_value(replace(p, flag=f"size's {p.name}"), side) for p, side in found}


def _lora(card: WorkflowCard, parameter: Parameter, raw: str) -> dict[str, Value]:
    name, strength = read_lora(card, raw)
    known = _parameter(card, "strength")
    if strength is None or known is None:
        return {parameter.name: name}
    return {parameter.name: name, known.name: read_value(known, f"{strength:f}")}


def _in_jobs(wish: Wish, count: int, card: WorkflowCard) -> list[Wish]:
    """Share *count* pictures out over as few jobs as may have them; each with a seed of its own."""
    parameter = _parameter(card, "count")
    at_once = int(parameter.maximum or 1) if parameter else 1
    if parameter and count <= at_once:
        return [replace(wish, values={**wish.values, "count": count}) if count > 1 else wish]
    jobs = -(-count // at_once)
    shares = [min(at_once, count - at_once * job) for job in range(jobs)]
    return [
        replace(wish, values={**wish.values, **_seed(wish, job, card), **({"count": share} if share > 1 else {})})
        for job, share in enumerate(shares)
    ]


def _seed(wish: Wish, job: int, card: WorkflowCard) -> dict[str, Value]:
    """The same seed twice would paint the same picture twice."""
    parameter = _parameter(card, "seed")
    if parameter is None or "seed" not in wish.values or not job:
        return {}
    seed = int(wish.values["seed"]) + job
    return {"seed": seed if parameter.maximum is None or seed <= parameter.maximum else seed - 2 * job}
