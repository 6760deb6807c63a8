"""Caps: those of the settings until an admin changes one, for good."""

from pathlib import Path

import pytest

from orchestrator.domain.errors import RequestError
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.spend import Caps
from tests.component.control.stage import Stage, a_stage

SETTINGS = Caps(person_day=MicroUsd(2_000_000), day=MicroUsd(5_000_000), month=None)


async def limits(stage: Stage) -> dict[str, int | None]:
    return {cap.name: cap.limit for cap in await stage.service.caps()}


async def test_what_an_admin_changed_outlasts_a_restart(tmp_path: Path) -> None:
    async with a_stage(tmp_path, caps=SETTINGS) as stage:
        await stage.service.set_cap("day", MicroUsd(9_000_000))
        await stage.service.set_cap("person_day", None)

    async with a_stage(tmp_path, caps=SETTINGS) as stage:
        assert await limits(stage) == {"person_day": None, "day": 9_000_000, "month": None}


async def test_a_cap_of_that_name_there_must_be(tmp_path: Path) -> None:
    async with a_stage(tmp_path, caps=SETTINGS) as stage:
        with pytest.raises(RequestError, match="unknown_cap"):
            await stage.service.set_cap("week", MicroUsd(1))


async def test_a_changed_cap_is_the_one_that_counts(tmp_path: Path) -> None:
    async with a_stage(tmp_path, caps=SETTINGS) as stage:
        await stage.ask(key="free")
        await stage.service.set_cap("day", MicroUsd(1))
        machine = await stage.order()
        async with stage.shared.store.writing() as books:
            await books.instances.change(machine, stage.reserve(machine, MicroUsd(10)), reason="test")
        with pytest.raises(RequestError, match="over_budget"):
            await stage.ask(key="dear")
