"""What goes wrong at Replicate, and which error of ours it becomes at what cost."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.adapters.inference.replicate.answers import AnswerLost
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.domain.errors import (
    ApiOff,
    InferenceError,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    PictureFiltered,
)
from orchestrator.sandbox.replicate import Trouble
from tests.adapters.replicate.jobs import a_job
from tests.contract.inference_suite import INTRUDERS_KEY, an_attempt, failure_of
from tests.contract.replicate_stage import IMPATIENT, KEY, QUICK, ReplicateStage

PRICE = 3000

ERRORS: dict[Trouble, tuple[type[InferenceError], int]] = {
    Trouble.THROTTLED: (InferenceUnavailable, 0),
    Trouble.NO_ROOM: (InferenceUnavailable, 0),
    Trouble.NO_MONEY: (ApiOff, 0),
    Trouble.MODEL_GONE: (ApiOff, 0),
    Trouble.INVALID: (InferenceFailed, 0),
    Trouble.UNLISTED: (InferenceUncertain, PRICE),
    Trouble.SILENT: (InferenceUncertain, PRICE),
    Trouble.GARBLED: (InferenceUncertain, PRICE),
    Trouble.TOO_LONG: (InferenceUncertain, PRICE),
    Trouble.OUT_OF_ORDER: (InferenceUncertain, PRICE),
    Trouble.STUCK: (InferenceFailed, PRICE),
    Trouble.ENDLESS: (InferenceFailed, PRICE),
    Trouble.ABORTED: (InferenceFailed, 0),
    Trouble.CANCELED: (InferenceFailed, PRICE),
    Trouble.FAILS: (InferenceFailed, 0),
    Trouble.FILTERED: (PictureFiltered, 0),
    Trouble.TOO_FEW: (InferenceFailed, 0),
    Trouble.DATA_REMOVED: (InferenceFailed, PRICE),
    Trouble.NO_PICTURE: (InferenceFailed, PRICE),
}


def limits_for(trouble: Trouble) -> Limits:
    """What never comes is waited for shortly; what is answered may take as long as this computer needs."""
    if trouble in {Trouble.SILENT, Trouble.STUCK}:
        return IMPATIENT
    return replace(IMPATIENT, order=QUICK.order, read=QUICK.read, download=QUICK.download)


@pytest.mark.parametrize("trouble", [it for it in Trouble if it in ERRORS])
async def test_each_trouble_is_the_error_that_says_what_to_do_next(stage: ReplicateStage, trouble: Trouble) -> None:
    error, cost = ERRORS[trouble]
    stage.account.troubles.strike(trouble)

    told = await failure_of(stage.open(limits=limits_for(trouble)).generate(an_attempt(a_job())))

    assert isinstance(told, error)
    assert not isinstance(told, AnswerLost), "it would read as if nothing had been ordered"
    assert told.cost == cost
    assert KEY not in str(told)


@pytest.mark.parametrize("trouble", [it for it in Trouble if it not in ERRORS])
async def test_what_is_no_more_than_odd_becomes_a_picture_all_the_same(stage: ReplicateStage, trouble: Trouble) -> None:
    stage.account.troubles.strike(trouble)

    made = await stage.api.generate(an_attempt(a_job()))

    assert len(made.pictures) == 1
    assert made.cost == PRICE == await stage.charged()


async def test_the_wait_of_a_refusal_is_read_from_its_text(stage: ReplicateStage) -> None:
    stage.account.troubles.strike(Trouble.THROTTLED)

    with pytest.raises(InferenceUnavailable) as caught:
        await stage.api.generate(an_attempt(a_job()))

    assert caught.value.retry_after == timedelta(seconds=30)


async def test_a_short_wait_is_waited_where_others_of_the_job_may_be_made_already(stage: ReplicateStage) -> None:
    stage.account.troubles.strike(Trouble.THROTTLED, times=1)
    stage.account.wait_s = 0

    made = await stage.api.generate(an_attempt(a_job(count=2)))

    assert len(made.pictures) == 2
    assert await stage.orders() == 3


async def test_what_waits_too_long_is_stopped_there(stage: ReplicateStage) -> None:
    stage.account.troubles.strike(Trouble.STUCK)
    stage.account.troubles.strike(Trouble.SLOW)

    with pytest.raises(InferenceFailed, match="does not get on"):
        await stage.api.generate(an_attempt(a_job()))

    assert [it.status for it in stage.account.predictions.values()] == ["canceled"]


async def test_an_outage_while_it_is_made_is_waited_out(stage: ReplicateStage) -> None:
    stage.account.troubles.strike(Trouble.SLOW)

    async def note_ref(_: str) -> None:
        stage.account.troubles.strike(Trouble.OUT_OF_ORDER, times=3)

    made = await stage.api.generate(an_attempt(a_job(), note_ref=note_ref))

    assert len(made.pictures) == 1


async def test_a_refused_key_is_not_in_the_text(stage: ReplicateStage) -> None:
    for asking in (stage.intruder.probe, lambda: stage.intruder.generate(an_attempt(a_job()))):
        with pytest.raises(ApiOff) as caught:
            await asking()
        assert "REPLICATE_API_TOKEN" in str(caught.value)
        assert INTRUDERS_KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["", "two words", "sch\u00f6n", "a\nb"])
async def test_what_is_no_key_is_not_sent(stage: ReplicateStage, key: str) -> None:
    with pytest.raises(ApiOff):
        await stage.open(key=key).generate(an_attempt(a_job()))

    assert await stage.orders() == 0


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.MODEL_GONE, ApiOff),
        (Trouble.OUT_OF_ORDER, InferenceUnavailable),
        (Trouble.GARBLED, InferenceUnavailable),
        (Trouble.SILENT, InferenceUnavailable),
    ],
)
async def test_a_probe_costs_nothing_and_tells_what_is_wrong(
    stage: ReplicateStage, trouble: Trouble, error: type[InferenceError]
) -> None:
    await stage.api.probe()
    stage.account.troubles.strike(trouble)

    with pytest.raises(error):
        await stage.open(limits=IMPATIENT).probe()

    assert await stage.charged() == 0


async def test_the_api_is_told_when_to_stop_by_itself(stage: ReplicateStage) -> None:
    await stage.open(limits=replace(QUICK, run=timedelta(seconds=70))).generate(an_attempt(a_job()))

    (ordered,) = stage.account.predictions.values()
    assert ordered.deadline is not None
    assert ordered.deadline - ordered.created_at == timedelta(seconds=70)
