"""``glowplug status`` beside a bot whose computer's clock was set."""

from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.database.store import open_store
from orchestrator.adapters.system import SystemClock, wall
from orchestrator.cli.status import _report
from orchestrator.control.sightings import note_listing
from orchestrator.settings import Settings
from tests.contract.samples import VAST

A_MINUTE = 60.0


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_was_set_does_not_change_how_long_ago_a_cloud_was_listed(tmp_path: Path, hours: int) -> None:
    """The bot's own clock goes on as it was while it has a machine; the command reads the computer's."""
    clock = SystemClock(wall=lambda: wall() - timedelta(hours=hours))
    async with open_store(tmp_path / "glowplug.sqlite3", clock) as store, store.writing() as books:
        await note_listing(books, VAST, clock.mark(), unknown=2)

    report = await _report(Settings.model_validate({"GLOWPLUG_DATA": tmp_path}))

    assert report["unknown_machines"] == 2
    assert 0 <= report["checked_s_ago"] < A_MINUTE
