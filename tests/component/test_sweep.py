"""A sweep over several clouds of which one is down."""

import pytest
import typer

from orchestrator.cli.sweep import _find, _Ground
from orchestrator.domain.ids import LaunchKey
from tests.component.control.fleet import Fleet
from tests.contract.samples import OTHER_CLOUD, VAST, HandClock

KEY = LaunchKey("glowplug-abcd1234-1-i1")


def ground(*, is_other_up: bool, is_up: bool = True) -> _Ground:
    fleet, other = Fleet(clock=HandClock()), Fleet(clock=HandClock())
    fleet.rent(KEY)
    fleet.is_up, other.is_up = is_up, is_other_up
    return _Ground(clouds={VAST: fleet, OTHER_CLOUD: other}, own=frozenset(), store=None, has_bot=False)


async def test_a_cloud_that_is_down_hides_no_machine_of_another() -> None:
    found, is_complete = await _find(ground(is_other_up=False), any_installation=True)

    assert [machine.rental.label for machine in found] == [KEY]
    assert not is_complete


async def test_every_cloud_that_answers_makes_it_complete() -> None:
    _, is_complete = await _find(ground(is_other_up=True), any_installation=True)

    assert is_complete


async def test_where_no_cloud_answers_nothing_is_proved() -> None:
    with pytest.raises(typer.Exit):
        await _find(ground(is_other_up=False, is_up=False), any_installation=True)
