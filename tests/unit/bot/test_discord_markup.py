"""What people type is read on Discord to the letter."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.discord.markup import (
    clock,
    coarse,
    countdown,
    escaped,
    from_block,
    in_block,
    shown,
    typed,
)

MOMENT = datetime(2026, 3, 1, 14, 32, tzinfo=UTC)
ODD = "a1 \n\\`*_~|<>[]()#:@!&/-+.{}\u202e\u200b\x02\x03t"
NASTY = st.text(alphabet=st.sampled_from(ODD) | st.characters(), max_size=80)
CONSTRUCTS = st.lists(
    st.sampled_from(
        [
            "@everyone",
            "@here",
            "<@1>",
            "<@!1>",
            "<@&1>",
            "<#1>",
            "</imagine:1>",
            "<:smile:1>",
            "<a:smile:1>",
            "<t:1:R>",
            "<id:customize>",
            "[text](https://evil.example)",
            "https://evil.example",
            "<https://evil.example>",
            "# big",
            "-# small",
            "> quote",
            ">>> quote",
            "- one",
            "+ one",
            "1. one",
            "2) two",
            "```py\ncode```",
            "||spoiler||",
            "**bold**",
            "__under__",
            "~~gone~~",
            "\x02t:1:R\x03",
            "\\",
        ]
    )
    | NASTY,
    max_size=6,
).map(" ".join)


def read(text: str) -> tuple[str, str]:
    """What a client shows of *text*, and the same with a letter for each character that was made harmless."""
    shown_text, live = [], []
    at = 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and re.match(r"[^0-9A-Za-z\s]", text[at + 1]):
            shown_text.append(text[at + 1])
            live.append("x")
            at += 2
            continue
        shown_text.append(text[at])
        live.append(text[at])
        at += 1
    return "".join(shown_text), "".join(live)


LIVE = re.compile(r"[\\`*_~|<>\[\]#]|://|\A\s*(?:[-+]|\d+[.)])(?:\s|\Z)|@(?!\u200b)|[\u202a-\u202e\u2066-\u2069]")


@given(CONSTRUCTS)
def test_nothing_that_is_typed_begins_any_markup(text: str) -> None:
    _, live = read(escaped(typed(text)))

    assert not LIVE.search(live)
    assert "\n" not in live


@given(CONSTRUCTS)
def test_what_is_typed_is_read_as_it_is(text: str) -> None:
    seen, _ = read(escaped(typed(text), 10_000))

    wanted = re.sub(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", " ".join(typed(text).split()))
    assert seen.replace("@\u200b", "@") == wanted.replace("@\u200b", "@")


@given(CONSTRUCTS, st.integers(min_value=1, max_value=60))
def test_it_is_never_longer_than_it_may_be_and_never_cut_inside_an_escape(text: str, limit: int) -> None:
    cut = escaped(typed(text), limit)

    assert len(cut) <= limit
    assert not LIVE.search(read(cut)[1])


@given(st.text(max_size=200))
def test_a_command_comes_back_from_its_block(text: str) -> None:
    command = text.replace("`\u200b", "`")

    assert from_block(in_block(command)) == command


def test_nothing_else_is_a_block() -> None:
    assert [from_block(text) for text in ("", "/imagine a cat", "```", "```\n```")] == [None] * 4


def test_moments_become_timestamps() -> None:
    at = int(MOMENT.timestamp())

    assert escaped(f"ready {countdown(MOMENT)} ({clock(MOMENT)})") == f"ready <t:{at}:R> (<t:{at}:t>)"


def test_half_a_moment_is_left_out() -> None:
    assert escaped(f"ready {countdown(MOMENT)[:6]}") == "ready "
    assert shown(f"ready {countdown(MOMENT)}now") == "ready now"


@pytest.mark.parametrize("mark", ["\x02t:1:R\x03", "\x02t:1772375520:t\x03"])
def test_nobody_types_a_moment(mark: str) -> None:
    assert "<t:" not in escaped(typed(f"a {mark} cat"))


def test_what_only_counts_is_no_difference() -> None:
    assert coarse(f"models 12.4 of 34.5 GB · {countdown(MOMENT)}") == coarse("models 13.0 of 34.5 GB · ")
    assert coarse("Warming up") != coarse("Painting")
