"""Nothing that anybody types becomes markup, a mention, a link or a command."""

import re

import pytest
from hypothesis import given

from bot.adapters.telegram.markup import LONGEST_CAPTION, LONGEST_TEXT, code, escaped, pages, plain
from bot.adapters.telegram.render import caption_of, text_of
from bot.adapters.telegram.spots import Spot, spot_of
from bot.chat.card import draw
from tests.component.bot.test_any_prompt import TEXTS
from tests.telegram.entities import read_html
from tests.unit.bot.samples import cold, job, queued, succeeded, telling

LIVE = re.compile(r"(?:^|\s)/\w|@\w|#\w|\$[A-Za-z]|://\w|[a-z]\.[a-z]")
"""What Telegram's clients make clickable by themselves."""


@given(text=TEXTS)
def test_whatever_is_typed_is_only_text(text: str) -> None:
    read, links = read_html(escaped(text))

    assert links == []
    assert LIVE.search(read) is None


@given(text=TEXTS)
def test_a_card_with_any_prompt_fits_and_can_be_parsed(text: str) -> None:
    for status in (queued(), cold(), succeeded()):
        card = draw(job(status, values={"prompt": text}), telling())

        assert len(read_html(text_of(card))[0]) <= LONGEST_TEXT
        assert len(read_html(caption_of(card))[0]) <= LONGEST_CAPTION


@given(text=TEXTS)
def test_what_is_to_be_copied_is_copied_to_the_letter(text: str) -> None:
    assert read_html(code(text))[0].replace("\r\n", "\n").replace("\r", "\n") == text.replace("\r\n", "\n").replace(
        "\r", "\n"
    )


def test_our_own_words_name_commands_that_can_be_tapped() -> None:
    assert escaped("/help lists them", has_commands=True) == "/help lists them"


def test_long_answers_are_a_few_messages_never_a_line_in_two() -> None:
    lines = [f"line {number} " + "x" * 100 for number in range(200)]

    found = pages(lines, most=3)

    assert len(found) == 3
    assert all(len(plain(page)) <= LONGEST_TEXT for page in found)
    assert found[-1].endswith("… and more")


@pytest.mark.parametrize(
    "spot",
    [
        Spot(chat=5, message=7),
        Spot(chat=-100, after=7),
        Spot(chat=-100, after=7, topic=3),
        Spot(chat=-100, message=7, topic=3),
    ],
)
def test_where_a_card_is_survives_its_way_through_the_database(spot: Spot) -> None:
    assert spot_of(spot.handle()) == spot
