"""A card as text and buttons: what is happening first, then what else there is to know. Pure but for its keyboard."""

import math
import re
from collections.abc import Iterator, Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.adapters.telegram.markup import LONGEST_CAPTION, LONGEST_TEXT, bold, escaped
from bot.chat.buttons import Action, Button
from bot.chat.card import Card, CardState
from bot.chat.commands import Press
from bot.chat.press import encode_press
from bot.chat.texts import STEP_NAMES
from bot.chat.words import clipped, clock_span, left
from orchestrator.api import JobId, StageState

BAR_BLOCKS = 12
STEPS_OF_A_BAR = 10
"""A bar is drawn anew when it has come ten per cent further: an edit costs a chat one of few."""

LONGEST_PROMPT = 500
ORIGINAL = "original"
CONFIRM = "confirm"
PER_ROW = 3
VARY_PER_ROW = 5

Look = tuple[object, ...]


def text_of(card: Card) -> str:
    """The whole card, as HTML that fits a message."""
    lines = [bold(card.line), *_progress(card), *(escaped(detail) for detail in card.details), *_caption(card)]
    return _fitting(lines, LONGEST_TEXT)


def caption_of(card: Card) -> str:
    """The same below a picture, where there is less room."""
    return _fitting([bold(card.line), *_caption(card)], LONGEST_CAPTION)


def _fitting(lines: Sequence[str], limit: int) -> str:
    """Escapes count as what they stand for, and entities not at all: the marked text may only be longer."""
    kept: list[str] = []
    room = limit
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join(kept)


def _progress(card: Card) -> Iterator[str]:
    if card.bar is not None:
        full = round(card.bar.share * BAR_BLOCKS)
        yield f"{'▓' * full}{'░' * (BAR_BLOCKS - full)} {escaped(card.bar.text)}".rstrip()
    if card.state is CardState.COLD_START:
        done = [stage for stage in card.stages if stage.state is not StageState.WAITING]
        marks = {StageState.DONE: " ✓", StageState.FAILED: " ✗"}
        if done:
            yield " · ".join(
                f"{escaped(STEP_NAMES[stage.step])}"
                f"{f' {clock_span(stage.seconds(card.as_of) or 0)}' if stage.state is StageState.DONE else ''}"
                f"{marks.get(stage.state, ' …')}"
                for stage in done
            )


def _caption(card: Card) -> list[str]:
    if not card.caption:
        return []
    facts = card.caption.removeprefix(card.prompt)
    said = f"{clipped(card.prompt, LONGEST_PROMPT)}{facts}" if facts != card.caption else clipped(card.caption, 800)
    return [escaped(said)]


def look_of(card: Card) -> Look:
    """What a reader tells two versions of an unfinished card apart by: a stage, a tenth of a bar, a minute."""
    share = int(card.bar.share * STEPS_OF_A_BAR) if card.bar else None
    stages = tuple((stage.step, stage.state) for stage in card.stages)
    minutes = math.ceil(left(card.eta, card.as_of - card.eta.at)[1] / 60) if card.eta else None
    words = re.sub(r"[\d.,:-]+", "", f"{card.line} {' '.join(card.details)}")
    return card.state, card.attempt, words, share, stages, minutes


def keyboard_of(card: Card, *, has_originals: bool = False) -> InlineKeyboardMarkup | None:
    """The buttons of a card; where there are several pictures each has a Vary of its own, in rows of their own."""
    own = [_button(button, card.job) for button in card.buttons if button.action is not Action.VARY]
    vary = [button for button in card.buttons if button.action is Action.VARY]
    if len(card.images) == 1:
        own[1:1] = [_button(button, card.job) for button in vary]
    if has_originals:
        label = "Original" if len(card.images) == 1 else "Originals"
        own.append(InlineKeyboardButton(label, callback_data=f"{ORIGINAL}:{card.job}"))
    several = [_vary(card.job, place + 1) for place in range(len(card.images))] if vary and len(card.images) > 1 else []
    rows = [*_rows(own, PER_ROW), *_rows(several, VARY_PER_ROW)]
    return InlineKeyboardMarkup(rows) if rows else None


def buttons_of(buttons: Sequence[tuple[Button, JobId]]) -> InlineKeyboardMarkup | None:
    rows = _rows([_button(button, job) for button, job in buttons], PER_ROW)
    return InlineKeyboardMarkup(rows) if rows else None


def confirm_of(label: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, callback_data=CONFIRM)]])


def _button(button: Button, job: JobId) -> InlineKeyboardButton:
    return InlineKeyboardButton(button.label, callback_data=encode_press(Press(job=job, action=button.action)))


def _vary(job: JobId, picture: int) -> InlineKeyboardButton:
    press = Press(job=job, action=Action.VARY, picture=picture)
    return InlineKeyboardButton(f"Vary {picture}", callback_data=encode_press(press))


def _rows(buttons: Sequence[InlineKeyboardButton], width: int) -> list[list[InlineKeyboardButton]]:
    return [list(buttons[start : start + width]) for start in range(0, len(buttons), width)]
