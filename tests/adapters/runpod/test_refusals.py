"""Each way to say no, and what the caller is to do about it."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.adapters.clouds.runpod.answers import Answer, graphql_refusal, refusal
from orchestrator.adapters.clouds.runpod.cloud import MOST_REJECTED, RUNPOD, RunPodCloud
from orchestrator.adapters.clouds.runpod.limits import used_up
from orchestrator.domain.errors import (
    AccountProblem,
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    LaunchUncertain,
    OfferGone,
    RateLimited,
)
from orchestrator.sandbox.runpod import Trouble
from tests.adapters.runpod.world import World
from tests.contract.cloud_suite import KEY, NEEDS, ORDER


def answer(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body, key="rpa_secret")


def problem(status: int, detail: str, *errors: str) -> dict[str, Any]:
    return {"title": "Problem", "status": status, "detail": detail, "errors": list(errors)}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, CloudProtocolError),
        (401, AccountProblem),
        (402, AccountProblem),
        (403, AccountProblem),
        (404, CloudProtocolError),
        (408, CloudUnavailable),
        (409, CloudProtocolError),
        (413, CloudProtocolError),
        (422, CloudProtocolError),
        (429, RateLimited),
        (500, CloudUnavailable),
        (524, CloudUnavailable),
        (301, CloudProtocolError),
    ],
)
def test_each_status_says_what_to_do_next(status: int, error: type[CloudError]) -> None:
    assert type(refusal(RUNPOD, answer(status), "show")) is error


def test_what_breaks_the_schema_is_told_word_for_word() -> None:
    broken = problem(422, "does not match", "$: additional properties 'bogus' not allowed")

    assert "additional properties 'bogus' not allowed" in str(refusal(RUNPOD, answer(422, broken), "launch"))


def test_a_key_in_the_answer_does_not_come_back_in_the_message() -> None:
    told = str(refusal(RUNPOD, answer(403, problem(403, "rpa_secret and rpa_OTHER1 may not")), "show"))

    assert "rpa_" not in told


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7), ("-3", 0), ("soon", 15), ("nan", 15), ("1e9", 86_400), ("", 15)]
)
def test_a_rate_limit_says_when_to_ask_again(said: str, seconds: float) -> None:
    error = refusal(RUNPOD, answer(429, headers={"Retry-After": said}), "list")

    assert isinstance(error, RateLimited)
    assert error.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ('"minute";r=0;t=12, "hour";r=2940;t=3400', 12),
        ('"minute";r=0;t=12, "hour";r=0;t=3400', 3400),
        ('"minute";r=3;t=12', 0),
        ("what is this", 0),
        (None, 0),
    ],
)
def test_a_quota_that_is_used_up_is_read_from_any_answer(header: str | None, seconds: float) -> None:
    assert used_up(header) == seconds


def test_graphql_refuses_a_key_with_status_200() -> None:
    refused = answer(200, {"errors": [{"message": "Not authorized to perform this operation."}], "data": None})

    assert type(graphql_refusal(RUNPOD, refused, "account")) is AccountProblem
    assert type(graphql_refusal(RUNPOD, answer(200, {"errors": [{"message": "?"}]}), "account")) is CloudProtocolError


@pytest.mark.parametrize("body", [None, {"message": "no such route"}, "<html>"])
async def test_a_404_of_anything_but_the_api_itself_is_no_end_of_a_pod(body: object) -> None:
    assert not answer(404, body).is_gone
    assert answer(404, problem(404, "resource not found")).is_gone


@pytest.mark.parametrize("trouble", [Trouble.NO_CAPACITY, Trouble.NOT_ALLOWED])
async def test_a_kind_that_cannot_be_had_now_is_gone(runpod: World, cloud: RunPodCloud, trouble: Trouble) -> None:
    offers = await cloud.offers(NEEDS)
    runpod.troubles.strike(trouble)

    for offer in offers[: MOST_REJECTED + 1]:
        with pytest.raises(OfferGone):
            await cloud.launch(offer, KEY, ORDER)

    assert runpod.cloud.machines == {}


async def test_a_400_nobody_knows_is_the_markets_once_or_twice_and_then_ours(runpod: World, cloud: RunPodCloud) -> None:
    offers = await cloud.offers(NEEDS)
    runpod.troubles.strike(Trouble.RULE_BROKEN)

    for offer in offers[: MOST_REJECTED - 1]:
        with pytest.raises(OfferGone):
            await cloud.launch(offer, KEY, ORDER)
    with pytest.raises(CloudProtocolError, match="the combination of settings is not supported"):
        await cloud.launch(offers[MOST_REJECTED - 1], KEY, ORDER)

    runpod.troubles.recover()
    await cloud.launch(offers[0], KEY, ORDER)
    runpod.troubles.strike(Trouble.RULE_BROKEN, times=1)
    with pytest.raises(OfferGone):
        await cloud.launch(offers[0], KEY, ORDER)


async def test_no_credit_says_what_to_do(runpod: World, cloud: RunPodCloud) -> None:
    offer = (await cloud.offers(NEEDS))[0]
    runpod.troubles.strike(Trouble.NO_MONEY, times=1)

    with pytest.raises(AccountProblem, match="add credit"):
        await cloud.launch(offer, KEY, ORDER)


async def test_a_server_error_on_an_order_that_names_a_pod_tells_which(runpod: World, cloud: RunPodCloud) -> None:
    offer = (await cloud.offers(NEEDS))[0]
    runpod.troubles.strike(Trouble.ANSWER_5XX_NAMES_POD, times=1)

    with pytest.raises(LaunchUncertain) as uncertain:
        await cloud.launch(offer, KEY, ORDER)

    assert [rental.ref for rental in await cloud.rentals()] == [uncertain.value.ref]


async def test_after_the_last_call_of_a_window_nothing_is_sent_until_the_next(
    runpod: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cloud = runpod.open(pace=1)
    runpod.troubles.strike(Trouble.QUOTA_ENDS, times=1)
    await cloud.rentals()
    sent = len(runpod.seen)

    with pytest.raises(RateLimited) as limited:
        await cloud.account()

    assert timedelta(seconds=11) < limited.value.retry_after <= timedelta(seconds=12)
    assert len(runpod.seen) == sent
