"""Nothing that anybody types becomes markup, a mention or a link; only our own moments are shown as such."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.discord.markup import clock, coarse, countdown, escaped, from_block, in_block, shown, typed
from tests.component.bot.test_any_prompt import TEXTS

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIVE = re.compile(
    r"(?<!\\)(?:\*\*|__|~~|\|\||`|\[[^\]]*\]\(|<@[!&]?\d+>|<#\d+>|</[^>]+:\d+>|<a?:\w+:\d+>|<t:-?\d+)|@(?:everyone|here)|"
    r"^(?:#{1,3} |-# |> |- |\* |\d+\. )|https?://",
    re.MULTILINE,
)
"""What Discord's clients would show as something else than text."""


@pytest.mark.parametrize(
    "text",
    [
        "**bold** __under__ ~~gone~~ ||veil|| `code` *slanted* _slanted_",
        "[link](https://evil.example)",
        "# a head",
        "-# small",
        "> a quote",
        "- an item",
        "1. an item",
        "<@1> <@&2> <#3> </imagine:4> <:smile:5> <t:6:R>",
        "@everyone @here",
        "https://evil.example",
        "a\nb\n# c",
        "\\*",
    ],
)
def test_it_is_read_as_it_was_typed(text: str) -> None:
    said = escaped(text)

    assert LIVE.search(said) is None
    assert re.sub(r"\\(.)", r"\1", said).replace("\u200b", "") == " ".join(text.split())


@given(text=TEXTS)
def test_whatever_is_typed_is_only_text(text: str) -> None:
    assert LIVE.search(escaped(typed(text))) is None


@given(text=TEXTS, limit=st.integers(min_value=1, max_value=300))
def test_it_fits(text: str, limit: int) -> None:
    assert len(escaped(typed(text), limit)) <= limit


def test_our_own_moments_are_shown_as_such() -> None:
    assert escaped(f"ready {countdown(MOMENT)} at worst") == "ready <t:1772366400:R> at worst"
    assert escaped(clock(MOMENT)) == "<t:1772366400:t>"


def test_nobody_can_type_a_moment() -> None:
    assert "<t:" not in escaped(typed(countdown(MOMENT)))


def test_two_cards_that_differ_in_a_moment_alone_read_the_same() -> None:
    later = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)

    assert coarse(f"ready {countdown(MOMENT)}, $0.12") == coarse(f"ready {countdown(later)}, $0.13")


@given(text=TEXTS)
def test_a_command_is_read_back_from_the_message_that_keeps_it(text: str) -> None:
    command = typed(text)

    assert from_block(in_block(command)) == command


@given(text=st.text())
def test_names_have_nothing_in_them_that_moves_a_cursor(text: str) -> None:
    assert "\x02" not in shown(text)
    assert "\x1b" not in shown(text)
