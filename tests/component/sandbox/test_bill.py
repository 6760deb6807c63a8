"""The sandbox's bill: GPU while a machine runs, disk for as long as there is one."""

import pytest

from orchestrator.sandbox.bill import Bill, Meter, storage_usd_hour
from tests.component.sandbox.conftest import RenterOf
from tests.component.sandbox.renter import Renter


def meter() -> Meter:
    return Meter(gpu_usd_hour=0.36, disk_usd_hour=0.036, started=1000.0)


def test_booting_costs_the_disk_alone() -> None:
    assert meter().usd(1000.0 + 100) == pytest.approx(0.001)


def test_running_costs_disk_and_gpu() -> None:
    running = meter()
    running.run(1100.0)

    assert running.usd(1200.0) == pytest.approx(0.002 + 0.01)


def test_a_stopped_machine_still_costs_its_disk() -> None:
    stopped = meter()
    stopped.run(1000.0)
    stopped.rest(1100.0)

    assert stopped.usd(1300.0) == pytest.approx(0.003 + 0.01)


def test_an_ended_machine_costs_nothing_more() -> None:
    ended = meter()
    ended.run(1000.0)
    ended.close(1100.0)
    ended.close(1200.0)
    ended.run(1300.0)

    assert ended.usd(9999.0) == pytest.approx(0.001 + 0.01)
    assert ended.ended == 1100.0


def test_disk_is_priced_by_gigabyte_and_month_of_720_hours() -> None:
    assert storage_usd_hour(60, 0.12) == pytest.approx(0.01)


def test_the_total_is_that_of_all_machines_the_ended_ones_too() -> None:
    ended, living = meter(), meter()
    ended.close(1100.0)

    shown = Bill({1: ended, 2: living}).as_json(1200.0)

    assert shown == {
        "machines": [
            {"id": 1, "usd": 0.001, "from": 1000.0, "to": 1100.0},
            {"id": 2, "usd": 0.002, "from": 1000.0, "to": None},
        ],
        "total_usd": 0.003,
    }


async def test_the_bill_follows_a_machines_life(renter: Renter) -> None:
    number = await renter.rent()
    await renter.until_status(number, "running")
    [living] = (await renter.call("GET", "/sandbox/bill")).body["machines"]
    await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
    await renter.until_gone(number)
    first = (await renter.call("GET", "/sandbox/bill")).body
    second = (await renter.call("GET", "/sandbox/bill")).body

    assert (living["id"], living["to"]) == (number, None)
    [ended] = first["machines"]
    assert ended["to"] > ended["from"]
    assert ended["usd"] > 0
    assert first == second
    assert first["total_usd"] == ended["usd"]


async def test_credit_goes_down_with_the_bill(renter_of: RenterOf) -> None:
    async with renter_of(balance_usd=5.0) as renter:
        number = await renter.rent()
        await renter.until_status(number, "running")
        await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
        await renter.until_gone(number)
        total = (await renter.call("GET", "/sandbox/bill")).body["total_usd"]
        user = (await renter.call("GET", "/api/v0/users/current/")).body

    assert user["credit"] == pytest.approx(5.0 - total, abs=2e-6)


async def test_without_credit_nothing_is_rented(renter_of: RenterOf) -> None:
    async with renter_of(balance_usd=0.0) as renter:
        answer = await renter.order()

        assert (answer.status, answer.body["error"]) == (400, "insufficient_credit")
        assert await renter.rows() == []
