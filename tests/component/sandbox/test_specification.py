"""The sandbox's answers against the vendor's own specification: it must not drift towards our adapter."""

from tests.adapters.vast.specification import faults_of_answer, faults_of_request, operations
from tests.component.sandbox.renter import ORDER, Renter


async def test_answers_have_the_types_that_are_specified(renter: Renter) -> None:
    async def faults(operation: str, method: str, path: str, body: object = None) -> list[str]:
        answer = await renter.call(method, path, body)
        return faults_of_answer(operation, answer.status, answer.body)

    found = await faults("add_key", "POST", "/api/v0/ssh/", {"ssh_key": renter.public_key})
    found += await faults("keys", "GET", "/api/v0/ssh/")
    found += await faults("search", "POST", "/api/v0/bundles/", {})
    offer = (await renter.offers())[0]["id"]
    found += await faults("launch", "PUT", f"/api/v0/asks/{offer}/", ORDER)
    for _ in range(3):
        found += await faults("launch", "PUT", f"/api/v0/asks/{offer}/", ORDER)
    found += await faults("list", "GET", "/api/v1/instances/")
    number = (await renter.rows())[0]["id"]
    one = f"/api/v0/instances/{number}/"
    found += await faults("show", "GET", one)
    await renter.until_status(number, "running")
    found += await faults("list", "GET", "/api/v1/instances/")
    found += await faults("show", "GET", one)
    found += await faults("attach", "POST", f"{one}ssh/", {"ssh_key": renter.public_key})
    found += await faults("account", "GET", "/api/v0/users/current/")
    found += await faults("terminate", "DELETE", one, {})
    await renter.until_gone(number)
    found += await faults("show", "GET", one)
    found += await faults("terminate", "DELETE", one, {})

    assert not found, "\n".join(sorted(set(found)))


async def test_machines_and_offers_have_every_field_that_is_specified(renter: Renter) -> None:
    number = await renter.rent()
    shown = await renter.until_status(number, "running")
    [listed] = await renter.rows()

    listing = operations()["list"]["answers"]["200"]["properties"]["instances"]["items"]["properties"]
    one = operations()["show"]["answers"]["200"]["properties"]["instances"]["properties"]
    assert listing.keys() - listed.keys() == set()
    assert one.keys() - shown.keys() == set()


def test_the_order_of_these_tests_is_a_valid_one() -> None:
    assert faults_of_request("launch", {}, ORDER) == []
