"""What is written down of a decision, and what other policies would have cost, on a clock moved by hand."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.control.decisions import decision_of
from orchestrator.domain.errors import InferenceFailed
from orchestrator.domain.ids import JobId
from orchestrator.domain.job import Preference
from orchestrator.domain.money import dollars
from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.fixed import Fixed
from tests.component.control.stage import IDLE, Stage, a_stage
from tests.component.control.test_bridging import PRICE, Unlucky
from tests.contract.samples import BOB, a_job

BRIDGE = Unlucky(error=InferenceFailed("never asked"))
HOUR = timedelta(hours=1)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path, bridge=BRIDGE, policy=Auto(idle_timeout=IDLE)) as stage:
        yield stage


async def test_a_decision_is_read_back_as_it_was_made(stage: Stage) -> None:
    decision = await stage.service.why(await stage.ask())

    assert decision is not None
    assert (decision.policy, decision.api, decision.obstacle) == ("auto", "Unlucky", "")
    assert decision.api_usd == dollars(PRICE)
    assert decision.requests == 1
    assert decision.bridge_usd == dollars(PRICE)
    assert not decision.rents
    assert decision.warm_until is None


@pytest.mark.parametrize(
    ("prefers", "values", "obstacle"),
    [(Preference.OWN, {}, "own"), (Preference.DEFAULT, {"lora": "b0throps"}, "lora"), (Preference.CHEAP, {}, "")],
)
async def test_it_says_what_no_api_could_do(
    stage: Stage, prefers: Preference, values: dict[str, Any], obstacle: str
) -> None:
    decision = await stage.service.why(await stage.ask(prefers=prefers, **values))

    assert decision is not None
    assert (decision.obstacle, decision.rents) == (obstacle, bool(obstacle))


async def test_a_fixed_rule_counts_by_its_own_window(tmp_path: Path) -> None:
    policy = Fixed(requests=3, window=timedelta(minutes=5), keep=timedelta(minutes=2), idle_timeout=IDLE)
    async with a_stage(tmp_path, bridge=BRIDGE, policy=policy) as stage:
        await stage.ask(key="long ago")
        stage.clock.time += HOUR
        await stage.ask(key="just now")
        decision = await stage.service.why(await stage.ask(key="now"))

    assert decision is not None
    assert (decision.policy, decision.within, decision.of) == ("fixed(3,300,120)", 2, 3)


async def test_what_is_no_longer_kept_is_not_made_up(stage: Stage) -> None:
    assert await stage.service.why(JobId("nobody knows it")) is None
    assert decision_of(a_job(), {"rents": 1}, warm_until=None) is None


async def test_before_anything_is_asked_for_there_is_no_shadow(stage: Stage) -> None:
    assert (await stage.service.policy()).shadow is None


async def test_the_shadow_is_what_others_would_have_cost_until_now(stage: Stage) -> None:
    await stage.ask()
    await stage.ask(user=BOB, key="k2")
    half, whole = IDLE / 2, 2 * IDLE
    stage.clock.time += half
    early = (await stage.service.policy()).shadow
    stage.clock.time += whole - half
    late = (await stage.service.policy()).shadow
    again = (await stage.service.policy()).shadow

    assert early is not None
    assert late is not None
    assert (late.requests, late.booked, again) == (2, 0, late)
    before, after = ({row.name: dollars(row.cost) for row in shadow.rows} for shadow in (early, late))
    usd_s = stage.shared.experience.belief.usd_s
    bridges = 2 * dollars(PRICE)
    assert after["auto"] == after["bridge-only"] == before["auto"] == pytest.approx(bridges)
    assert before["first-user"] == pytest.approx(bridges + 2 * half.total_seconds() * usd_s, abs=1e-5)
    assert after["first-user"] == pytest.approx(bridges + 2 * IDLE.total_seconds() * usd_s, abs=1e-5)
    assert after["always-on(24), one machine"] == pytest.approx(whole.total_seconds() * usd_s, abs=1e-5)
    assert late.rows[2].difference == late.rows[2].cost - late.rows[0].cost


async def test_the_shadow_counts_money_and_no_waiting(stage: Stage) -> None:
    await stage.ask(prefers=Preference.OWN)
    stage.clock.time += 10 * HOUR
    shadow = (await stage.service.policy()).shadow

    assert shadow is not None
    belief = stage.shared.experience.belief
    usd = {row.name: dollars(row.cost) for row in shadow.rows}
    most = belief.usd_s * (IDLE.total_seconds() + belief.cold_s + belief.paint_s)
    assert usd["auto"] < most
    assert usd["first-user"] < most


async def test_who_is_forgotten_has_no_decision(stage: Stage) -> None:
    job = await stage.ask()
    async with stage.shared.store.writing() as books:
        known = await stage.job(job)
        await books.jobs.change(known, replace(known, forgotten_at=stage.clock.now()), reason="test")

    assert await stage.service.why(job) is None
