"""Which SSH key gets onto a machine, and how."""

import asyncio
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.vast.cloud import VastCloud
from orchestrator.adapters.clouds.vast.onstart import LONGEST, first_steps, plain_key
from orchestrator.domain.errors import AccountProblem, CloudUnavailable, LaunchUncertain
from orchestrator.domain.ids import LaunchKey
from tests.adapters.vast.conftest import OpenVast
from tests.adapters.vast.scripted import Reply, ScriptedVast, recorded
from tests.contract.cloud_suite import KEY, NEEDS, ORDER

PLAIN = plain_key(ORDER.ssh_public_key)
MAY_NOT = Reply(status=403, body={"success": False, "error": "auth_error", "msg": "no permission: user_write"})


async def test_the_first_order_registers_the_key_and_the_second_does_not(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.stock(2)

    for offer in await cloud.offers(NEEDS):
        await cloud.launch(offer, KEY, ORDER)

    assert vast.ssh_keys == [PLAIN]
    assert (vast.count("keys"), vast.count("add_key"), vast.count("launch")) == (1, 1, 2)
    assert [seen.operation for seen in vast.seen[:4]] == ["search", "keys", "add_key", "launch"]


async def test_orders_that_race_register_the_key_once(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.stock(4)
    offers = await cloud.offers(NEEDS)

    async with asyncio.TaskGroup() as tasks:
        for offer in offers:
            tasks.create_task(cloud.launch(offer, LaunchKey(f"k{offer.id}"), ORDER))

    assert vast.ssh_keys == [PLAIN]
    assert vast.count("launch") == 4


async def test_a_key_that_the_account_has_is_not_added_again(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.stock(1)
    vast.ssh_keys = [recorded("keys")[0]["key"], f"{PLAIN} with another comment"]

    await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    assert vast.count("add_key") == 0


async def test_an_account_key_that_may_not_manage_keys_gives_ours_to_the_machine(
    vast: ScriptedVast, cloud: VastCloud
) -> None:
    vast.stock(1)
    vast.always(MAY_NOT, "keys", "add_key")

    ref = await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    assert vast.attached == [(int(ref), PLAIN)]


@pytest.mark.parametrize("then", ["drop", "send"])
async def test_a_machine_that_exists_is_told_even_if_it_did_not_get_the_key(
    vast: ScriptedVast, cloud: VastCloud, then: str
) -> None:
    """The order has succeeded and costs money; the machine lets us in by its own first steps."""
    vast.stock(1)
    vast.always(MAY_NOT, "keys")
    vast.always(Reply(status=500, body=b"", then=then), "attach")

    ref = await cloud.launch((await cloud.offers(NEEDS))[0], KEY, ORDER)

    assert [rental.ref for rental in await cloud.rentals()] == [ref]


@pytest.mark.parametrize("operation", ["keys", "add_key"])
@pytest.mark.parametrize("then", ["send", "hang"])
async def test_nothing_is_ordered_while_the_key_cannot_be_registered(
    vast: ScriptedVast, open_vast: OpenVast, operation: str, then: str
) -> None:
    vast.stock(1)
    cloud = open_vast(limits=Limits(launch=timedelta(seconds=0.1 if then == "hang" else 60)))
    offer = (await cloud.offers(NEEDS))[0]
    vast.always(Reply(status=502, body=b"", then=then), operation)

    with pytest.raises(CloudUnavailable) as raised:
        await cloud.launch(offer, KEY, ORDER)

    assert not isinstance(raised.value, LaunchUncertain)
    assert vast.count("launch") == 0


async def test_a_revoked_account_key_is_found_by_the_order_itself(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.stock(1)
    offer = (await cloud.offers(NEEDS))[0]
    vast.always(MAY_NOT)

    with pytest.raises(AccountProblem):
        await cloud.launch(offer, KEY, ORDER)


@pytest.mark.parametrize("key", ["", "hello", "-----BEGIN OPENSSH PRIVATE KEY----- abc", "ssh-ed25519"])
def test_what_is_no_public_key_is_never_sent(key: str) -> None:
    with pytest.raises(ValueError, match="not a public key"):
        first_steps(key)


def test_first_steps_that_the_cloud_would_not_take_are_refused() -> None:
    assert len(first_steps(ORDER.ssh_public_key)) < LONGEST / 2
    with pytest.raises(ValueError, match="4096"):
        first_steps(f"ssh-rsa {'A' * 4096}")


def test_a_key_is_data_to_the_shell(tmp_path: Path) -> None:
    _run(first_steps("ssh-ed25519 AAAA$(touch${IFS}pwned)';touch${IFS}pwned;'"), tmp_path)

    assert not list(tmp_path.glob("**/pwned"))


def test_first_steps_can_be_repeated_and_stay_in_their_folder(tmp_path: Path) -> None:
    """They run again at each start of the container."""
    script = first_steps(ORDER.ssh_public_key)
    (tmp_path / "root" / ".ssh").mkdir(parents=True)
    keys = tmp_path / "root" / ".ssh" / "authorized_keys"
    keys.write_text("ssh-ed25519 AAAAother no-newline-at-the-end")

    for _ in range(2):
        _run(script, tmp_path)

    assert [line for line in keys.read_text().splitlines() if line] == [
        "ssh-ed25519 AAAAother no-newline-at-the-end",
        PLAIN,
    ]
    assert (tmp_path / "root" / ".no_auto_tmux").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"root", "onstart.sh"}


def test_logins_see_the_environment_of_the_container_and_nobody_else_does(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "environment").write_text('LANG="C.UTF-8"\n')
    script = first_steps(ORDER.ssh_public_key).replace("/etc", str(etc))

    for container in ("1", "2"):
        _run(script, tmp_path, GLOWPLUG_ROOT="", CONTAINER_ID=container, CONTAINER_API_KEY="own key", ODD="a\nB")

    lines = (etc / "environment").read_text().splitlines()
    assert lines[0] == 'LANG="C.UTF-8"'
    own = sorted(line for line in lines if line.startswith("CONTAINER_"))
    assert own == ["CONTAINER_API_KEY=own key", "CONTAINER_ID=2"]
    assert [path.name for path in etc.iterdir() if path.stat().st_mode & 0o077] == []


def _run(script: str, folder: Path, **more: str) -> None:
    root = folder / "root"
    root.mkdir(exist_ok=True)
    path = folder / "onstart.sh"
    path.write_text(script)
    path.chmod(0o700)
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GLOWPLUG_ROOT": str(root), **more}
    done = subprocess.run(["bash", path], check=False, cwd=root, env=environment, capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")
