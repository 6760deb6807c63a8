"""How the composition root gets its clouds."""

from pathlib import Path

import aiohttp
import pytest

from orchestrator.adapters.clouds.registry import CLOUDS
from orchestrator.adapters.clouds.vast.cloud import SANDBOX, VAST
from orchestrator.domain.money import micro_usd
from tests.adapters.vast.scripted import KEY, ScriptedVast


@pytest.mark.parametrize("name", [VAST, SANDBOX])
async def test_a_registered_cloud_opens_under_its_name(vast: ScriptedVast, name: str, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        cloud = next(CLOUDS[known] for known in CLOUDS if known == name)(
            url=vast.url, key=KEY, session=session, folder=tmp_path
        )

        assert cloud.name == name
        assert (await cloud.account()).balance == micro_usd(25)


async def test_a_sandbox_has_to_be_somewhere(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        assert CLOUDS[VAST](url=None, key=KEY, session=session, folder=tmp_path).name == VAST
        with pytest.raises(ValueError, match="no usual address"):
            CLOUDS[SANDBOX](url=None, key=KEY, session=session, folder=tmp_path)
