"""What people keep beside their jobs, over the real store."""

from pathlib import Path

import pytest

from orchestrator.adapters.database.store import open_store_inline
from orchestrator.api import Preset, RequestError, UserId
from orchestrator.control.people import People
from orchestrator.domain.people import MOST_PRESETS
from tests.contract.samples import HandClock

ADA = UserId("web:ada")


async def test_presets_are_bounded_and_one_that_exists_can_still_be_changed(tmp_path: Path) -> None:
    async with open_store_inline(tmp_path / "books.db", HandClock()) as store:
        people = People(store)
        for number in range(MOST_PRESETS):
            await people.save_preset(ADA, Preset(name=f"p{number:02}", options="--steps 2"))

        with pytest.raises(RequestError, match="too_many_presets"):
            await people.save_preset(ADA, Preset(name="one-more", options="--steps 2"))
        await people.save_preset(ADA, Preset(name="p00", options="--steps 3"))

        presets = await people.presets(ADA)
        assert len(presets) == MOST_PRESETS
        assert presets[0] == Preset(name="p00", options="--steps 3")
        assert await people.remove_preset(ADA, "p00")
