"""Each way in which the cloud is known to say no."""

from typing import Any

import pytest

from orchestrator.adapters.clouds.lambda_labs.answers import Answer, asked_wait, launch_refusal, refusal
from orchestrator.adapters.clouds.lambda_labs.cloud import LAMBDA, LambdaCloud
from orchestrator.domain.errors import (
    AccountProblem,
    CloudError,
    CloudProtocolError,
    CloudUnavailable,
    LaunchUncertain,
    OfferGone,
    RateLimited,
)
from orchestrator.domain.ids import CloudRef
from orchestrator.ports.cloud import RentalState
from orchestrator.sandbox.lambda_labs import Trouble
from tests.adapters.lambda_labs.serving import Lambda
from tests.contract.cloud_suite import KEY, NEEDS, ORDER

# Codes: Lambda's API specification, 1.8.3; those with 429 and of regions are only in its prose.
REFUSALS: tuple[tuple[int, str, type[CloudError], type[CloudError]], ...] = (
    (400, "instance-operations/launch/insufficient-capacity", CloudProtocolError, OfferGone),
    (400, "global/object-does-not-exist", CloudProtocolError, OfferGone),
    (404, "global/object-does-not-exist", CloudProtocolError, OfferGone),
    (400, "global/quota-exceeded", AccountProblem, AccountProblem),
    (400, "global/invalid-parameters", CloudProtocolError, CloudProtocolError),
    (400, "instance-operations/launch/file-system-in-wrong-region", CloudProtocolError, OfferGone),
    (401, "global/invalid-api-key", AccountProblem, AccountProblem),
    (403, "global/account-inactive", AccountProblem, AccountProblem),
    (403, "global/invalid-address", AccountProblem, AccountProblem),
    (404, "", CloudProtocolError, CloudProtocolError),
    (408, "", CloudUnavailable, CloudUnavailable),
    (429, "global/quota-exceeded", RateLimited, RateLimited),
    (429, "", RateLimited, RateLimited),
    (400, "provider/internal-unavailable", CloudUnavailable, CloudUnavailable),
    (503, "provider/internal-unavailable", CloudUnavailable, CloudUnavailable),
    (500, "global/internal-error", CloudUnavailable, CloudUnavailable),
    (301, "", CloudProtocolError, CloudProtocolError),
)


def _answer(status: int, body: Any, **headers: str) -> Answer:
    return Answer(status=status, headers=headers, body=body, key="k3y")


def _error(code: str, **more: str) -> Any:
    return {"error": {"code": code, "message": "Words.", **more}} if code else None


@pytest.mark.parametrize(("status", "code", "of_a_read", "of_an_order"), REFUSALS)
def test_each_refusal_has_its_error(
    status: int, code: str, of_a_read: type[CloudError], of_an_order: type[CloudError]
) -> None:
    answer = _answer(status, _error(code))

    assert type(refusal(LAMBDA, answer, "list")) is of_a_read
    assert type(launch_refusal(LAMBDA, answer)) is of_an_order


def test_a_refusal_says_what_to_do_in_one_safe_line() -> None:
    told = _error("global/odd", suggestion="Ask k3y\nor \x1b[31m secret_box_0123 or " + "ab12" * 16)

    said = str(refusal(LAMBDA, _answer(400, told), "list"))

    assert said == "lambda: list: 400 global/odd: Words: Ask [hidden] or [31m [hidden] or [hidden]"


@pytest.mark.parametrize(
    ("said", "seconds"), [("17", 17), ("-3", 0), ("1e9", 3600), ("nan", None), ("soon", None), ("", None)]
)
def test_a_wait_is_believed_within_reason(said: str, seconds: float | None) -> None:
    assert asked_wait(_answer(429, None, **{"Retry-After": said})) == seconds


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.NO_CAPACITY, OfferGone),
        (Trouble.QUOTA, AccountProblem),
        (Trouble.INACTIVE, AccountProblem),
        (Trouble.KEY_GONE, OfferGone),
    ],
)
async def test_a_refused_order_has_bought_nothing(
    server: Lambda, cloud: LambdaCloud, trouble: Trouble, error: type[CloudError]
) -> None:
    offer = (await cloud.offers(NEEDS))[0]
    server.account.troubles.strike(trouble, times=1)

    with pytest.raises(error):
        await cloud.launch(offer, KEY, ORDER)

    assert await cloud.rentals() == ()
    assert await cloud.launch(offer, KEY, ORDER)


async def test_a_region_that_fails_may_have_sold_a_machine_all_the_same(server: Lambda, cloud: LambdaCloud) -> None:
    offer = (await cloud.offers(NEEDS))[0]
    server.account.troubles.strike(Trouble.REGION_DOWN, operations={"launch"})

    with pytest.raises(LaunchUncertain):
        await cloud.launch(offer, KEY, ORDER)


async def test_refusals_in_a_row_are_answered_with_more_patience(server: Lambda, cloud: LambdaCloud) -> None:
    pace = cloud._client._pace

    assert [pace.refused(None, is_launch=True) for _ in range(2)] == [12.0, 18.0]
    assert [pace.refused(None, is_launch=False) for _ in range(3)] == [1.0, 1.5, 2.25]
    await cloud.rentals()
    assert pace.refused(None, is_launch=False) == 1.0
    assert pace.refused(None, is_launch=True) == 27.0


async def test_a_machine_that_is_unhealthy_from_birth_is_given_up(server: Lambda, cloud: LambdaCloud) -> None:
    server.account.troubles.strike(Trouble.UNHEALTHY, times=1)
    ref = await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    states = await _states(cloud, ref)

    assert states == [RentalState.STARTING, RentalState.FAILED]


async def test_a_machine_is_not_running_before_it_has_an_address(server: Lambda, cloud: LambdaCloud) -> None:
    server.account.troubles.strike(Trouble.IP_LATE, times=3)
    ref = await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    assert await _states(cloud, ref) == [RentalState.STARTING, RentalState.RUNNING]


async def _states(cloud: LambdaCloud, ref: CloudRef) -> list[RentalState]:
    """The states that a machine goes through, each once, until it is no longer starting."""
    states: list[RentalState] = []
    while not states or states[-1] is RentalState.STARTING:
        rental = await cloud.rental(ref)
        assert rental is not None
        assert (rental.address is not None) == (rental.state is RentalState.RUNNING)
        states = list(dict.fromkeys([*states, rental.state]))
    return states


async def test_an_end_that_was_ignored_is_asked_for_again(server: Lambda, cloud: LambdaCloud) -> None:
    ref = await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)
    server.account.troubles.strike(Trouble.END_IGNORED, times=1)

    assert await cloud.terminate(ref)
    assert [rental.ref for rental in await cloud.rentals()] == [ref]
    assert await cloud.terminate(ref)


async def test_a_lost_listing_of_types_is_asked_for_once(server: Lambda, cloud: LambdaCloud) -> None:
    server.account.troubles.strike(Trouble.OUT_OF_ORDER, times=1)

    with pytest.raises(CloudUnavailable):
        await cloud.offers(NEEDS)

    assert await cloud.offers(NEEDS)
