"""A machine for somebody who seems about to ask: when it is started, and what becomes of it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.control.experience import MARKET
from orchestrator.domain.errors import InferenceFailed
from orchestrator.domain.inference import Capabilities, Price
from orchestrator.domain.instance import BLAMELESS, EndReason, Instance, InstanceState
from orchestrator.domain.job import JobState
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.advice import Advice, Adviser
from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.early import AT_MOST_EVERY, SOON, Hunches, is_worth_starting
from orchestrator.domain.policy.shadow import NEVER, Ask, Rule
from orchestrator.domain.session import SessionState
from tests.component.control.stage import IDLE, Stage, a_stage
from tests.component.control.test_bridging import Unlucky
from tests.contract.samples import ADA, BOB, NOW, a_job, a_session

DEAR = Unlucky(
    error=InferenceFailed("never asked"),
    capabilities=Capabilities(families=frozenset({"flux-schnell"}), price=Price(per_picture=MicroUsd(200_000))),
)
"""An API that takes so much that a machine is rented at the first request."""

SECOND = timedelta(seconds=1)
EVENINGS, PICTURES = 5, 20


async def used_to_ask(stage: Stage) -> None:
    """Somebody who, once they ask, goes on for twenty minutes: a machine is rented at their first request."""
    for evening in range(EVENINGS, 0, -1):
        begin = stage.clock.now() - timedelta(days=evening)
        for minute in range(PICTURES):
            at = begin + timedelta(minutes=minute)
            stage.shared.experience.ask(replace(a_job(), submitted_at=at))
    async with stage.shared.store.writing() as books:
        await books.sessions.add(a_session(state=SessionState.CLOSED), reason="test")
        await books.jobs.add(a_job(state=JobState.SUCCEEDED, acknowledged_at=stage.clock.now()), reason="test")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path, bridge=DEAR, policy=Auto(idle_timeout=IDLE), starts_early=True) as stage:
        await used_to_ask(stage)
        yield stage


async def live(stage: Stage) -> tuple[Instance, ...]:
    return tuple(each for each in await stage.instances() if each.state is not InstanceState.TERMINATED)


async def test_a_machine_is_planned_and_ended_without_a_request(stage: Stage) -> None:
    await stage.service.expect(ADA)
    await stage.look()
    (planned,) = await live(stage)
    assert planned.state is InstanceState.PLANNED

    await stage.look(SOON - SECOND)
    assert await live(stage) == (planned,)
    await stage.look(SECOND)

    (ended,) = [each for each in await stage.instances() if each.id == planned.id]
    assert (ended.state, ended.end_reason) == (InstanceState.TERMINATED, EndReason.NOT_ASKED)
    assert EndReason.NOT_ASKED in BLAMELESS
    await stage.look()
    assert await stage.session() is None


async def test_who_asks_in_time_keeps_it(stage: Stage) -> None:
    await stage.service.expect(ADA)
    await stage.look(SOON / 2)
    (planned,) = await live(stage)
    await stage.ask()
    await stage.look(SOON)

    assert await live(stage) == (planned,)


async def test_one_that_is_ready_by_then_says_until_when_it_stays_and_goes_then(stage: Stage) -> None:
    await stage.service.expect(ADA)
    await stage.look()
    await stage.make_ready()
    view = await stage.service.session(ADA)
    assert view is not None
    assert view.warm_until == stage.clock.now() + SOON

    await stage.look(SOON)

    (ended,) = await live(stage)
    assert (ended.state, ended.end_reason) == (InstanceState.TERMINATING, EndReason.NOT_ASKED)


async def test_one_that_is_lost_is_not_followed_by_another(stage: Stage) -> None:
    await stage.service.expect(ADA)
    await stage.look()
    await stage.lose(await stage.order())
    await stage.look(SECOND)
    assert not await live(stage)

    await stage.look(SOON)
    assert not await live(stage)
    assert await stage.session() is None


async def test_one_an_hour_is_enough(stage: Stage) -> None:
    await stage.service.expect(ADA)
    await stage.look(SOON)
    await stage.look()
    await stage.service.expect(ADA)
    await stage.look()
    assert not await live(stage)

    stage.clock.time += AT_MOST_EVERY
    await stage.service.expect(ADA)
    assert len(await live(stage)) == 1


async def test_strangers_and_who_waits_already_get_none(stage: Stage) -> None:
    await stage.service.expect(BOB)
    assert not await live(stage)

    await stage.ask()
    (planned,) = await live(stage)
    await stage.service.expect(ADA)
    assert await live(stage) == (planned,)


async def test_while_it_is_off_nothing_happens(tmp_path: Path) -> None:
    async with a_stage(tmp_path, bridge=DEAR, policy=Auto(idle_timeout=IDLE)) as stage:
        await used_to_ask(stage)
        await stage.service.expect(ADA)

        assert not await live(stage)


# Whether it is worth it. Pure.

AT_ONCE = Rule(requests=1, window_s=300, keep_s=120)


def advised(rule: Rule = AT_ONCE, *, is_break_even: bool = False) -> Advice:
    plain = Adviser(IDLE).ask("ada", Ask(at=NOW.timestamp(), bridge_usd=0.02), MARKET)
    return replace(plain, rule=rule, is_break_even=is_break_even)


@pytest.mark.parametrize(
    ("advice", "hunches", "requests", "is_worth_it"),
    [
        (advised(), Hunches(), 3, True),
        (advised(), Hunches(), 2, False),
        (advised(), Hunches(followed=8), 1, True),
        (advised(), Hunches(missed=8), 9, False),
        (advised(replace(AT_ONCE, requests=2)), Hunches(), 9, False),
        (advised(replace(AT_ONCE, requests=NEVER)), Hunches(), 9, False),
        (advised(is_break_even=True), Hunches(), 9, False),
        (None, Hunches(), 9, False),
    ],
)
def test_it_is_worth_it_where_the_api_would_take_more_than_starts_for_nothing(
    advice: Advice | None, hunches: Hunches, requests: int, is_worth_it: bool
) -> None:
    assert is_worth_starting(advice, hunches, bridge_usd=0.02, requests=requests) is is_worth_it


async def test_who_never_asks_after_seeming_to_is_no_longer_believed(stage: Stage) -> None:
    experience, now = stage.shared.experience, stage.clock.now()
    believed = [experience.expect(ADA, now + timedelta(minutes=2 * number)) for number in range(200)]

    assert believed[0]
    assert not believed[-1]
