"""A card as an embed: first what is happening, then what else there is to know."""

from dataclasses import replace

import pytest

from bot.adapters.discord.buttons import view_of
from bot.adapters.discord.markup import clock, countdown
from bot.adapters.discord.messages import Drawing
from bot.adapters.discord.render import COLOURS, Look, embed_of, embeds_of, look_of
from bot.chat.card import Card, CardState, draw
from bot.chat.model import Reply
from bot.chat.voice import Voice
from orchestrator.api import Failed, Failure, ImageKey, JobView, StageState, Step
from tests.unit.bot.samples import cold, eta, job, queued, stages, succeeded, telling


def card(view: JobView) -> Card:
    return draw(view, replace(telling(), voice=Voice(clock=clock, countdown=countdown)))


def lines(view: JobView) -> list[str]:
    return (embed_of(card(view)).description or "").splitlines()


def test_a_cold_start_shows_how_far_it_is() -> None:
    first, bar, steps, *rest = lines(job(cold(Step.MODELS, done=12_400_000_000, total=34_500_000_000)))

    assert first.startswith("**Warming up a GPU for you · ready <t:")
    assert bar.startswith("▓")
    assert bar.endswith("models 12.4 of 34.5 GB, 310 MB/s")
    assert steps.startswith("renting 0:02 ✓ · starting 0:02 ✓")
    assert steps.endswith("models …")
    assert rest[-1].startswith("a lighthouse at dusk · 1024")


def test_a_step_that_failed_is_marked() -> None:
    broken = tuple(replace(s, state=StageState.FAILED) if s.step is Step.SSH else s for s in stages(Step.AGENT))

    assert "SSH ✗" in lines(job(cold(), stages=broken))[2]


def test_a_failure_is_one_sentence_and_what_was_asked_for() -> None:
    failed = Failed(failure=Failure(key="unknown_lora", values={"name": "b0th*rops", "closest": "b0throps"}))

    first, asked = lines(job(failed))

    assert first == r'**The LoRA "b0th\*rops" does not exist. Did you mean b0throps?**'
    assert asked.startswith("a lighthouse at dusk")


def test_each_state_has_a_colour_of_its_own() -> None:
    assert set(COLOURS) == set(CardState)
    assert len(set(COLOURS.values())) == len(CardState)


@pytest.mark.parametrize("letter", ["x", "*", "@", "\U0001f525"])
def test_the_longest_prompt_fits_and_its_figures_are_still_there(letter: str) -> None:
    embed = embed_of(card(job(succeeded(), values={"prompt": letter * 4000})), hint="h" * 200)

    assert len(embed) <= 4096
    assert "seed 7" in (embed.description or "")


def test_ten_pictures_and_every_button_fit_below_one_message() -> None:
    many = replace(card(job(succeeded())), images=tuple(ImageKey(f"p{n}") for n in range(10)))

    view = view_of(many, has_original=True)

    assert view is not None
    rows = view.to_components()
    assert len(rows) <= 5
    assert all(len(row["components"]) <= 5 for row in rows)


def test_a_card_without_buttons_takes_away_what_was_there() -> None:
    bare = replace(card(job(queued())), buttons=())

    assert Drawing(card=bare).change()["view"] is None
    assert "view" not in Drawing(card=bare).new()


def test_long_words_are_split_and_no_line_is_lost() -> None:
    rows = tuple(f"{number} {'word ' * 40}".strip() for number in range(100))

    embeds = embeds_of(Reply(text="All of it:", lines=rows))

    text = "\n".join(embed.description or "" for embed in embeds)
    assert len(embeds) > 4
    assert all(len(embed.description or "") <= 4096 for embed in embeds)
    assert text.splitlines()[1:] == list(rows)


def test_running_figures_are_no_news_and_a_step_is() -> None:
    def at(step: Step, done: int) -> Look:
        return look_of(card(job(cold(step, done=done, total=34_500_000_000))))

    assert at(Step.MODELS, 10_000_000_000).reads_as(at(Step.MODELS, 10_100_000_000))
    assert not at(Step.MODELS, 10_000_000_000).reads_as(at(Step.MODELS, 20_000_000_000))
    assert not at(Step.COMFYUI, 0).reads_as(at(Step.MODELS, 0))


def test_a_guess_that_slips_is_news() -> None:
    def until(high: float) -> Look:
        return look_of(card(job(cold(eta=eta(120, high)))))

    assert until(240).reads_as(until(255))
    assert not until(240).reads_as(until(300))


def test_the_first_line_is_news_to_the_letter() -> None:
    assert not look_of(card(job(queued(2)))).reads_as(look_of(card(job(queued(1)))))
