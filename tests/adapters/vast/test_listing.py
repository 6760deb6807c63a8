"""When a listing is believed."""

import pytest

from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.vast.cloud import VastCloud
from orchestrator.domain.errors import CloudProtocolError, CloudUnavailable
from tests.adapters.vast.conftest import OpenVast
from tests.adapters.vast.scripted import Reply, ScriptedVast, recorded


def _page(numbers: range, *, total: int, following: str | None = None) -> Reply:
    rows = [{**recorded("instance_loading"), "id": number} for number in numbers]
    return Reply(body={"total_instances": total, "next_token": following, "instances": rows})


async def _refs(cloud: VastCloud) -> list[int]:
    return [int(rental.ref) for rental in await cloud.rentals()]


async def test_pages_are_asked_for_until_there_is_no_token(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.instances = {number: {**recorded("instance_loading"), "id": number} for number in range(1, 61)}

    assert await _refs(cloud) == list(range(1, 61))

    asked = [seen.query for seen in vast.seen]
    assert [query.get("after_token") for query in asked] == [None, "after 25", "after 50"]
    assert {(query["limit"], query["order_by"]) for query in asked} == {("25", '[{"col": "id", "dir": "asc"}]')}


async def test_a_machine_ended_between_two_pages_is_no_fault(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.script("list", _page(range(1, 26), total=27, following="t"), _page(range(26, 27), total=26))

    assert await _refs(cloud) == list(range(1, 27))


async def test_a_machine_made_between_two_pages_is_no_fault(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.script("list", _page(range(1, 26), total=26, following="t"), _page(range(26, 28), total=27))

    assert await _refs(cloud) == list(range(1, 28))


async def test_a_machine_shown_twice_counts_once(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.script("list", _page(range(1, 26), total=27, following="t"), _page(range(25, 27), total=27))

    with pytest.raises(CloudProtocolError, match="27 are said to be, 26 are listed"):
        await cloud.rentals()


async def test_an_empty_last_page_that_hides_the_rest_is_not_believed(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.script("list", _page(range(1, 26), total=40, following="t"), _page(range(0), total=40))

    with pytest.raises(CloudProtocolError, match="total_instances"):
        await cloud.rentals()


async def test_one_page_that_fails_fails_the_listing(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.script("list", _page(range(1, 26), total=40, following="t"), Reply(status=502, body=b""))

    with pytest.raises(CloudUnavailable):
        await cloud.rentals()


async def test_pages_that_lead_in_a_circle_are_given_up_at_once(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.script("list", *[_page(range(1, 2), total=9, following="t")] * 5)

    with pytest.raises(CloudProtocolError, match="next_token"):
        await cloud.rentals()

    assert vast.count("list") == 2


async def test_pages_without_end_are_given_up(vast: ScriptedVast, open_vast: OpenVast) -> None:
    vast.script("list", *[_page(range(n, n + 1), total=9, following=f"t{n}") for n in range(1, 6)])

    with pytest.raises(CloudProtocolError, match="no end after 3 pages"):
        await open_vast(limits=Limits(pages=3)).rentals()

    assert vast.count("list") == 3
