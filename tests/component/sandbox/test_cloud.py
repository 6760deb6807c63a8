"""The API of the sandbox: what the real cloud answers, and nothing to whom it does not concern."""

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.adapters.clouds.vast.asking import Taste, search_body
from orchestrator.adapters.workflow_files import WorkflowFiles
from orchestrator.app import WORKFLOWS
from orchestrator.domain.workflows import Workflow
from orchestrator.sandbox.market import OLD_GPU
from tests.component.sandbox.conftest import RenterOf
from tests.component.sandbox.renter import ORDER, Renter, until

NOWHERE = "/api/v0/instances/1/"


async def test_without_a_key_one_must_log_in(renter: Renter) -> None:
    answer = await renter.call("GET", "/api/v1/instances/", key="")

    assert answer.status == 403
    assert answer.body == {"success": False, "error": "auth_error", "msg": "This action requires login."}


@pytest.mark.parametrize("path", ["/api/v1/instances/", "/api/v0/users/current/", NOWHERE, "/sandbox/bill"])
async def test_a_wrong_key_gets_404_like_a_machine_that_is_gone(renter: Renter, path: str) -> None:
    answer = await renter.call("GET", path, key="wrong")

    assert answer.status == 404
    assert answer.body == {"success": False, "error": "auth_error", "msg": "Invalid user key"}


async def test_a_key_in_the_address_is_taken_too(renter: Renter) -> None:
    assert (await renter.call("GET", "/api/v1/instances/?api_key=the-key", key="")).status == 200


async def test_searching_needs_no_key_but_a_wrong_one_is_refused(renter: Renter) -> None:
    assert (await renter.call("POST", "/api/v0/bundles/", {}, key="")).status == 200
    assert (await renter.call("POST", "/api/v0/bundles/", {}, key="wrong")).status == 404


async def test_health_needs_no_key(renter: Renter) -> None:
    assert (await renter.call("GET", "/sandbox/health", key="")).body == {"ok": True}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_pages_of_other_origins_get_nothing(renter: Renter, headers: dict[str, str]) -> None:
    """Also with the right key: a name that resolves to this computer must not be enough."""
    assert (await renter.call("GET", "/sandbox/bill", headers=headers)).status == 403


async def test_its_own_origin_may_ask(renter: Renter) -> None:
    assert (await renter.call("GET", "/sandbox/bill", headers={"Origin": renter.url})).status == 200


async def test_unknown_paths_have_their_own_404(renter: Renter) -> None:
    answer = await renter.call("GET", "/api/v0/nothing/")

    assert (answer.status, answer.body) == (404, {"success": False, "msg": "Not found"})


async def test_the_retired_listing_says_so_in_the_exact_words(renter: Renter) -> None:
    answer = await renter.call("GET", "/api/v0/instances/")

    assert answer.status == 410
    assert answer.text == (
        '{"success": false, "error": "deprecated_endpoint", '
        '"msg": "/api/v0/instances/ is deprecated. Use /api/v1/instances/ instead."}'
    )


async def test_offers_are_the_rigs_that_are_free(renter: Renter) -> None:
    before = await renter.offers()
    number = await renter.rent(ask_id=before[0]["id"])
    during = await renter.offers()
    await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
    await renter.until_gone(number)
    after = await renter.offers()

    machines = {offer["machine_id"] for offer in before}
    assert {offer["machine_id"] for offer in during} == machines - {before[0]["machine_id"]}
    assert {offer["machine_id"] for offer in after} == machines
    assert before[0]["id"] not in {offer["id"] for offer in after}, "an offer is good for one order"


