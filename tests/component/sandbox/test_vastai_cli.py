"""The official command-line client works against the sandbox unchanged: proof that the wire format is right."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.component.sandbox.renter import Renter

VASTAI = Path(sys.executable).parent / "vastai"
LIMIT_S = 60
Vastai = Callable[..., Any]


def run_apart(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.fixture
def vastai(renter: Renter, tmp_path: Path) -> Vastai:
    """Run the client with a HOME of its own; give what it printed, parsed where `--raw` makes it JSON."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "VASTAI_NO_UPDATE_CHECK": "1", "COLUMNS": "200"}

    async def run(*words: str, raw: bool = True) -> Any:
        options = ["--url", renter.url, "--api-key", renter.key, *(["--raw"] if raw else [])]
        command = [str(VASTAI), *words, *options]
        done = await asyncio.to_thread(lambda: run_apart(command, environment, home))
        assert done.returncode == 0, done.stderr
        assert "rror" not in done.stderr, done.stderr
        return json.loads(done.stdout) if raw else done.stdout

    return run


async def test_a_machine_from_search_to_end(vastai: Vastai, renter: Renter) -> None:
    """Takes seconds: each command is a Python of its own."""
    created_key = await vastai("create", "ssh-key", renter.public_key, raw=False)
    keys = await vastai("show", "ssh-keys")
    query = "gpu_name=RTX_4090 num_gpus=1 reliability>0.9 gpu_ram>20 geolocation notin [CN,VN] driver_version>=535.0.0"
    offers = await vastai("search", "offers", query, "--order", "dph", "--storage", "40", "--limit", "5")
    order = await vastai(
        "create", "instance", str(offers[0]["id"]), "--image", "example/comfyui:1", "--disk", "40", "--ssh", "--direct",
        "--label", "by-hand", "--env", "-p 8188:8188 -e FOO=bar", "--onstart-cmd", "echo hi", "--cancel-unavail",
    )  # fmt: skip
    number = order["new_contract"]
    running = await renter.until_status(number, "running")
    one = await vastai("show", "instance", str(number))
    several = await vastai("show", "instances")
    address = await vastai("ssh-url", str(number), raw=False)
    async with renter.ssh(number) as connection:
        said = await connection.run("echo $FOO")
    destroyed = await vastai("destroy", "instance", str(number), "--yes", raw=False)
    await renter.until_gone(number)

    assert "ssh-key created" in created_key
    assert [key["key"] for key in keys] == [renter.public_key]
    assert {offer["gpu_name"] for offer in offers} == {"RTX 4090"}
    assert order["success"] is True
    assert (one["id"], one["label"], one["actual_status"]) == (number, "by-hand", "running")
    assert one["extra_env"]["FOO"] == "bar"
    assert [row["id"] for row in several] == [number]
    assert address.strip() == f"ssh://root@127.0.0.1:{running['ports']['22/tcp'][0]['HostPort']}"
    assert said.stdout == "bar\n"
    assert f"destroying instance {number}" in destroyed


async def test_what_it_prints_for_people(vastai: Vastai, renter: Renter) -> None:
    """Takes seconds: each command is a Python of its own. Tables need fields that programs do not."""
    number = await renter.rent(label="by-hand")

    offers = await vastai("search", "offers", "--no-default", raw=False)
    instances = await vastai("show", "instances", raw=False)
    user = await vastai("show", "user", raw=False)
    gone = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    attached = await vastai("attach", "ssh", str(number), gone, raw=False)
    labelled = await vastai("label", "instance", str(number), "other", raw=False)

    assert "RTX_4090" in offers
    assert str(number) in instances
    assert "sandbox@localhost" in user
    assert "SSH key attached successfully" in attached
    assert "other" in labelled


async def test_the_balance_is_shown_and_the_key_is_not(vastai: Vastai, renter: Renter) -> None:
    user = await vastai("show", "user")

    assert user["credit"] == 25.0
    assert renter.key not in json.dumps(user)


async def test_it_reads_the_logs_of_a_machine(vastai: Vastai, renter: Renter) -> None:
    """Takes a second and a half: the client starts, and the log is uploaded."""
    number = await renter.rent(onstart="echo hello from onstart")
    await renter.say(number, "while ! grep -q hello onstart.log; do sleep 0.05; done")

    assert "hello from onstart" in await vastai("logs", str(number), raw=False)
