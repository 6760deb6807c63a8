"""Each fault does what its name says, for as long as it was told to."""

import asyncio
import time
from pathlib import Path

import aiohttp
import asyncssh
import pytest

from orchestrator.faults import Fault
from tests.component.sandbox.conftest import RenterOf
from tests.component.sandbox.renter import NoAnswerError, Renter, until
from tests.component.sandbox.test_machines import is_alive

LIST = "/api/v1/instances/"


async def write(renter: Renter, number: int, file: str, size: int) -> str:
    """Write a file on a machine, in a folder of its own, and say how that went."""
    async with renter.ssh(number) as connection:
        done = await connection.run(f"mkdir -p $(dirname {file}); head -c {size} /dev/urandom > {file}")
    return str(done.stderr)


class TestMachines:
    async def test_ssh_never_opens(self, renter: Renter) -> None:
        """It runs, it bills, and the port refuses."""
        await renter.fault("ssh-never-opens")
        row = await renter.until_status(await renter.rent(), "running")
        await asyncio.sleep(0.2)

        with pytest.raises(ConnectionRefusedError):
            await renter.connect(int(row["ports"]["22/tcp"][0]["HostPort"]))

    async def test_ssh_refuses_key(self, renter: Renter) -> None:
        await renter.fault("ssh-refuses-key")

        with pytest.raises(asyncssh.PermissionDenied):
            await renter.say(await renter.rent(), "true")

    async def test_ssh_drops(self, renter: Renter) -> None:
        """The connection breaks again and again; what runs on the machine goes on."""
        number = await renter.rent()
        pid = int(await renter.say(number, "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"))
        async with renter.ssh(number) as connection:
            await renter.fault("ssh-drops", machine=number)
            await connection.wait_closed()

        assert is_alive(pid)
        assert await renter.say(number, "echo back") == "back"

    async def test_vanishes(self, renter: Renter) -> None:
        number = await renter.rent()
        pid = int(await renter.say(number, "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"))

        await renter.fault("vanishes", machine=number)

        await renter.until_gone(number)
        assert await renter.rows() == []
        await until_dead(pid)

    async def test_vanishes_while_models_load(self, renter: Renter) -> None:
        await renter.fault("vanishes-while-models-load")
        number = await renter.rent()
        await write(renter, number, "small", 100_000)
        await asyncio.sleep(0.2)
        assert await renter.show(number) is not None

        await write(renter, number, "models/large.part", 3_000_000)

        await renter.until_gone(number)

    async def test_vanishes_when_ready(self, renter: Renter) -> None:
        await renter.fault("vanishes-when-ready")
        number = await renter.rent()
        await write(renter, number, "models/large", 2_000_000)
        await asyncio.sleep(0.2)
        assert await renter.show(number) is not None

        await write(renter, number, "output/first.png", 10)

        await renter.until_gone(number)

    async def test_vanishes_while_painting(self, renter: Renter, unused_tcp_port: int) -> None:
        """Takes over half a second: ComfyUI starts. After its first picture the next prompt is its last."""
        await renter.fault("vanishes-while-painting")
        number = await renter.rent()
        await renter.say(number, f"setsid comfyui --port {unused_tcp_port} >comfyui.log 2>&1 </dev/null &")
        address = f"http://127.0.0.1:{unused_tcp_port}"
        await until_answers(renter, f"{address}/queue")
        await write(renter, number, "output/first.png", 10)
        await renter.say(number, "until grep -q dies ../image/comfyui-fault; do sleep 0.02; done 2>/dev/null")
        assert await renter.show(number) is not None

        await renter.http.post(f"{address}/prompt", json={"prompt": EMPTY_PICTURE})

        await renter.until_gone(number)

    async def test_goes_offline(self, renter: Renter) -> None:
        """Still listed, dead, and its GPU costs nothing more; destroying it works."""
        number = await renter.rent()
        pid = int(await renter.say(number, "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"))

        await renter.fault("goes-offline", machine=number)

        row = await renter.until_status(number, "offline")
        assert row["ports"] is None
        await until_dead(pid)
        await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
        await renter.until_gone(number)

    async def test_status_flaps(self, renter_of: RenterOf) -> None:
        """Takes a second: slow enough to be seen."""
        async with renter_of(speed=8.0) as renter:
            number = await renter.rent()
            async with renter.ssh(number) as connection:
                await renter.fault("status-flaps", machine=number)
                await renter.until_status(number, "unknown")
                assert (await connection.run("echo works")).stdout == "works\n"
                await renter.until_status(number, "running")

    @pytest.mark.parametrize(
        ("fault", "status", "message"),
        [
            ("stuck-loading", "loading", "Pulling"),
            ("boot-fails", "created", "OCI runtime create failed"),
            ("boot-exits", "exited", "exited with code 1"),
        ],
    )
    async def test_never_boots(self, renter: Renter, fault: str, status: str, message: str) -> None:
        await renter.fault(fault)
        number = await renter.rent()
        row = await renter.until_status(number, status)
        await asyncio.sleep(0.3)

        assert message in row["status_msg"]
        assert (await renter.until_status(number, status))["ports"] is None
        await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
        await renter.until_gone(number)

    async def test_disk_full(self, renter: Renter) -> None:
        await renter.fault("disk-full")
        number = await renter.rent()

        assert await write(renter, number, "small", 500_000) == ""
        assert "File too large" in await write(renter, number, "large", 2_000_000)

    async def test_wrong_gpu(self, renter: Renter) -> None:
        """The offer said 4090."""
        await renter.fault("wrong-gpu")
        number = await renter.rent()

        printed = await renter.say(number, "nvidia-smi --query-gpu=name --format=csv,noheader")

        assert printed == "NVIDIA GeForce RTX 3060"
        row = await renter.show(number)
        assert row is not None
        assert (row["gpu_name"], row["gpu_ram"]) == ("RTX 3060", 12288)

    async def test_dearer_than_offered(self, renter: Renter) -> None:
        [offer] = await renter.offers(limit=1, allocated_storage=40)
        await renter.fault("dearer-than-offered")

        row = await renter.show(await renter.rent(ask_id=offer["id"]))

        assert row is not None
        assert row["dph_total"] == pytest.approx(2 * offer["dph_total"], abs=1e-5)

    @pytest.mark.parametrize(
        ("fault", "word"), [("comfyui-dies", "dies"), ("comfyui-hangs", "hangs"), ("comfyui-oom", "oom")]
    )
    async def test_the_painter_is_told(self, renter: Renter, fault: str, word: str) -> None:
        number = await renter.rent()
        before = await renter.say(number, "cat ../image/comfyui-fault 2>/dev/null || true")

        await renter.fault(fault, machine=number)

        assert before == ""
        assert await renter.say(number, "cat ../image/comfyui-fault") == word

    async def test_destroy_ignored(self, renter: Renter) -> None:
        number = await renter.rent()
        await renter.fault("destroy-ignored", count=2, machine=number)

        for _ in range(2):
            assert (await renter.call("DELETE", f"/api/v0/instances/{number}/", {})).body["success"] is True
        await asyncio.sleep(0.2)
        assert await renter.show(number) is not None

        await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
        await renter.until_gone(number)

    async def test_a_fault_can_be_meant_for_one_host(self, renter: Renter) -> None:
        first, second = (await renter.offers(gpu_name={"neq": "RTX 3060"}))[:2]
        await renter.fault("wrong-gpu", host=second["host_id"])

        rows = [await renter.show(await renter.rent(ask_id=offer["id"])) for offer in (first, second)]

        assert [row["gpu_name"] for row in rows if row] == [first["gpu_name"], "RTX 3060"]

    async def test_a_profile_makes_whole_hosts_bad(self, renter_of: RenterOf) -> None:
        """One of the first user's five never opens SSH, however often it is rented."""
        async with renter_of(faults="first-user") as renter:
            offers = await renter.offers()
            assert len({offer["host_id"] for offer in offers}) == 5
            numbers = [await renter.rent(ask_id=offer["id"]) for offer in offers]
            for number in numbers:
                await renter.until_status(number, "running")
            await asyncio.sleep(0.2)
            silent = {row["host_id"] for row in await renter.rows() if not await accepts(row["ssh_port"])}

        assert len(silent) == 1