async def test_the_same_seed_makes_the_same_market(renter_of: RenterOf) -> None:
    kept = ("machine_id", "host_id", "gpu_name", "dph_base", "geolocation")
    markets = []
    for seed in (7, 7, 8):
        async with renter_of(seed=seed) as renter:
            markets.append([{name: offer[name] for name in kept} for offer in await renter.offers()])

    assert markets[0] == markets[1]
    assert markets[0] != markets[2]


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ({"gpu_name": {"eq": "RTX 4090"}}, lambda offer: offer["gpu_name"] == "RTX 4090"),
        ({"gpu_name": {"in": ["RTX 4090", "L40S"]}}, lambda offer: offer["gpu_name"] in {"RTX 4090", "L40S"}),
        ({"gpu_name": {"notin": ["RTX 3060"]}}, lambda offer: offer["gpu_name"] != "RTX 3060"),
        ({"gpu_name": {"neq": "RTX 3060"}}, lambda offer: offer["gpu_name"] != "RTX 3060"),
        ({"gpu_ram": {"gte": 24000}}, lambda offer: offer["gpu_ram"] >= 24000),
        ({"gpu_ram": {"lt": "24000"}}, lambda offer: offer["gpu_ram"] < 24000),
        ({"dph_total": {"lte": 0.4}}, lambda offer: offer["dph_total"] <= 0.4),
        (
            {"reliability": {"gt": 0.98}, "inet_down": {"gte": 2000}},
            lambda o: o["reliability"] > 0.98 and o["inet_down"] >= 2000,
        ),
        ({"verified": {"eq": True}}, lambda offer: offer["verification"] == "verified"),
        ({"cuda_max_good": {"gte": 12.8}}, lambda offer: offer["cuda_max_good"] >= 12.8),
        ({"compute_cap": {"gte": 800}}, lambda offer: offer["compute_cap"] >= 800),
        ({"rented": {"eq": True}}, lambda offer: False),
        ({"external": {"eq": False}, "rentable": {"eq": True}}, lambda offer: True),
        ({"id": {"gt": 0}}, lambda offer: False),
    ],
)
async def test_filters_are_applied(renter: Renter, query: dict[str, Any], rule: Any) -> None:
    everything = await renter.offers()
    found = await renter.offers(**query)

    assert {offer["id"] for offer in found} == {offer["id"] for offer in everything if rule(offer)}


@pytest.mark.parametrize("workflow", WorkflowFiles(WORKFLOWS).all(), ids=lambda workflow: workflow.name)
async def test_an_old_card_is_never_rented_although_it_is_big_enough_and_the_cheapest(
    renter: Renter, workflow: Workflow
) -> None:
    query = search_body(workflow.requirements, Taste())
    without = search_body(replace(workflow.requirements, compute_capability=0.0), Taste())

    assert (await renter.offers(**without))[0]["gpu_name"] == OLD_GPU.name
    assert OLD_GPU.name not in {offer["gpu_name"] for offer in await renter.offers(**query)}


async def test_offers_come_in_the_order_that_is_asked_for(renter: Renter) -> None:
    prices = [offer["dph_total"] for offer in await renter.offers(order=[["dph_total", "asc"]])]
    fastest = [offer["inet_down"] for offer in await renter.offers(order=[["inet_down", "desc"]], limit=3)]

    assert prices == sorted(prices)
    assert len(fastest) == 3
    assert fastest == sorted(fastest, reverse=True)


async def test_at_most_64_offers_are_shown(renter_of: RenterOf) -> None:
    async with renter_of(hosts=90) as renter:
        assert len(await renter.offers(limit=500)) == 64


async def test_the_price_has_the_disk_in_it_that_is_asked_for(renter: Renter) -> None:
    [small] = await renter.offers(gpu_name={"eq": "RTX 4090"}, limit=1, allocated_storage=10)
    [large] = await renter.offers(ask_contract_id={"eq": small["id"]}, allocated_storage=370)

    assert large["dph_total"] - small["dph_total"] == pytest.approx(360 * small["storage_cost"] / 720, abs=2e-6)


async def test_the_other_search_takes_the_same_query(renter: Renter) -> None:
    query = {"gpu_name": {"eq": "RTX 4090"}}

    answer = await renter.call("PUT", "/api/v0/search/asks/", {"select_cols": ["*"], "q": query})

    assert [offer["id"] for offer in answer.body["offers"]] == [offer["id"] for offer in await renter.offers(**query)]


async def test_nonsense_in_a_query_is_refused_with_the_reason(renter: Renter) -> None:
    for query in (
        {"gpu_ram": {"about": 1}},
        {"gpu_ram": 24000},
        {"gpu_ram": {"gte": "much"}},
        {"gpu_name": {"in": "x"}},
    ):
        answer = await renter.call("POST", "/api/v0/bundles/", query)
        assert (answer.status, answer.body["error"]) == (400, "invalid_request"), query
    assert (await renter.call("POST", "/api/v0/bundles/", [1])).body["msg"] == "Invalid json body"


@pytest.mark.parametrize(
    "change",
    [
        {"image": ""},
        {"image": None},
        {"image": "x" * 1025},
        {"disk": 7},
        {"disk": "60"},
        {"label": "x" * 257},
        {"onstart": "x" * 4097},
        {"onstart": "x" * 2048, "args": ["y" * 2049]},
        {"args": "-c"},
        {"env": "-e FOO=bar"},
        {"env": {"NAME": "x" * 257}},
        {"env": {f"-p {port}:{port}": "1" for port in range(1000, 1065)}},
        {"target_state": "paused"},
    ],
)
async def test_an_order_beyond_the_limits_is_refused(renter: Renter, change: dict[str, Any]) -> None:
    answer = await renter.order(**change)

    assert (answer.status, answer.body["error"]) == (400, "invalid_args")
    assert await renter.rows() == []


