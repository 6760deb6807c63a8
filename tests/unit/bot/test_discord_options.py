"""Options of the slash command become the text that somebody would have typed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.discord.options import MOST_OPTIONS, composed, options_of
from bot.chat.prompt import parse
from tests.component.bot.fake_orchestrator import PAINT, REPAINT

OPTIONS = options_of((PAINT, REPAINT))


def test_there_are_never_more_than_discord_takes() -> None:
    many = replace(PAINT, parameters=tuple(replace(PAINT.parameters[5], name=f"p{n}", flag=f"p{n}") for n in range(60)))

    assert len(options_of((many,))) < MOST_OPTIONS


def test_where_workflows_differ_whatever_one_of_them_allows_can_be_chosen() -> None:
    few = tuple(replace(p, maximum=8) if p.name == "steps" else p for p in PAINT.parameters)
    other = replace(PAINT, name=type(PAINT.name)("quick"), parameters=few)

    both = {option.name: option for option in options_of((other, PAINT))}

    assert both["steps"].maximum == 50
    assert both["workflow"].choices == ("quick", "paint")


@given(st.integers(min_value=0, max_value=2**53 - 1), st.sampled_from(["1:1", "16:9"]), st.floats(-2, 2))
def test_values_come_through_as_they_are(seed: int, aspect: str, strength: float) -> None:
    text = composed(
        "a cat", {"seed": seed, "aspect": aspect, "strength": round(strength, 2), "lora": "inkwash"}, OPTIONS
    )

    (wish,) = parse(text, (PAINT, REPAINT)).wishes
    assert (wish.values["seed"], wish.values["aspect"]) == (seed, aspect)
    assert wish.values["strength"] == round(strength, 2)


@given(
    st.sampled_from(
        ["text, a hat", "--seed 3", 'say "no"', "it's", "-- x", "a --no b", "\u201cquoted\u201d", "\u2014no"]
    )
)
def test_a_text_is_one_value_whatever_is_in_it(negative: str) -> None:
    (wish,) = parse(composed("a cat", {"negative": negative, "seed": 7}, OPTIONS), (PAINT, REPAINT)).wishes

    assert (wish.values["negative"], wish.values["seed"]) == (negative, 7)


def test_what_was_not_given_is_not_said() -> None:
    assert composed("a cat", {"seed": None}, OPTIONS) == "a cat"
