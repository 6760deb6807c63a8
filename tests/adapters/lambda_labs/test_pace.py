"""Turns, on our side and on theirs; no test here waits for the cloud's real intervals."""

import asyncio
from itertools import pairwise

import aiohttp
import pytest

from orchestrator.adapters.clouds.exchange import TooLate
from orchestrator.adapters.clouds.lambda_labs import asking
from orchestrator.adapters.clouds.lambda_labs.cloud import LambdaCloud
from orchestrator.adapters.clouds.lambda_labs.limits import CALL_INTERVAL_S, LAUNCH_INTERVAL_S, Claim
from orchestrator.adapters.clouds.lambda_labs.pace import Pace
from orchestrator.domain.errors import RateLimited
from orchestrator.sandbox.lambda_labs import Trouble
from tests.adapters.lambda_labs.conftest import OpenLambda
from tests.adapters.lambda_labs.serving import KEY as ACCOUNT_KEY
from tests.adapters.lambda_labs.serving import SPEED, Lambda, serving
from tests.contract.cloud_suite import KEY, NEEDS, ORDER, OTHER_KEY

TINY = 0.003


async def _took_turns(pace: Pace, *wanted: tuple[Claim, bool]) -> list[tuple[float, Claim]]:
    """Ask for all turns at once, in this order; each is a claim, and whether it is for an order."""
    turns: list[tuple[float, Claim]] = []
    loop = asyncio.get_running_loop()

    async def take(claim: Claim, is_launch: bool) -> None:
        await pace.turn(claim, is_launch=is_launch, within_s=60)
        turns.append((loop.time(), claim))

    async with asyncio.TaskGroup() as tasks:
        for claim, is_launch in wanted:
            tasks.create_task(take(claim, is_launch))
    return turns


@pytest.mark.parametrize(("is_launch", "interval_s"), [(False, CALL_INTERVAL_S), (True, LAUNCH_INTERVAL_S)])
async def test_calls_keep_their_distance_and_orders_a_greater_one(is_launch: bool, interval_s: float) -> None:
    turns = await _took_turns(Pace(TINY), *[(Claim.USUAL, is_launch)] * 3)

    assert all(later - earlier >= interval_s * TINY for (earlier, _), (later, _) in pairwise(turns))


async def test_ending_a_machine_goes_before_asking_about_one() -> None:
    usual, ends = (Claim.USUAL, False), (Claim.ENDS_SPENDING, False)

    turns = await _took_turns(Pace(TINY), usual, usual, usual, ends, ends)

    assert [claim for _, claim in turns] == [Claim.USUAL, *[Claim.ENDS_SPENDING] * 2, *[Claim.USUAL] * 2]


async def test_an_order_that_waits_keeps_nobody_else() -> None:
    pace = Pace(1.0)
    await pace.turn(Claim.USUAL, is_launch=True, within_s=0)

    with pytest.raises(TooLate) as late:
        await pace.turn(Claim.USUAL, is_launch=True, within_s=5)
    with pytest.raises(TooLate) as soon:
        await pace.turn(Claim.USUAL, is_launch=False, within_s=0)

    assert CALL_INTERVAL_S < late.value.wait_s <= LAUNCH_INTERVAL_S
    assert 0 < soon.value.wait_s <= CALL_INTERVAL_S


async def test_a_call_that_would_wait_too_long_says_so_and_is_not_sent(server: Lambda, open_lambda: OpenLambda) -> None:
    """What the cloud asked for once is kept to by everybody who shares the adapter."""
    cloud = open_lambda(pace=1.0)
    server.account.troubles.strike(Trouble.TOO_OFTEN, times=1)
    with pytest.raises(RateLimited):
        await cloud.offers(NEEDS)

    with pytest.raises(RateLimited, match="next turn") as held:
        await cloud.account()

    assert 15 < held.value.retry_after.total_seconds() <= 17


async def test_the_sandbox_refuses_a_second_call_in_one_second_and_a_second_order_in_twelve() -> None:
    now = 1_000_000.0

    async with serving(has_limits=True, now=lambda: now) as server, aiohttp.ClientSession() as session:
        cloud = LambdaCloud(url=server.url, key=ACCOUNT_KEY, session=session, pace=0)
        server.account.add_key("laptop", ORDER.ssh_public_key)

        offers = await cloud.offers(NEEDS)
        with pytest.raises(RateLimited):
            await cloud.rentals()
        now += 1.01 / SPEED
        await cloud._registered(asking.plain_key(ORDER))
        now += 1.01 / SPEED
        await cloud.launch(offers[0], KEY, ORDER)
        now += 1.01 / SPEED
        with pytest.raises(RateLimited):
            await cloud.launch(offers[1], OTHER_KEY, ORDER)
        now += 12.01 / SPEED
        await cloud.launch(offers[1], OTHER_KEY, ORDER)

    assert len(server.account.ordered) == 2