class TestOrders:
    async def test_refused_politely(self, renter: Renter) -> None:
        await renter.fault("api-create-success-false")
        answer = await renter.order()

        assert (answer.status, answer.body["success"]) == (200, False)
        assert await renter.rows() == []

    async def test_no_such_ask_although_it_is_listed(self, renter: Renter) -> None:
        await renter.fault("api-create-no-such-ask", count=3)

        assert [(await renter.order()).status for _ in range(4)] == [404, 410, 400, 200]

    async def test_the_answer_is_dropped_and_the_machine_is_there(self, renter: Renter) -> None:
        await renter.fault("api-drops-create-answer")

        with pytest.raises(NoAnswerError):
            await renter.order(label="lost")

        assert [row["label"] for row in await renter.rows()] == ["lost"]

    async def test_the_answer_names_no_contract_and_the_machine_is_there(self, renter: Renter) -> None:
        await renter.fault("api-create-answer-without-id")
        answer = await renter.order(label="lost")

        assert (answer.status, answer.body) == (200, {"success": True})
        assert [row["label"] for row in await renter.rows()] == ["lost"]

    async def test_an_error_that_has_made_a_machine_all_the_same(self, renter: Renter) -> None:
        await renter.fault("api-create-error-with-contract")
        answer = await renter.order()
        [row] = await renter.rows()

        assert (answer.status, answer.body["new_contract"]) == (400, row["id"])
        assert row["intended_status"] == "stopped"

    async def test_a_failed_order_is_not_listed_at_first(self, renter_of: RenterOf) -> None:
        """A slow cloud, so that the look is early enough."""
        async with renter_of(speed=0.1) as renter:
            await renter.fault("late-machine")

            assert (await renter.order(label="late")).status == 504
            assert await renter.rows() == []
            assert len((await renter.call("GET", "/sandbox/bill")).body["machines"]) == 1

    async def test_a_failed_order_turns_up_later(self, renter: Renter) -> None:
        await renter.fault("late-machine")
        await renter.order(label="late")

        async def turned_up() -> bool:
            return [row["label"] for row in await renter.rows()] == ["late"]

        assert await until(turned_up)

    async def test_no_money(self, renter: Renter) -> None:
        await renter.fault("no-money")
        answer = await renter.order()

        assert (answer.status, answer.body["error"]) == (400, "insufficient_credit")

    async def test_one_offer_is_sold_twice(self, renter: Renter) -> None:
        """Both orders are accepted; the second machine never boots and says nothing."""
        [offer] = await renter.offers(limit=1)
        await renter.fault("offer-sold-twice")
        first, second, third = [await renter.order(offer["id"]) for _ in range(3)]

        assert (first.status, second.status, third.status) == (200, 200, 404)
        await renter.until_status(first.body["new_contract"], "running")
        row = await renter.until_status(second.body["new_contract"], "created")
        assert row["status_msg"] is None


