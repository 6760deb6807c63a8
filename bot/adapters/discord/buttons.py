"""
The buttons below our messages, each known by a text that Discord keeps.

None of them is remembered by us: a press is understood from its text alone, so buttons of any age work after a restart.
"""

import re
from collections.abc import Iterable
from typing import Protocol, Self, cast

import discord

from bot.chat.buttons import Action, Button
from bot.chat.card import Card
from bot.chat.commands import Press
from bot.chat.press import decode_press, encode_press
from orchestrator.api import JobId

CONFIRM = "confirm"
ORIGINAL = "original"
LONGEST_LABEL = 80
PER_ROW = 5
MOST_ROWS = 5

_OURS = rf"(?P<text>{CONFIRM}|(?:{'|'.join((*Action, ORIGINAL))}):[^:]{{1,80}}(?::[0-9]{{1,2}})?)"
_MAIN = frozenset({Action.AGAIN})


class Presses(Protocol):
    """What the client does when a button of ours is pressed."""

    async def pressed(self, interaction: discord.Interaction, text: str) -> None: ...


class OurButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=_OURS):
    """Any button of ours."""

    def __init__(
        self, text: str, label: str = "", style: discord.ButtonStyle = discord.ButtonStyle.secondary, row: int = 0
    ) -> None:
        super().__init__(discord.ui.Button(label=label[:LONGEST_LABEL] or None, custom_id=text, style=style), row=row)
        self._text = text

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, _item: discord.ui.Item[discord.ui.View], match: re.Match[str], /
    ) -> Self:
        return cls(match["text"])

    async def callback(self, interaction: discord.Interaction) -> None:
        await cast("Presses", interaction.client).pressed(interaction, self._text)


def view_of(card: Card, *, has_original: bool = False) -> discord.ui.View | None:
    """The buttons of a card; where there are several pictures each has a Vary of its own, in rows below the others."""
    first = [_button(button, card.job) for button in card.buttons if button.action is not Action.VARY]
    vary = [button for button in card.buttons if button.action is Action.VARY]
    if len(card.images) == 1:
        first[1:1] = [_button(button, card.job) for button in vary]
    if has_original:
        first.append(OurButton(f"{ORIGINAL}:{card.job}", "Original"))
    several = (
        [_vary(card.job, picture + 1) for picture in range(len(card.images))] if vary and len(card.images) > 1 else []
    )
    return _in_rows(first, several)


def _button(button: Button, job: JobId, picture: int = 1) -> OurButton:
    style = discord.ButtonStyle.primary if button.action in _MAIN else discord.ButtonStyle.secondary
    return OurButton(encode_press(Press(job=job, action=button.action, picture=picture)), button.label, style)


def _vary(job: JobId, picture: int) -> OurButton:
    return OurButton(encode_press(Press(job=job, action=Action.VARY, picture=picture)), f"Vary {picture}")


def note_view(buttons: Iterable[tuple[Button, JobId]]) -> discord.ui.View | None:
    return _in_rows([_button(button, job) for button, job in buttons], [])


def confirm_view(label: str) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(OurButton(CONFIRM, label, discord.ButtonStyle.primary))
    return view


def _in_rows(first: list[OurButton], second: list[OurButton]) -> discord.ui.View | None:
    """*second* begins a row of its own."""
    if not first and not second:
        return None
    view = discord.ui.View(timeout=None)
    row = 0
    for group in (first, second):
        for place, button in enumerate(group):
            button.item.row = row + place // PER_ROW
            if button.item.row < MOST_ROWS:
                view.add_item(button)
        row += -(-len(group) // PER_ROW)
    return view


def job_named_in(message: discord.Message) -> JobId | None:
    """The job whose buttons are below *message*; None where there are none."""
    for text in _texts(message):
        press = decode_press(text)
        if press is not None:
            return press.job
    return None


def has_original(message: discord.Message) -> bool:
    return any(text.startswith(f"{ORIGINAL}:") for text in _texts(message))


def _texts(message: discord.Message) -> list[str]:
    return [
        child.custom_id
        for row in message.components
        if isinstance(row, discord.ActionRow)
        for child in row.children
        if child.custom_id
    ]
