"""Buttons as the short texts that chats keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.buttons import Action
from bot.chat.commands import Press
from bot.chat.press import decode_press, encode_press
from orchestrator.api import JobId


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("picture", [1, 10])
def test_a_button_survives(action: Action, picture: int) -> None:
    press = Press(job=JobId("0123456789abcdef0123456789abcdef"), action=action, picture=picture)

    assert decode_press(encode_press(press)) == press
    assert len(encode_press(press).encode()) <= 64


@given(
    st.text()
    | st.sampled_from(["again:", "again", "again:j:0", "again:j:11", "again:j:x", "blow_up:j", "vary:j:\u00b2"])
)
def test_what_we_did_not_write_is_nothing_or_harmless(text: str) -> None:
    press = decode_press(text)

    assert press is None or 1 <= press.picture <= 10
