"""Blocked words are found however they are written, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.blocked import blocked_in, plain


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("a clown at night", "clown"),
        ("A CLOWN!", "clown"),
        ("(clown:1.3), night", "clown"),
        ("a clówn", "clown"),
        ("a \uff43\uff4c\uff4f\uff57\uff4e", "clown"),  # wide letters
        ("an evil -- clown", "evil clown"),
        ("Straße", "strasse"),
        ("夜のピエロと猫", "ピエロ"),
    ],
)
def test_a_blocked_word_is_found_however_it_is_written(prompt: str, word: str) -> None:
    assert blocked_in(prompt, ("other", plain(word))) == plain(word)


@pytest.mark.parametrize("prompt", ["clownfish", "a fish", "", "c l o w n"])
def test_a_part_of_another_word_is_not_blocked(prompt: str) -> None:
    assert blocked_in(prompt, ("clown", "evil clown")) == ""


@given(st.text(), st.text())
def test_a_word_is_found_between_any_others(before: str, after: str) -> None:
    assert blocked_in(f"{before} clown {after}", ("clown",)) == "clown"
