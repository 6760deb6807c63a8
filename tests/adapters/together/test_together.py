"""What the contract suite does not ask of the adapter for Together."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.adapters.inference.registry import APIS
from orchestrator.adapters.inference.together.refusals import refusal_of
from orchestrator.adapters.inference.together.wire import USUAL, Model, models_of, schnell_of
from orchestrator.adapters.once import Answer
from orchestrator.domain.errors import (
    ApiOff,
    GraphRejected,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    PictureFiltered,
)
from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Access
from orchestrator.sandbox.together import TogetherTrouble
from tests.contract.inference_suite import JOB, WORKFLOW, an_attempt
from tests.contract.together_stage import KEY, TogetherStage

SMALL = {**JOB.values, "width": 256, "height": 256}
COST = MicroUsd(177)
"""Of one small picture: 0.065536 megapixels at $0.0027."""


def a_job(**values: str | int) -> Job:
    return replace(JOB, values={**SMALL, **values})


def told(status: int, message: str = "", code: str | None = None, **headers: str) -> Exception:
    raw = b'{"error": {"message": "%s", "type": "x", "code": %s}}' % (
        message.encode(),
        b"null" if code is None else b'"%s"' % code.encode(),
    )
    answer = Answer(status=status, headers=headers, raw=raw)
    return refusal_of(answer, key=KEY, model=USUAL, cost=COST)


async def test_more_than_four_pictures_take_more_calls_with_seeds_of_their_own(stage: TogetherStage) -> None:
    paintings: list[Painting] = []

    made = await stage.api.generate(an_attempt(a_job(count=6), on_progress=paintings.append))

    assert len(set(made.pictures)) == 6
    assert stage.office.orders == 2
    assert [it.done for it in paintings] == [4, 6]


async def test_what_was_paid_before_a_later_call_failed_stays_in_the_books(stage: TogetherStage) -> None:
    def overload(_: Painting) -> None:
        stage.office.troubles.strike(TogetherTrouble.OVERLOADED)

    with pytest.raises(InferenceFailed) as told:
        await stage.api.generate(an_attempt(a_job(count=6), on_progress=overload))

    assert told.value.cost == pytest.approx(4 * COST, abs=4)


async def test_more_steps_cost_more_and_fewer_cost_the_same(stage: TogetherStage) -> None:
    few, usual, many = [(await stage.api.generate(an_attempt(a_job(steps=n)))).cost for n in (1, 4, 12)]

    assert (few, usual) == (COST, COST)
    assert many == pytest.approx(3 * COST, abs=3)
    assert stage.api.capabilities.estimate(a_job(steps=12)) == many


async def test_a_jpeg_is_taken_as_it_is_where_a_png_was_wished_for(stage: TogetherStage) -> None:
    stage.office.troubles.strike(TogetherTrouble.JPEG)

    made = await stage.api.generate(an_attempt(a_job()))

    assert made.pictures[0].startswith(b"\xff\xd8\xff")


async def test_a_black_picture_is_one_that_was_kept_back_and_paid(stage: TogetherStage) -> None:
    stage.office.troubles.strike(TogetherTrouble.BLACK)

    with pytest.raises(PictureFiltered) as told:
        await stage.api.generate(an_attempt(a_job()))

    assert told.value.cost == COST == await stage.charged()


async def test_the_model_that_the_list_has_is_the_one_that_is_ordered(stage: TogetherStage) -> None:
    await stage.api.probe()

    await stage.api.generate(an_attempt(a_job(negative="hands")))

    assert stage.api.capabilities.can_make(WORKFLOW, a_job(negative="hands"))


async def test_an_account_without_schnell_is_told_what_there_is(stage: TogetherStage) -> None:
    stage.office.troubles.strike(TogetherTrouble.MODEL_GONE)

    with pytest.raises(ApiOff, match=r"FLUX\.2-dev"):
        await stage.api.probe()


def test_the_usual_schnell_is_taken_before_another_and_a_free_one_last() -> None:
    usual, turbo, free, chat = (
        Model(id=USUAL, type="image"),
        Model(id="someone/flux-schnell-turbo", type="image"),
        Model(id=f"{USUAL}-Free", type="image"),
        Model(id="someone/FLUX-schnell-captions", type="chat"),
    )

    assert schnell_of((free, turbo, usual, chat)) == usual.id
    assert schnell_of((free, turbo, chat)) == turbo.id
    assert schnell_of((free, chat)) == free.id
    assert schnell_of((chat,)) is None


def test_entries_that_are_not_understood_are_no_models() -> None:
    assert models_of([{"id": "a", "type": "image"}, {"name": "b"}, "c", None]) == (Model(id="a", type="image"),)


@pytest.mark.parametrize("name", ["width", "height"])
@pytest.mark.parametrize("side", [240, 1800, 1000])
def test_sizes_that_it_does_not_make_are_not_promised(stage: TogetherStage, name: str, side: int) -> None:
    assert not stage.api.capabilities.can_make(WORKFLOW, a_job(**{name: side}))


def test_a_lora_too_many_steps_or_another_model_are_not_promised(stage: TogetherStage) -> None:
    can_make = stage.api.capabilities.can_make

    assert can_make(WORKFLOW, a_job(steps=12))
    assert not can_make(WORKFLOW, a_job(lora="b0throps"))
    assert not can_make(WORKFLOW, a_job(steps=13))
    assert not can_make(replace(WORKFLOW, family="flux-2-dev"), a_job())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (told(202), InferenceUncertain),
        (told(307), InferenceUnavailable),
        (told(401, "Invalid API key"), ApiOff),
        (told(402, "Credit limit exceeded"), ApiOff),
        (told(403, "Your account has no payment method"), ApiOff),
        (told(404), ApiOff),
        (told(400, "retired", "model_not_available"), ApiOff),
        (told(400, f"Unable to access model {USUAL}"), ApiOff),
        (told(400, "The model is no longer offered"), ApiOff),
        (told(400, "width must be a multiple of 16"), GraphRejected),
        (told(400, "prompt flagged as NSFW"), PictureFiltered),
        (told(422, "rejected by content moderation"), PictureFiltered),
        (told(429), InferenceUnavailable),
        (told(503), InferenceUnavailable),
        (told(500, "Internal error while generating"), InferenceFailed),
        (told(504), InferenceUncertain),
    ],
)
def test_refusals_say_what_to_do_next(answer: Exception, error: type[Exception]) -> None:
    assert type(answer) is error


def test_the_time_to_ask_again_is_passed_on() -> None:
    unavailable = told(429, **{"Retry-After": "17"})

    assert isinstance(unavailable, InferenceUnavailable)
    assert unavailable.retry_after == timedelta(seconds=17)


def test_a_refusal_that_repeats_the_key_does_not_spread_it() -> None:
    assert KEY not in str(told(401, f"Invalid API key {KEY}"))


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
async def test_a_key_that_no_header_can_hold_is_told_and_not_sent(stage: TogetherStage, key: str) -> None:
    with pytest.raises(ApiOff, match="TOGETHER_API_KEY"):
        await stage.open(key).probe()


async def test_it_is_opened_by_its_name(stage: TogetherStage) -> None:
    access = Access(url=stage.url, key=KEY)

    api = APIS["together"](access, session=stage.session)

    assert api.name == "together"
    await api.probe()