async def test_a_taken_offer_is_refused_in_each_of_the_three_ways(renter: Renter) -> None:
    [offer] = await renter.offers(limit=1)
    await renter.rent(ask_id=offer["id"])

    answers = [await renter.order(offer["id"]) for _ in range(3)]

    assert [answer.status for answer in answers] == [404, 410, 400]
    assert all("no_such_ask" in answer.text for answer in answers)
    assert answers[0].body["ask_id"] == offer["id"]


async def test_a_taken_offer_becomes_a_stopped_machine_for_who_does_not_ask_to_cancel(renter: Renter) -> None:
    """It bills its disk, and it cannot be started: the reason why our orders always ask."""
    [offer] = await renter.offers(limit=1)
    await renter.rent(ask_id=offer["id"])
    answer = await renter.order(offer["id"], cancel_unavail=False)
    number = answer.body["new_contract"]

    stopped = await renter.until_status(number, "exited")
    await renter.call("PUT", f"/api/v0/instances/{number}/", {"state": "running"})
    never = await renter.until_status(number, "created")

    assert answer.status == 200
    assert stopped["intended_status"] == "stopped"
    assert never["ports"] is None


async def test_an_order_is_answered_with_the_contract_and_the_machines_key(renter: Renter) -> None:
    answer = await renter.order()

    assert answer.body["success"] is True
    assert isinstance(answer.body["new_contract"], int)
    assert len(answer.body["instance_api_key"]) == 64


async def test_listing_goes_by_pages_of_25(renter_of: RenterOf) -> None:
    async with renter_of(hosts=40) as renter:
        for offer in (await renter.offers())[:27]:
            await renter.call("PUT", f"/api/v0/asks/{offer['id']}/", ORDER | {"target_state": "stopped"})
        first = (await renter.call("GET", "/api/v1/instances/", params={"limit": "100"})).body
        second = (await renter.call("GET", "/api/v1/instances/", params={"after_token": first["next_token"]})).body

    assert (first["instances_found"], first["total_instances"]) == (25, 27)
    assert second["next_token"] is None
    numbers = [row["id"] for row in first["instances"] + second["instances"]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 27


async def test_listing_filters_orders_trims_and_counts(renter: Renter) -> None:
    offers = await renter.offers()
    for offer, label in zip(offers, ("a", "b", "b", None), strict=False):
        await renter.call("PUT", f"/api/v0/asks/{offer['id']}/", ORDER | {"label": label})
    everything = (await renter.call("GET", "/api/v1/instances/")).body
    some = (
        await renter.call(
            "GET",
            "/api/v1/instances/",
            params={
                "select_filters": json.dumps({"label": {"eq": "b"}}),
                "order_by": json.dumps([{"col": "id", "dir": "desc"}]),
                "select_cols": json.dumps(["id", "label", "nonsense"]),
                "limit": "1",
            },
        )
    ).body

    assert everything["label_counts"] == {"a": 1, "b": 2, "": 1}
    assert some["total_instances"] == 2
    assert some["instances"] == [{"id": everything["instances"][2]["id"], "label": "b", "nonsense": None}]
    assert some["next_token"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"select_filters": '{"dph_total": {"lte": 1}}'}, "invalid_request"),
        ({"select_filters": "{"}, "invalid_request"),
        ({"select_filters": '{"id": {"like": 1}}'}, "invalid_request"),
        ({"order_by": '[{"col": "num_gpus"}]'}, "invalid_request"),
        ({"limit": "many"}, "invalid_request"),
        ({"after_token": "bm9uc2Vuc2U="}, "invalid_token"),
    ],
)
async def test_a_bad_listing_is_refused(renter: Renter, query: dict[str, str], error: str) -> None:
    answer = await renter.call("GET", "/api/v1/instances/", params=query)

    assert (answer.status, answer.body["error"]) == (400, error)


async def test_pages_hold_still_while_machines_come_and_go(renter: Renter) -> None:
    numbers = [await renter.rent(ask_id=offer["id"]) for offer in (await renter.offers())[:4]]
    first = (await renter.call("GET", "/api/v1/instances/", params={"limit": "2"})).body
    await renter.call("DELETE", f"/api/v0/instances/{numbers[0]}/", {})
    await renter.until_gone(numbers[0])

    second = (await renter.call("GET", "/api/v1/instances/", params={"after_token": first["next_token"]})).body

    assert [row["id"] for row in second["instances"]] == numbers[2:]


