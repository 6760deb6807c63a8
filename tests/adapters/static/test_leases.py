"""Who has which machine, whatever happens to the files."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from orchestrator.adapters.clouds.registry import CLOUDS
from orchestrator.adapters.clouds.static.cloud import STATIC, StaticCloud
from orchestrator.adapters.system import SystemClock
from orchestrator.domain.errors import CloudProtocolError, OfferGone
from orchestrator.domain.ids import CloudRef
from orchestrator.domain.instance import Address
from orchestrator.domain.offer import Requirements
from orchestrator.ports.cloud import RentalState
from tests.contract.cloud_suite import KEY, NEEDS, ORDER, OTHER_KEY

OpenStatic = Callable[..., StaticCloud]
ONE = "me@box:2222=RTX 3090"


@pytest.fixture
def parted() -> list[Address]:
    return []


@pytest.fixture
def open_static(tmp_path: Path, parted: list[Address]) -> OpenStatic:
    async def part(address: Address) -> None:
        parted.append(address)

    def build(hosts: str = ONE) -> StaticCloud:
        return StaticCloud(hosts=hosts, folder=tmp_path, clock=SystemClock(), part=part)

    return build


async def test_the_next_life_finds_who_has_what(open_static: OpenStatic) -> None:
    (offer,) = await open_static().offers(NEEDS)
    ref = await open_static().launch(offer, KEY, ORDER)

    later = open_static()

    (rental,) = await later.rentals()
    assert (rental.ref, rental.label, rental.price) == (ref, KEY, 0)
    assert rental.address == Address(host="box", port=2222, user="me")
    assert await later.offers(NEEDS) == ()


async def test_a_session_that_waited_takes_what_another_gave_up(open_static: OpenStatic) -> None:
    cloud = open_static()
    (offer,) = await cloud.offers(NEEDS)
    first = await cloud.launch(offer, KEY, ORDER)
    with pytest.raises(OfferGone, match="box:2222 works for another session"):
        await cloud.launch(offer, OTHER_KEY, ORDER)

    await cloud.terminate(first)
    second = await cloud.launch((await cloud.offers(NEEDS))[0], OTHER_KEY, ORDER)

    assert await cloud.rental(first) is None
    assert not await cloud.terminate(first)
    assert [rental.ref for rental in await cloud.rentals()] == [second]


async def test_a_machine_is_left_in_order_before_it_is_lent_again(
    open_static: OpenStatic, parted: list[Address]
) -> None:
    cloud = open_static()
    ref = await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    assert await cloud.terminate(ref)
    assert not await cloud.terminate(ref)

    assert parted == [Address(host="box", port=2222, user="me")]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"label": 3, "since": "2026-11-27T20:00:00+00:00"}', b"\xff"])
async def test_a_damaged_lease_is_an_error_and_never_an_absence(
    open_static: OpenStatic, tmp_path: Path, content: bytes
) -> None:
    cloud = open_static()
    ref = await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)
    file = tmp_path / "static" / "box:2222.json"
    file.write_bytes(content)

    for call in (cloud.rentals(), cloud.rental(ref), cloud.terminate(ref), cloud.offers(NEEDS), cloud.account()):
        with pytest.raises(CloudProtocolError, match="is damaged; remove it if no session uses that machine"):
            await call

    assert file.exists()


async def test_a_machine_that_left_the_settings_can_only_be_given_up(
    open_static: OpenStatic, parted: list[Address]
) -> None:
    before = open_static()
    (offer,) = await before.offers(NEEDS)
    ref = await before.launch(offer, KEY, ORDER)

    after = open_static("other=RTX 3090")

    (rental,) = await after.rentals()
    assert (rental.state, rental.address) == (RentalState.LOST, None)
    with pytest.raises(OfferGone, match="not among your machines any more"):
        await after.launch(offer, OTHER_KEY, ORDER)
    assert await after.terminate(ref)
    assert parted == []


async def test_a_card_that_is_too_small_or_too_old_is_no_offer(open_static: OpenStatic) -> None:
    cloud = open_static("big=RTX 3090,small=RTX 3060,old=Tesla P40,new=Odd Card 24GB")

    assert [offer.id for offer in await cloud.offers(NEEDS)] == ["big:22", "new:22"]
    assert len(await cloud.offers(Requirements(vram_mib=8_000, disk_gib=1))) == 4


async def test_a_machine_that_failed_is_tried_again_after_five_minutes(open_static: OpenStatic, tmp_path: Path) -> None:
    passed_s = 0.0
    clock = SystemClock(wall=lambda: datetime(2026, 11, 27, 20, 0, tzinfo=UTC), steady=lambda: passed_s)
    cloud = StaticCloud(hosts=ONE, folder=tmp_path, clock=clock, part=open_static()._part)
    names = []

    for passed_s in (0.0, 299.0, 301.0):  # noqa: B007 - the clock reads it
        (offer,) = await cloud.offers(NEEDS)
        names.append(offer.machine)

    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("ref", ["../leases#x", "box:2222", "", "#", "box:2222#"])
async def test_a_name_that_is_none_of_ours_is_nobody(open_static: OpenStatic, ref: str) -> None:
    assert await open_static().rental(CloudRef(ref)) is None
    assert not await open_static().terminate(CloudRef(ref))


async def test_the_setting_opens_the_registered_cloud(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        cloud = CLOUDS[STATIC](url=ONE, key="", session=session, folder=tmp_path)

        assert cloud.name == "static"
        assert len(await cloud.offers(NEEDS)) == 1
        with pytest.raises(ValueError, match="names no machine"):
            CLOUDS[STATIC](url=None, key="", session=session, folder=tmp_path)