class TestListings:
    async def test_empty(self, renter: Renter) -> None:
        number = await renter.rent()
        await renter.fault("listing-empty")

        assert await renter.rows() == []
        assert [row["id"] for row in await renter.rows()] == [number]

    async def test_truncated(self, renter: Renter) -> None:
        for offer in (await renter.offers())[:4]:
            await renter.rent(ask_id=offer["id"])
        await renter.fault("listing-truncated")

        body = (await renter.call("GET", LIST)).body

        assert (len(body["instances"]), body["total_instances"], body["next_token"]) == (2, 4, None)

    async def test_stale(self, renter: Renter) -> None:
        before = await renter.rent(ask_id=(await renter.offers())[0]["id"])
        await renter.fault("listing-stale", count=1)
        after = await renter.rent(ask_id=(await renter.offers())[0]["id"])

        assert [row["id"] for row in await renter.rows()] == [before]
        assert [row["id"] for row in await renter.rows()] == [before, after]

    async def test_retired(self, renter: Renter) -> None:
        await renter.fault("listing-410")
        answer = await renter.call("GET", LIST)

        assert (answer.status, answer.body["error"]) == (410, "deprecated_endpoint")

    async def test_reshaped(self, renter: Renter) -> None:
        await renter.rent()
        await renter.fault("listing-reshaped")
        body = (await renter.call("GET", LIST)).body

        assert "instances" not in body
        assert body["success"] is True


