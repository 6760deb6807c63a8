"""Numbers as people read them."""

from datetime import timedelta

import pytest

from bot.chat.words import clipped, cost_of, gigabytes, guess, minutes, ordinal, plural, rate, span, usd
from orchestrator.api import MicroUsdPerHour


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "$0"),
        (0.00002, "under $0.0001"),
        (0.0013, "$0.0013"),
        (0.00137, "$0.0014"),
        (0.006, "$0.006"),
        (0.05, "$0.05"),
        (0.17, "$0.17"),
        (2, "$2.00"),
    ],
)
def test_money(amount: float, words: str) -> None:
    assert usd(amount) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.14, "3.1 s"), (9.96, "10 s"), (14, "14 s"), (59.7, "1:00"), (108, "1:48"), (3900, "1 h 05")],
)
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 0.2, "about 1 s"),
        (5.2, 7.9, "6-8 s"),
        (6, 6, "about 6 s"),
        (108, 212, "1-4 min"),
        (120, 240, "2-4 min"),
        (10, 200, "about 4 min"),
    ],
)
def test_guesses_are_no_finer_than_they_can_be(low: float, high: float, words: str) -> None:
    assert guess(low, high) == words


def test_bytes() -> None:
    assert gigabytes(12_400_000_000, 34_500_000_000) == "12.4 of 34.5 GB"
    assert gigabytes(1_000_000, 5_000_000) == "1.0 of 5.0 MB"
    assert rate(310_000_000) == "310 MB/s"
    assert rate(2_000) == "2 kB/s"


def test_small_words() -> None:
    assert [ordinal(1), ordinal(2), ordinal(30)] == ["next", "second", "number 30"]
    assert [plural(1, "picture"), plural(2, "picture")] == ["1 picture", "2 pictures"]
    assert [minutes(timedelta(seconds=61)), minutes(timedelta(minutes=30))] == ["1 minute", "30 minutes"]
    assert clipped("a\nb" * 10, 8) == "a ba ba…"


def test_a_cost_is_rounded_up() -> None:
    assert cost_of(MicroUsdPerHour(340_000), timedelta(minutes=30)) == 170_000
    assert cost_of(MicroUsdPerHour(1), timedelta(seconds=1)) == 1
