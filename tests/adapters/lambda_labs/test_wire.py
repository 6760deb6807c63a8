"""Their JSON as our values, at its edges."""

import logging
from typing import Any

import pytest

from orchestrator.adapters.clouds.lambda_labs import wire
from orchestrator.adapters.clouds.lambda_labs.cloud import LAMBDA, LambdaCloud
from orchestrator.domain.errors import CloudProtocolError
from orchestrator.domain.ids import CloudRef
from orchestrator.domain.instance import Address
from orchestrator.domain.offer import Offer
from orchestrator.ports.cloud import RentalState
from tests.adapters.lambda_labs.serving import Lambda
from tests.contract.cloud_suite import KEY, NEEDS, ORDER


def sold(description: str, *, name: str = "gpu_1x_a10", gpus: int = 1, **more: Any) -> Any:
    return {
        "instance_type": {
            "name": name,
            "description": f"{gpus}x {description}",
            "gpu_description": description,
            "price_cents_per_hour": 75,
            "specs": {"vcpus": 30, "memory_gib": 200, "storage_gib": 1400, "gpus": gpus},
            **more,
        },
        "regions_with_capacity_available": [
            {"name": "us-east-1", "description": "Virginia, USA"},
            {"name": "us-west-1", "description": "California, USA"},
        ],
    }


def offers(*entries: Any, vram_mib: int = 20_000, compute_capability: float = 8.0) -> tuple[Offer, ...]:
    body = {"data": {str(number): entry for number, entry in enumerate(entries)}}
    return wire.read_offers(LAMBDA, body, vram_mib=vram_mib, disk_gib=60, compute_capability=compute_capability)


def test_a_type_is_an_offer_in_each_region_that_has_one() -> None:
    here, there = offers(sold("A10 (24 GB PCIe)"))

    assert (here.id, there.id) == ("gpu_1x_a10/us-east-1", "gpu_1x_a10/us-west-1")
    assert (here.gpu, here.vram_mib, here.disk_gib, here.compute_capability) == ("A10", 24 * 1024, 1400, 8.6)
    assert (here.tariff.running, here.tariff.always, here.tariff.bills_boot) == (750_000, 0, True)
    assert here.is_kind


@pytest.mark.parametrize(
    "entry",
    [
        sold("A10 (24 GB PCIe)", gpus=2),
        sold("GH200 (96 GB)"),
        sold("A10 (24 GB PCIe)", architecture="arm64"),
        sold("RTX 6000 (24 GB)"),  # Turing: bf16 is too much for it
        sold("Tesla V100 (16 GB)"),
        sold("A10"),
        sold("A10 (24 GB PCIe)", name="../launch"),
    ],
    ids=["two cards", "ARM by its card", "ARM", "old", "small", "no memory told", "a name that is a path"],
)
def test_what_our_programs_cannot_use_is_no_offer(entry: Any) -> None:
    assert offers(entry) == ()


def test_a_type_that_cannot_be_read_is_left_out_unless_it_is_the_only_one() -> None:
    broken = sold("A10 (24 GB PCIe)", price_cents_per_hour="75")

    assert len(offers(broken, sold("A10 (24 GB PCIe)", architecture="x86_64"))) == 2
    with pytest.raises(CloudProtocolError, match=r"instance_type\.price_cents_per_hour"):
        offers(broken)


def machine(**more: Any) -> Any:
    row = {"id": "0920582c7ff041399e34823a0be62549", "status": "booting", "region": {"name": "us-east-1"}}
    return row | {"instance_type": sold("A10 (24 GB PCIe)")["instance_type"], **more}


@pytest.mark.parametrize(
    ("status", "ip", "state"),
    [
        ("booting", None, RentalState.STARTING),
        ("booting", "203.0.113.5", RentalState.STARTING),
        ("active", None, RentalState.STARTING),
        ("active", "not yet", RentalState.STARTING),
        ("active", "203.0.113.5", RentalState.RUNNING),
        ("active", "2001:db8::5", RentalState.RUNNING),
        ("unhealthy", "203.0.113.5", RentalState.FAILED),
        ("preempted", None, RentalState.FAILED),
        ("terminating", "203.0.113.5", RentalState.FAILED),
        ("something new", None, RentalState.STARTING),
    ],
)
def test_each_status_has_its_state(status: str, ip: str | None, state: RentalState) -> None:
    row = machine(status=status, **({} if ip is None else {"ip": ip}))

    (rental,) = wire.read_page(LAMBDA, {"data": [row]}).rentals

    assert rental.state is state
    assert rental.address == (Address(host=str(ip), port=22, user="ubuntu") if state is RentalState.RUNNING else None)


def test_a_terminated_machine_is_none_any_more() -> None:
    row = machine(status="terminated")

    assert wire.read_page(LAMBDA, {"data": [row]}).rentals == ()
    assert wire.read_rental(LAMBDA, {"data": row}, CloudRef(row["id"])) is None


def test_a_machine_that_was_renamed_is_known_by_its_tag() -> None:
    tag = {"key": "glowplug", "value": KEY}
    rows = [machine(name="box", tags=[tag]), machine(name=KEY), machine(tags=None), machine()]

    labels = [rental.label for rental in wire.read_page(LAMBDA, {"data": rows}).rentals]

    assert labels == [KEY, KEY, "", ""]


@pytest.mark.parametrize(("ip", "port"), [("127.0.0.1", 4022), ("203.0.113.5", 22)])
def test_only_a_machine_on_this_computer_may_name_another_port(ip: str, port: int) -> None:
    row = machine(status="active", ip=ip, tags=[{"key": "sandbox-ssh-port", "value": "4022"}])

    (rental,) = wire.read_page(LAMBDA, {"data": [row]}).rentals

    assert rental.address is not None
    assert rental.address.port == port


def test_another_machine_than_was_asked_for_is_an_error() -> None:
    with pytest.raises(CloudProtocolError, match="told about another"):
        wire.read_rental(LAMBDA, {"data": machine()}, CloudRef("other"))


@pytest.mark.parametrize("body", [None, [], "x", {}, {"data": {}}, {"data": {"instance_ids": []}}, {"data": None}])
def test_an_answer_without_an_id_names_no_machine(body: Any) -> None:
    assert wire.launched_ref(body) is None


async def test_a_machines_own_token_is_never_told(
    server: Lambda, cloud: LambdaCloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ref = await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)
    while (rental := await cloud.rental(ref)) is None or rental.state is not RentalState.RUNNING:
        pass
    there = server.account.machine(ref)
    assert there is not None

    assert there.key in str(server.account.rows())
    assert there.key not in repr(rental) + repr(await cloud.rentals()) + caplog.text
