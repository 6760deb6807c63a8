"""What a person types becomes requests or one sentence."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.chat.prompt import LONGEST, MOST_JOBS, parse, read_options
from bot.chat.retype import typed_again
from bot.chat.texts import SENTENCES, sentence
from orchestrator.api import Preference, RequestError, Value
from tests.component.bot.fake_orchestrator import PAINT, REPAINT

CARDS = (PAINT, REPAINT)


def one(text: str) -> dict[str, Value]:
    (wish,) = parse(text, CARDS).wishes
    return dict(wish.values)


def prompts(text: str) -> list[Value]:
    return [wish.values["prompt"] for wish in parse(text, CARDS).wishes]


def refused(text: str) -> str:
    with pytest.raises(RequestError) as caught:
        parse(text, CARDS)
    assert caught.value.key in SENTENCES
    return sentence(caught.value.key, caught.value.values)


def test_every_option_of_the_guide_is_read() -> None:
    text = "a cat --ar 16:9 --size 1024x768 --seed 7 --steps 4 --n 2 --lora b0throps:0.8 --no text --workflow paint hat"

    assert one(text) == {
        "prompt": "a cat hat",
        "aspect": "16:9",
        "width": 1024,
        "height": 768,
        "seed": 7,
        "steps": 4,
        "count": 2,
        "lora": "b0throps",
        "strength": 0.8,
        "negative": "text",
    }


@pytest.mark.parametrize("prefers", [Preference.NOW, Preference.OWN, Preference.CHEAP])
def test_where_it_is_made_may_be_said(prefers: Preference) -> None:
    (wish,) = parse(f"a cat --{prefers} in a hat", CARDS).wishes

    assert (wish.prefers, wish.values["prompt"]) == (prefers, "a cat in a hat")


def test_it_is_made_in_one_place() -> None:
    assert refused("a cat --now --own") == "--now and --own say where it is made; say one of them."


def test_where_it_is_made_may_be_kept_in_a_preset_and_said_otherwise() -> None:
    presets = {"patient": "--own --steps 6"}

    assert [w.prefers for w in parse("a cat --preset patient", CARDS, presets).wishes] == [Preference.OWN]
    assert [w.prefers for w in parse("a cat --preset patient --now", CARDS, presets).wishes] == [Preference.NOW]


def test_only_what_was_said_is_asked_for() -> None:
    assert one("a cat") == {"prompt": "a cat"}


def test_words_after_an_option_belong_to_the_prompt() -> None:
    assert one("a cat --seed 7 in a hat")["prompt"] == "a cat in a hat"


def test_what_to_leave_out_goes_on_until_the_next_option() -> None:
    values = one("a cat --no text, water marks --seed 7")

    assert values["negative"] == "text, water marks"
    assert values["seed"] == 7


@pytest.mark.parametrize("quoted", ['"text, signs"', "'text, signs'", "“text, signs”"])
def test_a_quoted_value_ends_with_its_quote(quoted: str) -> None:
    assert one(f"a cat --no {quoted} in a hat") == {"prompt": "a cat in a hat", "negative": "text, signs"}


def test_quotes_in_the_prompt_stay() -> None:
    assert one('a sign that says "open"')["prompt"] == 'a sign that says "open"'


@pytest.mark.parametrize("dash", ["--", "—", "–"])  # noqa: RUF001 - phones make one long dash of two
def test_a_long_dash_is_as_good_as_two_short_ones(dash: str) -> None:
    assert one(f"a cat {dash}ar 16:9")["aspect"] == "16:9"


def test_a_dash_of_prose_is_no_option() -> None:
    assert one("a cat — sad —very sad - and -- so on")["prompt"] == "a cat — sad —very sad - and -- so on"


@pytest.mark.parametrize("text", ["--seed=7", "--SEED 7", "--seed +7"])
def test_options_may_be_written_in_several_ways(text: str) -> None:
    assert one(f"a cat {text}")["seed"] == 7


@pytest.mark.parametrize(("size", "sides"), [("1024x768", (1024, 768)), ("1024×768", (1024, 768)), ("512", (512, 512))])  # noqa: RUF001
def test_a_size_is_two_sides_or_a_square(size: str, sides: tuple[int, int]) -> None:
    values = one(f"a cat --size {size}")

    assert (values["width"], values["height"]) == sides


def test_a_shape_may_be_written_with_an_x() -> None:
    assert one("a cat --ar 16x9")["aspect"] == "16:9"


def test_a_lora_is_known_in_any_case_and_its_strength_is_optional() -> None:
    assert one("a cat --lora B0throps") == {"prompt": "a cat", "lora": "b0throps"}


# Several at once.


def test_braces_stand_for_one_request_each() -> None:
    assert prompts("a {red, blue} hat") == ["a red hat", "a blue hat"]


def test_several_groups_multiply() -> None:
    assert prompts("{a, b} {c, d}") == ["a c", "a d", "b c", "b d"]


def test_groups_may_be_nested() -> None:
    assert prompts("a {red, {light, dark} blue} hat") == ["a red hat", "a light blue hat", "a dark blue hat"]


def test_options_may_stand_in_braces() -> None:
    assert [wish.values["aspect"] for wish in parse("a cat --ar {1:1, 16:9}", CARDS).wishes] == ["1:1", "16:9"]


def test_escaped_braces_are_braces() -> None:
    assert one(r"a \{red\, blue\} hat and C:\\ {x\, y}")["prompt"] == "a {red, blue} hat and C:\\ x, y"


def test_more_pictures_than_a_job_has_become_several_jobs_with_other_seeds() -> None:
    wishes = parse("a cat --n 25 --seed 7", CARDS)

    assert [wish.pictures for wish in wishes.wishes] == [10, 10, 5]
    assert [wish.values["seed"] for wish in wishes.wishes] == [7, 8, 9]
    assert wishes.pictures == 25


def test_the_last_seed_has_no_successor() -> None:
    seeds = [wish.values["seed"] for wish in parse(f"a cat --n 20 --seed {2**53 - 1}", CARDS).wishes]

    assert len(set(seeds)) == 2
    assert max(int(seed) for seed in seeds) == 2**53 - 1


def test_forty_jobs_are_the_most() -> None:
    assert len(parse("{" + ",".join("x" * 40) + "}", CARDS).wishes) == MOST_JOBS
    assert "41 requests" in refused("{" + ",".join("x" * 41) + "}")


def test_a_million_combinations_are_refused_without_making_them() -> None:
    assert "over a million" in refused("{a,b}" * 500)


def test_yes_confirms_and_is_no_part_of_the_prompt() -> None:
    wishes = parse("a {red, blue} hat --no text --yes", CARDS)

    assert wishes.is_confirmed
    assert [dict(wish.values) for wish in wishes.wishes] == [
        {"prompt": "a red hat", "negative": "text"},
        {"prompt": "a blue hat", "negative": "text"},
    ]


# Mistakes.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Say what to paint"),
        ("--seed 7", "Say what to paint"),
        ("a --stepz 4", "There is no option --stepz for paint. Did you mean --steps?"),
        ("a --steps", "--steps needs a value, for example: --steps 4."),
        ("a --seed --steps 4", "--seed needs a value"),
        ("a --steps four", "--steps must be 1 to 50, not four."),
        ("a --steps 4.5", "--steps must be a whole number, 1 to 50, not 4.5."),
        ("a --steps 99", "--steps must be 1 to 50, not 99."),
        ("a --steps ４", "--steps must be 1 to 50"),  # noqa: RUF001 - a digit, but not one of ours
        ("a --seed 1 --seed 2", "--seed is there twice"),
        ("a --ar 5:7", "--ar can be 1:1, 16:9, 9:16, not 5:7."),
        ("a --size big", "1024x768, not big."),
        ("a --size 1000x1024", "must be a multiple of 16, not 1000."),
        ("a --size 16x64", "must be 64 to 2048, not 16."),
        ("a --n 0", "--n must be 1 to 400, not 0."),
        ("a --lora b0trops", 'The LoRA "b0trops" does not exist. Did you mean b0throps?'),
        ("a --lora b0throps2:0.8", 'The LoRA "b0throps2" does not exist. Did you mean b0throps?'),
        ("a --lora b0throps:x", "must be a number, not x."),
        ("a --lora b0throps:9", "--strength must be -2 to 2"),
        ("a --workflow pant", "There is no workflow pant. Did you mean paint? Known are: paint, repaint."),
        ("a --workflow repaint", "repaint starts from a picture"),
        ("a {red", "A brace is opened or closed once too often"),
        ("a red}", "A brace is opened or closed once too often"),
        ("{" * 5 + "a" + "}" * 5, "nested more than 4 deep"),
        ('a --no "text', "begins with a quote that never ends"),
        ("a" * (LONGEST + 1), "too long: 4001 characters, at most 4000"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_what_would_be_right(text: str, says: str) -> None:
    assert says in refused(text)


def test_without_a_workflow_nothing_can_be_asked_for() -> None:
    with pytest.raises(RequestError) as caught:
        parse("a cat", ())

    assert caught.value.key == "no_workflows"


def test_what_no_database_keeps_is_left_out() -> None:
    assert one("a\x00cat\ud800")["prompt"] == "a cat"


BITS = ["a", "--ar", "16:9", "--seed", "7", "—n", "3", "{", "}", ",", "\\", '"', "'", "--no", "--yes", "@all"]
ODD = st.text() | st.lists(st.sampled_from(BITS)).map(" ".join)


@given(ODD)
@example("--lora :")
@example("a --no '")
@example("a --size x")
def test_any_text_is_requests_or_one_sentence(text: str) -> None:
    try:
        wishes = parse(text, CARDS)
    except RequestError as error:
        said, known = sentence(error.key, error.values), error.key in SENTENCES
    else:
        assert 1 <= len(wishes.wishes) <= MOST_JOBS
        assert all(str(wish.values["prompt"]).strip() for wish in wishes.wishes)
        return

    assert known
    assert said
    assert "\n" not in said


@given(ODD)
@example('0 --NO "--A"')
def test_what_was_asked_for_can_be_typed_again(text: str) -> None:
    """The text of Edit means the request that it came from."""
    try:
        wish = parse(text, CARDS).wishes[0]
    except RequestError:
        return

    again = parse(typed_again(wish.values, PAINT, default=PAINT), CARDS)

    told = {name: value for name, value in wish.values.items() if value != _default(name)}
    assert [dict(wish.values) for wish in again.wishes] == [told]


def _default(name: str) -> Value | None:
    return next(parameter.default for parameter in PAINT.parameters if parameter.name == name)


def test_a_size_that_follows_from_the_shape_is_typed_as_the_shape() -> None:
    derived: dict[str, Value] = {"prompt": "a cat", "aspect": "16:9", "width": 1360, "height": 768}
    said: dict[str, Value] = {"prompt": "a cat", "aspect": "1:1", "width": 512, "height": 768}

    assert typed_again(derived, PAINT, default=PAINT) == "a cat --ar 16:9"
    assert typed_again(said, PAINT, default=PAINT) == "a cat --size 512x768"


# Presets.

PRESETS = {"poster": "--ar 9:16 --steps 6", "ink": "--lora inkwash:0.8 --n 3", "wide": "--size 1024x512"}


def with_presets(text: str) -> dict[str, Value]:
    (wish,) = parse(text, CARDS, PRESETS).wishes
    return dict(wish.values)


def test_what_is_typed_beside_a_preset_wins() -> None:
    assert with_presets("a cat --preset poster --steps 2") == {"prompt": "a cat", "aspect": "9:16", "steps": 2}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a cat --preset wide --ar 16:9", {"aspect": "16:9"}),
        ("a cat --preset poster --size 512x512", {"steps": 6, "width": 512, "height": 512}),
        ("a cat --preset ink --lora none", {"count": 3, "lora": "none"}),
    ],
)
def test_a_preset_leaves_alone_what_is_said_in_other_words(text: str, values: dict[str, Value]) -> None:
    assert with_presets(text) == {"prompt": "a cat"} | values


def test_a_preset_counts_for_each_of_several() -> None:
    wishes = parse("a {red, blue} hat --preset POSTER", CARDS, PRESETS).wishes

    assert [(wish.values["prompt"], wish.values["steps"]) for wish in wishes] == [("a red hat", 6), ("a blue hat", 6)]


def test_a_preset_may_name_the_workflow() -> None:
    with pytest.raises(RequestError) as caught:
        parse("a cat --preset again", CARDS, {"again": "--workflow repaint"})

    assert caught.value.key == "needs_picture"


def test_a_preset_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(RequestError) as caught:
        parse("a cat --preset postr", CARDS, PRESETS)

    assert sentence(caught.value.key, caught.value.values) == (
        "You have no preset postr. Did you mean poster? /presets lists yours."
    )


@pytest.mark.parametrize("options", ["--ar 9:16", "--steps 6 --no text, frame", "--lora inkwash:0.5 --n 4"])
def test_options_alone_are_a_preset(options: str) -> None:
    assert read_options(f"  {options} ", CARDS) == options


@pytest.mark.parametrize("options", ["a cat", "--ar 9:16 a cat", "--preset poster", "--steps 6 --yes"])
def test_anything_else_is_none(options: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_options(options, CARDS)

    assert caught.value.key == "bad_preset"


@given(st.text(max_size=60))
def test_every_text_is_a_preset_or_one_sentence(text: str) -> None:
    key, made = "", 0
    try:
        made = len(parse("a cat --preset kept", CARDS, {"kept": read_options(text, CARDS)}).wishes)
    except RequestError as error:
        key = error.key

    assert made or key in SENTENCES
