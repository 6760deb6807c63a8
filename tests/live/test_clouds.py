"""Each cloud that is configured, for real."""

from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from orchestrator.adapters.clouds.registry import CLOUDS
from orchestrator.adapters.clouds.vast.cloud import SANDBOX
from orchestrator.app import clouds_of
from orchestrator.cli.target import Target, choose
from orchestrator.domain.errors import AccountProblem
from orchestrator.domain.ids import CloudName
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.ports.cloud import CloudProvider
from orchestrator.settings import Settings
from tests.contract.cloud_suite import NEEDS
from tests.live.clouds import one_picture

pytestmark = [pytest.mark.live, pytest.mark.timeout(3 * 3600)]


@pytest.fixture(params=sorted({*CLOUDS} - {SANDBOX}))
def target(request: pytest.FixtureRequest, settings: Settings, cap_usd: float) -> Target:
    if request.param not in settings.cloud_keys():
        pytest.skip(f"{settings.variable_of_cloud(request.param)} is not set")
    target = choose(settings, request.param, cap_usd=cap_usd)
    if target.costs_money:
        return target
    bots = target.settings.model_copy(update={"data": Settings().data})  # machines of one's own know its key alone
    return replace(target, settings=bots)


@pytest.fixture
async def cloud(target: Target, http: aiohttp.ClientSession) -> CloudProvider:
    return (await clouds_of(target.settings, None, http))[CloudName(target.name)]


async def test_what_it_offers_meets_the_requirements(cloud: CloudProvider) -> None:
    for offer in await cloud.offers(NEEDS):
        assert offer.vram_mib >= NEEDS.vram_mib * VRAM_SLACK
        assert offer.disk_gib >= NEEDS.disk_gib
        assert offer.tariff.per_hour >= 0


async def test_its_listing_is_complete_and_its_account_is_told(cloud: CloudProvider) -> None:
    await cloud.rentals()
    await cloud.account()


async def test_a_refused_key_is_a_problem_of_the_account(target: Target, http: aiohttp.ClientSession) -> None:
    if not target.costs_money:
        pytest.skip("it has no key")
    folder = target.settings.data / "intruder"
    cloud = CLOUDS[CloudName(target.name)](url=None, key="0badc0de" * 8, session=http, folder=folder)
    with pytest.raises(AccountProblem):
        await cloud.rentals()


async def test_it_makes_one_picture_and_nothing_is_left(
    target: Target, cloud: CloudProvider, cap_usd: float, tmp_path: Path
) -> None:
    proof = await one_picture(target, cloud, tmp_path / "picture.png")

    assert proof.report["outcome"] == "succeeded"
    assert proof.report["terminated"]
    assert proof.report["cost_usd"] <= cap_usd
    assert proof.ended_by_hand == []
    assert proof.listings == [(), ()]
