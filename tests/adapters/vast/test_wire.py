"""Their JSON to our values and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.adapters.clouds.vast import asking, wire
from orchestrator.adapters.clouds.vast.asking import Taste
from orchestrator.adapters.clouds.vast.cloud import VAST
from orchestrator.domain.errors import CloudProtocolError
from orchestrator.domain.ids import CloudRef, LaunchKey
from orchestrator.domain.instance import Address
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.ports.cloud import Account, LaunchOrder, Rental, RentalState
from tests.adapters.vast.scripted import recorded
from tests.adapters.vast.specification import faults_of_request
from tests.contract.cloud_suite import ORDER

REF = CloudRef("31415926")


def _shown(**changed: object) -> Rental:
    rental = wire.read_rental(VAST, {"instances": {**recorded("instance_running"), **changed}}, REF)
    assert rental is not None
    return rental


def _offers(**changed: object) -> tuple[Offer, ...]:
    return wire.read_offers(VAST, {"offers": [{**recorded("offers")["offers"][0], **changed}]}, disk_gib=60)


def test_an_offer_reads_with_its_price_split() -> None:
    full, bare = wire.read_offers(VAST, recorded("offers"), disk_gib=60)

    assert (full.id, full.machine, full.host) == ("12345678", "11239", "60121")
    assert (full.gpu, full.vram_mib, full.disk_gib, full.cuda) == ("RTX 4090", 24564, 412, 12.8)
    assert full.compute_capability == 8.9
    assert (full.reliability, full.inet_down_mbps, full.location) == (0.9941, 2104.3, "Sweden, SE")
    assert full.tariff == Tariff(running=314_700, always=18_056, per_gib_down=4_295, bills_boot=False)  # type: ignore[arg-type]
    assert full.tariff.per_hour == 332_756
    assert (bare.reliability, bare.location, bare.cuda) == (0.9934, "", 13.0)
    assert bare.tariff == Tariff(running=520_000, always=12_000, bills_boot=False)  # type: ignore[arg-type]


def test_an_offer_that_cannot_be_read_is_left_out() -> None:
    good, _ = recorded("offers")["offers"]

    offers = wire.read_offers(VAST, {"offers": [{**good, "dph_base": None}, good, "?"]}, disk_gib=60)

    assert [offer.id for offer in offers] == ["12345678"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", None),
        ("id", "12"),
        ("id", True),
        ("machine_id", 0),
        ("gpu_ram", "24564"),
        ("dph_base", -0.1),
        ("dph_base", float("nan")),
        ("dph_total", float("inf")),
        ("reliability2", 98.5),
    ],
)
def test_a_search_of_which_nothing_can_be_read_names_the_field(field: str, value: object) -> None:
    with pytest.raises(CloudProtocolError, match=f"search: {field}: "):
        _offers(**{field: value})


@pytest.mark.parametrize("body", [None, [], "offers", {}, {"offers": None}, {"offers": {"id": 1}}])
def test_no_offers_is_an_empty_list_and_nothing_else(body: object) -> None:
    assert wire.read_offers(VAST, {"offers": []}, disk_gib=60) == ()
    with pytest.raises(CloudProtocolError):
        wire.read_offers(VAST, body, disk_gib=60)


def test_a_search_asks_for_what_can_be_ordered_now() -> None:
    needs = Requirements(vram_mib=24_576, disk_gib=60, cuda=12.4, inet_down_mbps=500, compute_capability=8.9)

    body = asking.search_body(needs, Taste(gpus=("RTX_4090", "RTX 5090"), reliability=0.97))

    assert faults_of_request("search", {}, body) == []
    assert body == {
        "gpu_name": {"in": ["RTX 4090", "RTX 5090"]},
        "num_gpus": {"eq": 1},
        "gpu_ram": {"gte": 22_855},
        "disk_space": {"gte": 60},
        "allocated_storage": 60,
        "reliability": {"gte": 0.97},
        "inet_down": {"gte": 500},
        "cuda_max_good": {"gte": 12.4},
        "compute_cap": {"gte": 890},
        "direct_port_count": {"gte": 1},
        "verified": {"eq": True},
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "external": {"eq": False},
        "type": "on-demand",
        "order": [["dph_total", "asc"]],
        "limit": 64,
    }


def test_a_wish_left_open_is_no_filter() -> None:
    body = asking.search_body(Requirements(vram_mib=8_000, disk_gib=2), Taste())

    assert not {"gpu_name", "cuda_max_good", "compute_cap", "inet_down"} & body.keys()
    assert body["disk_space"] == {"gte": 8}


def test_an_order_is_no_bid_and_leaves_nothing_behind() -> None:
    body = asking.order_body(LaunchKey("glowplug-a-1-b"), ORDER, "https://cloud.example")

    assert faults_of_request("launch", {}, body) == []
    assert "price" not in body
    assert (body["cancel_unavail"], body["target_state"]) == (True, "running")
    assert (body["label"], body["image"], body["disk"]) == ("glowplug-a-1-b", ORDER.image, 60)
    assert body["env"] == {}
    assert body["runtype"] == "ssh_direc ssh_proxy"
    assert " ".join(ORDER.ssh_public_key.split()[:2]) in body["onstart"]


def test_an_order_keeps_to_the_smallest_disk() -> None:
    order = LaunchOrder(image="i", disk_gib=1, ssh_public_key=ORDER.ssh_public_key)

    assert asking.order_body(LaunchKey("k"), order, "https://cloud.example")["disk"] == 8


def test_a_running_machine_reads_whole() -> None:
    assert _shown() == Rental(
        cloud=VAST,
        ref=REF,
        label="glowplug-test-1-i1",
        state=RentalState.RUNNING,
        address=Address(host="192.0.2.17", port=33526),
        gpu="RTX 4090",
        price=332_756,  # type: ignore[arg-type]
        started_at=datetime(2026, 8, 12, 2, 0, 0, 250_000, tzinfo=UTC),
        detail="running: success, running example/comfyui:1/ssh",
    )


@pytest.mark.parametrize(
    ("changed", "host", "port"),
    [
        ({}, "192.0.2.17", 33526),
        ({"ports": {"22/tcp": [{"HostIp": "::", "HostPort": "33527"}], "80/tcp": None}}, "192.0.2.17", 33527),
        ({"ports": {"22/tcp": [{"HostPort": "?"}, {"HostPort": "33528"}]}}, "192.0.2.17", 33528),
        ({"ports": {}}, "ssh5.vast.ai", 15926),
        ({"ports": None}, "ssh5.vast.ai", 15926),
        ({"ports": [41000, 41999]}, "ssh5.vast.ai", 15926),
        ({"ports": {"22/tcp": None}}, "ssh5.vast.ai", 15926),
        ({"ports": {"22/tcp": []}}, "ssh5.vast.ai", 15926),
        ({"ports": {"22/tcp": [{"HostPort": "70000"}]}}, "ssh5.vast.ai", 15926),
        ({"public_ipaddr": " \n"}, "ssh5.vast.ai", 15926),
        ({"public_ipaddr": None}, "ssh5.vast.ai", 15926),
        ({"public_ipaddr": "-oProxyCommand=sh"}, "ssh5.vast.ai", 15926),
        ({"ports": {}, "image_runtype": "jupyter_direc ssh_direc ssh_proxy"}, "ssh5.vast.ai", 15927),
        ({"image_runtype": "jupyter_direc ssh_direc ssh_proxy"}, "192.0.2.17", 33526),
    ],
)
def test_ssh_is_direct_where_port_22_is_mapped_and_else_at_the_proxy(
    changed: Mapping[str, Any], host: str, port: int
) -> None:
    assert _shown(**changed).address == Address(host=host, port=port)


@pytest.mark.parametrize(
    "changed",
    [
        {"ssh_host": None},
        {"ssh_port": None},
        {"ssh_port": None, "image_runtype": "jupyter"},
        {"ssh_port": 0},
        {"ssh_port": 65536},
        {"ssh_port": 65535, "image_runtype": "jupyter"},
    ],
)
def test_without_any_address_there_is_none(changed: Mapping[str, Any]) -> None:
    assert _shown(ports={}, **changed).address is None


def test_a_machine_that_does_not_run_has_no_address() -> None:
    assert _shown(actual_status="loading").address is None


@pytest.mark.parametrize("body", [{"instances": None}, {"instances": []}], ids=["null", "an empty list"])
def test_null_means_that_there_is_no_such_machine(body: object) -> None:
    assert wire.read_rental(VAST, body, REF) is None


def test_a_list_of_one_is_read_as_one() -> None:
    rental = wire.read_rental(VAST, {"instances": [recorded("instance_loading")]}, REF)

    assert rental is not None
    assert rental.ref == REF


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "instances"),
        ({"instances": {}}, "instances.0.id"),
        ({"instances": "gone"}, "instances"),
        ({"instances": {**recorded("instance_loading"), "label": 7}}, "instances.0.label"),
        ({"instances": {**recorded("instance_loading"), "id": 27}}, "instances.id"),
        (None, "answer"),
        ([], "answer"),
    ],
)
def test_anything_else_in_place_of_a_machine_names_the_field(body: object, field: str) -> None:
    with pytest.raises(CloudProtocolError, match=f"show: {field}: "):
        wire.read_rental(VAST, body, REF)


@pytest.mark.parametrize("field", ["total_instances", "next_token", "instances"])
def test_a_page_without_what_proves_it_complete_names_the_field(field: str) -> None:
    page = recorded("page")
    del page[field]

    with pytest.raises(CloudProtocolError, match=f"list: {field}: Field required"):
        wire.read_page(VAST, page)


def test_a_page_reads_machines_of_others_too() -> None:
    page = wire.read_page(VAST, recorded("page"))

    assert [rental.label for rental in page.rentals] == ["glowplug-test-1-i1", ""]
    assert (page.total, page.following) == (2, None)


def test_an_error_names_the_field_and_not_what_is_in_it() -> None:
    page = recorded("page")
    page["instances"][0]["ssh_port"] = "hunter2"

    with pytest.raises(CloudProtocolError) as raised:
        wire.read_page(VAST, page)

    assert "instances.0.ssh_port" in str(raised.value)
    assert "hunter2" not in f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"


@pytest.mark.parametrize(
    ("body", "balance"),
    [
        (recorded("account"), 25_000_000),
        ({"credit": 0.0, "balance": 3.5}, 0),
        ({"credit": None, "balance": 3.5}, 3_500_000),
        ({"balance": -1.25}, -1_250_000),
        ({"credit": None}, None),
    ],
)
def test_credit_comes_before_balance(body: object, balance: int | None) -> None:
    assert wire.read_account(VAST, body) == Account(balance=balance)  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [{}, [], None, {"credit": "25"}, {"credit": float("nan")}])
def test_an_account_without_a_number_is_not_understood(body: object) -> None:
    with pytest.raises(CloudProtocolError, match=r"account: (credit|answer): "):
        wire.read_account(VAST, body)


def test_keys_are_compared_without_their_comments() -> None:
    used = recorded("keys")[0]
    deleted = {**used, "key": "ssh-ed25519 AAAAdeleted", "deleted_at": "2026-08-02"}

    keys = wire.read_keys(VAST, [used, deleted, {"key": "not a key"}])

    assert keys == {" ".join(used["key"].split()[:2])}


@pytest.mark.parametrize("body", [None, {}, {"new_contract": None}, {"new_contract": "5"}, {"new_contract": -5}, [5]])
def test_an_order_without_a_number_names_no_machine(body: object) -> None:
    assert wire.launched_ref(body) is None
    assert wire.launched_ref(recorded("launched")) == REF