class TestRequests:
    async def test_429_in_plain_text(self, renter: Renter) -> None:
        await renter.fault("api-429")
        answers = [await renter.call("GET", LIST) for _ in range(2)]

        assert [answer.status for answer in answers] == [429, 200]
        assert answers[0].text == "API requests too frequent"

    async def test_429_with_a_time(self, renter: Renter) -> None:
        await renter.fault("api-429-retry-after")

        async with renter.http.get(renter.url + LIST, headers={"Authorization": f"Bearer {renter.key}"}) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")

    async def test_the_days_quota_is_used_up(self, renter: Renter) -> None:
        await renter.fault("api-quota")

        async with renter.http.post(f"{renter.url}/api/v0/bundles/", json={}) as answer:
            assert answer.status == 429
            assert int(answer.headers["X-RateLimit-Reset"]) > 0
            assert (await answer.json())["error"] == "search_quota_exceeded"

    async def test_500(self, renter: Renter) -> None:
        await renter.fault("api-500", count=2)

        assert [(await renter.call("GET", LIST)).status for _ in range(3)] == [500, 500, 200]

    async def test_garbage(self, renter: Renter) -> None:
        await renter.fault("api-garbage")
        answer = await renter.call("GET", LIST)

        assert answer.status == 200
        assert answer.text.startswith("<!doctype html>")

    async def test_it_hangs(self, renter: Renter) -> None:
        await renter.fault("api-hangs")

        with pytest.raises(TimeoutError):
            await renter.call("GET", LIST, timeout=aiohttp.ClientTimeout(total=0.2))

    async def test_a_revoked_key_looks_like_a_machine_that_is_gone(self, renter: Renter) -> None:
        number = await renter.rent()
        await renter.fault("key-revoked")
        answer = await renter.call("GET", f"/api/v0/instances/{number}/")

        assert (answer.status, answer.body["error"]) == (404, "auth_error")

    async def test_a_fault_can_be_meant_for_one_kind_of_request(self, renter: Renter) -> None:
        await renter.fault("api-500", operation="destroy")

        assert (await renter.call("GET", LIST)).status == 200
        assert (await renter.call("DELETE", "/api/v0/instances/1/", {})).status == 500

    async def test_the_sandboxs_own_requests_are_spared(self, renter: Renter) -> None:
        """Whoever has made trouble can always see the bill and end the trouble."""
        await renter.fault("api-500", count=None)
        await renter.fault("key-revoked", count=None)

        assert (await renter.call("GET", "/sandbox/bill")).status == 200
        await renter.call("DELETE", "/sandbox/faults")
        assert (await renter.call("GET", LIST)).status == 200


class TestMirrors:
    @pytest.fixture
    async def urls(self, renter: Renter) -> list[str]:
        """Where the smallest model file is."""
        files = (await renter.call("GET", "/sandbox/models")).body["files"]
        return list(min(files, key=lambda file: int(file["size"]))["urls"])

    async def test_bad_checksum_on_one_mirror(self, renter: Renter, urls: list[str]) -> None:
        await renter.fault("bad-checksum", mirror=0)

        bad, good, healed = [await fetch(renter, urls[index]) for index in (0, 1, 0)]

        assert bad != good == healed
        assert len(bad) == len(good)

    async def test_both_mirrors_die(self, renter: Renter, urls: list[str]) -> None:
        await renter.fault("mirror-dies", count=None)

        for url in urls:
            with pytest.raises(aiohttp.ClientError):
                await fetch(renter, url)
        await renter.call("DELETE", "/sandbox/faults")
        assert await fetch(renter, urls[0])

    async def test_slow_link(self, renter: Renter, urls: list[str]) -> None:
        """Takes half a second: the fast one must be done long before the slow one."""
        await renter.fault("slow-link", mirror=0)
        begun = time.monotonic()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await fetch(renter, urls[0])

        assert time.monotonic() - begun < 5


async def test_unknown_faults_and_profiles_are_refused_with_the_list_of_known_ones(renter: Renter) -> None:
    fault = await renter.call("POST", "/sandbox/faults", {"fault": "typo"})
    profile = await renter.call("PUT", "/sandbox/profile", {"profile": "typo"})

    assert fault.status == profile.status == 400
    assert all(known in fault.body["msg"] for known in Fault)
    assert "first-user" in profile.body["msg"]


async def test_what_is_pending_can_be_seen(renter: Renter) -> None:
    await renter.fault("wrong-gpu", count=2)

    body = (await renter.call("GET", "/sandbox/faults")).body

    assert body == {
        "profile": "none",
        "pending": [{"fault": "wrong-gpu", "count": 2, "machine": None, "host": None, "operation": None}],
    }


EMPTY_PICTURE = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}


async def fetch(renter: Renter, url: str) -> bytes:
    async with renter.http.get(url) as answer:
        return await answer.read()


async def accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


async def until_answers(renter: Renter, url: str) -> None:
    async def answers() -> bool:
        try:
            return bool(await fetch(renter, url))
        except aiohttp.ClientError:
            return False

    await until(answers)


async def until_dead(pid: int) -> None:
    async def is_dead() -> bool:
        return not is_alive(pid)

    await until(is_dead)


def test_the_sandbox_keeps_no_fault_to_itself() -> None:
    """Each fault is named in a module of the sandbox: a name without a deed would be a lie."""
    folder = Path(__file__).parents[3] / "orchestrator" / "sandbox"
    code = "\n".join(file.read_text() for file in folder.glob("*.py"))

    assert [fault for fault in Fault if f"Fault.{fault.name}" not in code] == []
