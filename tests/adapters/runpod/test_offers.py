"""What is on offer: kinds of machines, at whose place, for how much."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.adapters.clouds.registry import CLOUDS
from orchestrator.adapters.clouds.runpod import asking, wire
from orchestrator.adapters.clouds.runpod.asking import Kind, Tier
from orchestrator.adapters.clouds.runpod.cloud import RUNPOD, RunPodCloud
from orchestrator.domain.errors import CloudProtocolError
from orchestrator.domain.ids import LaunchKey, OfferId
from orchestrator.ports.cloud import LaunchOrder
from tests.adapters.runpod.world import KEY, World
from tests.contract.cloud_suite import NEEDS
from tests.contract.samples import NOW, an_offer

GPU: dict[str, Any] = {
    "id": "NVIDIA GeForce RTX 4090",
    "name": "RTX 4090",
    "pool": "ADA_24",
    "manufacturer": "NVIDIA",
    "memory": 24,
    "secure": True,
    "community": True,
    "price": {"secure": 0.44, "community": 0.31, "serverless": 1.1},
    "maxCount": {"secure": 8, "community": 4},
    "availability": "HIGH",
}


def offered(changes: Mapping[str, object]) -> list[str]:
    return [offer.id for offer in wire.read_offers(RUNPOD, {"gpus": [{**GPU, **changes}]}, Tier.SECURE, NEEDS)]


def test_a_kind_is_offered_once_in_each_tier_at_its_price() -> None:
    (secure,) = wire.read_offers(RUNPOD, {"gpus": [GPU]}, Tier.SECURE, NEEDS)
    (community,) = wire.read_offers(RUNPOD, {"gpus": [GPU]}, Tier.COMMUNITY, NEEDS)

    assert (secure.tariff.running, community.tariff.running) == (440_000, 310_000)
    assert secure.tariff.always == community.tariff.always == round(60 * 0.10 / 720 * 1_000_000)
    assert secure.is_kind
    assert secure.reliability > community.reliability
    assert (secure.vram_mib, secure.compute_capability) == (24 * 1024, 8.9)


@pytest.mark.parametrize(
    "changes",
    [
        {"availability": "NONE"},
        {"availability": None},
        {"secure": False},
        {"price": {"secure": None, "community": 0.31}},
        {"price": {"secure": 0, "community": 0.31}},
        {"manufacturer": "AMD"},
        {"memory": 16},
        {"id": "Tesla P40"},
    ],
)
def test_what_cannot_be_had_or_will_not_do_is_left_out(changes: dict[str, object]) -> None:
    assert offered(changes) == []


def test_a_card_that_is_new_to_us_is_left_to_the_machine_itself() -> None:
    assert offered({"id": "NVIDIA GeForce RTX 9090"}) == ["SECURE/NVIDIA GeForce RTX 9090"]


def test_a_type_that_cannot_be_read_does_not_hide_the_others() -> None:
    broken = {**GPU, "memory": "24"}

    assert len(wire.read_offers(RUNPOD, {"gpus": [broken, GPU]}, Tier.SECURE, NEEDS)) == 1
    with pytest.raises(CloudProtocolError, match="memory"):
        wire.read_offers(RUNPOD, {"gpus": [broken]}, Tier.SECURE, NEEDS)


def test_an_order_insists_on_the_cuda_that_was_asked_for() -> None:
    (offer,) = wire.read_offers(RUNPOD, {"gpus": [GPU]}, Tier.SECURE, replace(NEEDS, cuda=12.8))
    order = LaunchOrder(image="i", disk_gib=5, ssh_public_key="ssh-ed25519 AAAA somebody")

    body = asking.order_body(LaunchKey("k"), offer, order, url="https://x", ordered_at=NOW)

    assert body["gpu"] == {"id": "NVIDIA GeForce RTX 4090", "count": 1, "minCudaVersion": "12.8"}
    assert body["disk"] == 20
    assert body["env"] == {"PUBLIC_KEY": "ssh-ed25519 AAAA"}
    assert "startSsh" not in body


@pytest.mark.parametrize("offer", ["7300000", "ALL/NVIDIA L40S", ""])
def test_an_offer_of_another_cloud_is_no_kind(offer: str) -> None:
    with pytest.raises(ValueError, match="valid Tier"):
        asking.kind_of(OfferId(an_offer(offer).id))


def test_a_kind_is_read_as_it_was_written() -> None:
    kind = Kind(tier=Tier.COMMUNITY, gpu="NVIDIA A100 80GB PCIe")

    assert asking.kind_of(kind.id) == kind


async def test_the_registered_cloud_opens_under_its_name(runpod: World, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        cloud = CLOUDS[RUNPOD](url=runpod.url, key=KEY, session=session, folder=tmp_path)

        assert cloud.name == RUNPOD
        assert (await cloud.account()).balance == 25_000_000


async def test_stock_follows_the_driver_that_is_asked_for(cloud: RunPodCloud) -> None:
    assert len(await cloud.offers(NEEDS)) > 0
    assert await cloud.offers(replace(NEEDS, cuda=99.0)) == ()