async def test_gone_looks_different_from_never(renter: Renter) -> None:
    number = await renter.rent()
    await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
    await renter.until_gone(number)

    gone = await renter.call("GET", f"/api/v0/instances/{number}/")
    never = await renter.call("GET", NOWHERE)
    again = await renter.call("DELETE", f"/api/v0/instances/{number}/", {})

    assert (gone.status, gone.body) == (200, {"instances": None})
    assert (never.status, never.body["error"]) == (404, "no_such_instance")
    assert (again.status, again.body["error"]) == (404, "no_such_instance")


async def test_several_machines_end_in_one_call(renter: Renter) -> None:
    numbers = [await renter.rent(ask_id=offer["id"]) for offer in (await renter.offers())[:2]]

    answer = await renter.call("DELETE", "/api/v0/instances/", {"instance_ids": numbers})

    assert answer.body["success"] is True
    for number in numbers:
        await renter.until_gone(number)


async def test_labels_can_be_changed(renter: Renter) -> None:
    number = await renter.rent(label="one")

    await renter.call("PUT", f"/api/v0/instances/{number}/", {"label": "two"})
    too_long = await renter.call("PUT", f"/api/v0/instances/{number}/", {"label": "x" * 1025})

    assert [row["label"] for row in await renter.rows()] == ["two"]
    assert too_long.status == 400


async def test_paths_work_without_the_last_slash(renter: Renter) -> None:
    number = await renter.rent()

    assert (await renter.call("GET", "/api/v1/instances")).status == 200
    assert (await renter.call("GET", f"/api/v0/instances/{number}")).status == 200
    assert (await renter.call("POST", "/api/v0/bundles", {})).status == 200


async def test_the_accounts_ssh_keys_are_kept(renter: Renter) -> None:
    none_yet = await renter.call("GET", "/api/v0/ssh/")
    added = await renter.call("POST", "/api/v0/ssh/", {"ssh_key": renter.public_key})
    listed = await renter.call("GET", "/api/v0/ssh/")
    nonsense = await renter.call("POST", "/api/v0/ssh/", {"ssh_key": "hello"})
    deleted = await renter.call("DELETE", f"/api/v0/ssh/{added.body['key']['id']}/")

    assert none_yet.status == 404
    assert added.body["key"]["public_key"] == renter.public_key
    assert [key["key"] for key in listed.body] == [renter.public_key]
    assert (nonsense.status, nonsense.body["error"]) == (400, "no_ssh_key")
    assert deleted.body["success"] is True
    assert (await renter.call("GET", "/api/v0/ssh/")).status == 404


async def test_logs_are_fetched_without_a_key_and_are_there_a_moment_later(renter: Renter) -> None:
    number = await renter.rent(onstart="#!/bin/sh\necho one; echo two; echo three\n")
    await renter.until_status(number, "running")

    async def log() -> str | None:
        promised = await renter.call("PUT", f"/api/v0/instances/request_logs/{number}/", {"tail": "2"})
        address = promised.body["result_url"].removeprefix(renter.url)
        early = await renter.call("GET", address, key="")
        assert early.status == 404

        async def found() -> str | None:
            answer = await renter.call("GET", address, key="")
            return answer.text if answer.status == 200 else None

        text = await until(found)
        return text if "three" in text else None

    assert await until(log) == "two\nthree\n"


async def test_the_models_are_on_both_mirrors(renter: Renter) -> None:
    files = (await renter.call("GET", "/sandbox/models")).body["files"]

    smallest = min(files, key=lambda file: file["size"])
    assert {file["path"] for file in files} >= {"unet/flux1-schnell.safetensors", "vae/ae.safetensors"}
    assert len(smallest["urls"]) == 2
    for url in smallest["urls"]:
        async with renter.http.get(url) as answer:
            assert len(await answer.read()) == smallest["size"]


async def test_rate_limits_answer_in_plain_text_and_name_the_threshold(renter_of: RenterOf) -> None:
    async with renter_of(rate_limits=True) as renter:
        first, second = [await renter.call("PUT", "/api/v0/asks/1/", ORDER) for _ in range(2)]
        elsewhere = await renter.call("GET", "/api/v0/users/current/")

    assert first.status == 404
    assert (second.status, second.text) == (429, "API requests too frequent: endpoint threshold=4.5")
    assert second.body is None
    assert elsewhere.status == 200


async def test_where_others_rent_too_each_host_can_be_had_once_until_all_had_a_turn(renter_of: RenterOf) -> None:
    async with renter_of(each_host_once=True, hosts=5) as renter:
        rented = []
        for _ in range(6):
            offer = (await renter.offers())[0]
            rented.append(offer["host_id"])
            number = await renter.rent(ask_id=offer["id"])
            await renter.call("DELETE", f"/api/v0/instances/{number}/")
            await renter.until_gone(number)

        assert len(set(rented[:5])) == 5
        assert rented[5] in rented[:5]
