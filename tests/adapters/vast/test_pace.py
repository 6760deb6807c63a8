"""Turns; no test here waits for the cloud's real intervals."""

import asyncio
from itertools import pairwise

import pytest

from orchestrator.adapters.clouds.exchange import TooLate
from orchestrator.adapters.clouds.vast.cloud import VastCloud
from orchestrator.adapters.clouds.vast.limits import ACCOUNT, LAUNCH, SEARCH, SHOW, TERMINATE, Endpoint
from orchestrator.adapters.clouds.vast.pace import Pace
from orchestrator.domain.errors import RateLimited
from tests.adapters.vast.conftest import OpenVast
from tests.adapters.vast.scripted import Reply, ScriptedVast
from tests.contract.cloud_suite import NEEDS

TINY = 0.004
"""Two to twenty milliseconds for the cloud's half to five seconds."""


async def _took_turns(pace: Pace, *endpoints: Endpoint) -> list[tuple[float, Endpoint]]:
    """Ask for all turns at once, in this order."""
    turns: list[tuple[float, Endpoint]] = []
    loop = asyncio.get_running_loop()

    async def take(endpoint: Endpoint) -> None:
        await pace.turn(endpoint, within_s=60)
        turns.append((loop.time(), endpoint))

    async with asyncio.TaskGroup() as tasks:
        for endpoint in endpoints:
            tasks.create_task(take(endpoint))
    return turns


async def test_calls_of_one_endpoint_keep_their_distance() -> None:
    turns = await _took_turns(Pace(TINY), *[LAUNCH] * 4)

    times = [at for at, _ in turns]
    assert all(later - earlier >= LAUNCH.interval_s * TINY for earlier, later in pairwise(times))


async def test_endpoints_do_not_wait_for_one_another() -> None:
    pace = Pace(1.0)

    for endpoint in (SEARCH, LAUNCH, SHOW, ACCOUNT):
        await pace.turn(endpoint, within_s=0)


async def test_ending_a_machine_goes_before_asking_about_one() -> None:
    turns = await _took_turns(Pace(TINY), SHOW, SHOW, SHOW, TERMINATE, TERMINATE)

    assert [endpoint.interval_s for _, endpoint in turns] == [2.0, 3.0, 3.0, 2.0, 2.0]


async def test_a_turn_that_comes_too_late_is_refused_at_once() -> None:
    pace = Pace(1.0)
    await pace.turn(LAUNCH, within_s=0)

    with pytest.raises(TooLate) as late:
        await pace.turn(LAUNCH, within_s=1.0)

    assert 0 < late.value.wait_s <= LAUNCH.interval_s


async def test_a_cancelled_turn_leaves_its_place_to_the_next() -> None:
    pace = Pace(1.0)
    await pace.turn(LAUNCH, within_s=0)
    waiting = asyncio.ensure_future(pace.turn(LAUNCH, within_s=60))  # noqa: TID251 - cancelled right here
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])

    with pytest.raises(TooLate) as late:
        await pace.turn(LAUNCH, within_s=0)

    assert late.value.wait_s <= LAUNCH.interval_s


async def test_a_cloud_that_does_not_mind_is_asked_at_once() -> None:
    pace = Pace(0)

    for _ in range(50):
        await pace.turn(SEARCH, within_s=0)


async def test_a_call_that_would_wait_too_long_says_so_and_is_not_sent(vast: ScriptedVast, open_vast: OpenVast) -> None:
    """What the cloud asked for once is kept to by everybody who shares the adapter."""
    cloud: VastCloud = open_vast(pace=1.0)
    vast.script("search", Reply(status=429, body=b"", headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited):
        await cloud.offers(NEEDS)

    with pytest.raises(RateLimited) as held:
        await cloud.offers(NEEDS)

    assert vast.count("search") == 1
    assert 3590 < held.value.retry_after.total_seconds() <= 3600
