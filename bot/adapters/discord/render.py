"""A card as an embed: what is happening first, then what else there is to know. Pure but for discord.py's classes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import discord

from bot.adapters.discord.markup import LONGEST_DESCRIPTION, coarse, escaped, moments, timeless
from bot.chat.card import Card, CardState
from bot.chat.model import Reply
from bot.chat.texts import STEP_NAMES
from bot.chat.words import clipped, clock_span
from orchestrator.api import Stage, StageState

COLOURS: Mapping[CardState, int] = {
    CardState.QUEUED: 0xF1C40F,
    CardState.COLD_START: 0xE67E22,
    CardState.RUNNING: 0x3498DB,
    CardState.SUCCEEDED: 0x2ECC71,
    CardState.FAILED: 0xE74C3C,
    CardState.CANCELLED: 0x95A5A6,
}
REPLY_COLOUR = 0x5865F2

LONGEST_PROMPT = 600
"""Shown below a card; Details has all of it."""

BAR_BLOCKS = 16
STEPS_OF_A_BAR = 20
"""A bar is drawn anew when it has come five per cent further."""

NO_VIEW = (
    "I may not see this channel, so this message can be changed for 15 minutes alone;"
    " an admin of this server can give me View Channel here."
)

SAME_MOMENT_S = 20
"""A guess that moved less than this is still the same for somebody who waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a reader tells two versions of an unfinished card apart by; figures that run are no such thing."""

    facts: tuple[object, ...]
    moments: tuple[int, ...]

    def reads_as(self, other: "Look") -> bool:
        if self.facts != other.facts or len(self.moments) != len(other.moments):
            return False
        return all(abs(a - b) <= SAME_MOMENT_S for a, b in zip(self.moments, other.moments, strict=True))


def embed_of(card: Card, *, hint: str = "") -> discord.Embed:
    """
    Draw a card.

    All of it is in the description: there, markup and countdowns work on every client, which a title does not promise.

    Args:
        hint: A sentence of our own right after the first line.
    """
    lines = [f"**{escaped(card.line)}**", *([f"-# {hint}"] if hint else []), *_progress(card)]
    lines += [escaped(detail) for detail in card.details]
    caption = _caption(card, LONGEST_DESCRIPTION - sum(len(line) + 1 for line in lines))
    return discord.Embed(description="\n".join([*lines, *caption]), colour=COLOURS[card.state])


def _progress(card: Card) -> Iterator[str]:
    if card.bar is not None:
        full = round(card.bar.share * BAR_BLOCKS)
        yield f"{'▓' * full}{'░' * (BAR_BLOCKS - full)} {escaped(card.bar.text)}".rstrip()
    if card.state is CardState.COLD_START and card.stages:
        yield " · ".join(_stage(stage, card) for stage in card.stages if stage.state is not StageState.WAITING)


def _stage(stage: Stage, card: Card) -> str:
    name = escaped(STEP_NAMES[stage.step])
    seconds = stage.seconds(card.as_of)
    match stage.state:
        case StageState.DONE:
            return f"{name} {clock_span(seconds or 0)} ✓"
        case StageState.FAILED:
            return f"{name} ✗"
        case _:
            return f"{name} …"


def _caption(card: Card, room: int) -> list[str]:
    if not card.caption:
        return []
    facts = card.caption.removeprefix(card.prompt)
    return [escaped(f"{clipped(card.prompt, LONGEST_PROMPT)}{facts}" if facts != card.caption else card.caption, room)]


def look_of(card: Card) -> Look:
    share = int(card.bar.share * STEPS_OF_A_BAR) if card.bar else None
    stages = tuple((stage.step, stage.state) for stage in card.stages)
    buttons = tuple(button.label for button in card.buttons)
    details = tuple(map(coarse, card.details))
    return Look(
        facts=(card.state, card.attempt, timeless(card.line), share, stages, details, buttons),
        moments=moments(card.line),
    )


def embeds_of(reply: Reply) -> list[discord.Embed]:
    """Words as one embed, or as several where they are long; never a line in two."""
    pages: list[list[str]] = [[]]
    length = 0
    for line in [f"**{escaped(reply.text, 2000)}**", *(escaped(line, 2000) for line in reply.lines)]:
        if length + len(line) + 1 > LONGEST_DESCRIPTION:
            pages.append([])
            length = 0
        pages[-1].append(line)
        length += len(line) + 1
    return [discord.Embed(description="\n".join(page), colour=REPLY_COLOUR) for page in pages]
