"""Machines of the sandbox: real SSH, real processes, and nothing left of them."""

import asyncio
import json
import os
from pathlib import Path

import aiohttp
import asyncssh
import pytest

from tests.component.sandbox.conftest import RenterOf
from tests.component.sandbox.renter import Renter, until


async def test_at_first_nobody_has_looked_at_the_order(renter_of: RenterOf) -> None:
    """A slow cloud, so that the first look is early enough."""
    async with renter_of(speed=0.1) as renter:
        row = await renter.show(await renter.rent())

    assert row is not None
    assert row["actual_status"] is None
    assert row["ports"] is None


async def test_then_it_loads(renter: Renter) -> None:
    """Stuck there, so that no look is too late."""
    await renter.fault("stuck-loading")
    row = await renter.until_status(await renter.rent(), "loading")

    assert row["ports"] is None
    assert "Pulling" in row["status_msg"]


async def test_a_running_machine_says_where_it_is(renter: Renter) -> None:
    row = await renter.until_status(await renter.rent(label="mine"), "running")

    assert [sorted(entry) for entry in row["ports"]["22/tcp"]] == [["HostIp", "HostPort"]] * 2
    assert row["ports"]["22/tcp"][0]["HostPort"] == str(row["ssh_port"])
    assert row["public_ipaddr"] == "127.0.0.1\n"
    assert row["label"] == "mine"
    assert row["status_msg"].startswith("success, running")


async def test_a_command_has_its_streams_and_its_status(renter: Renter) -> None:
    async with renter.ssh(await renter.rent()) as connection:
        result = await connection.run("cat; echo oops >&2; exit 7", input="hello")

    assert (result.stdout, result.stderr, result.exit_status) == ("hello", "oops\n", 7)


async def test_megabytes_go_both_ways_unharmed(renter: Renter) -> None:
    text = "0123456789abcdef" * 200_000
    async with renter.ssh(await renter.rent()) as connection:
        result = await connection.run("cat", input=text)

    assert result.stdout == text


async def test_output_arrives_while_the_command_runs(renter: Renter) -> None:
    async with renter.ssh(await renter.rent()) as connection, connection.create_process("echo one; read x") as process:
        assert await process.stdout.readline() == "one\n"

        process.stdin.write("\n")
        process.stdin.write_eof()
        assert (await process.wait()).exit_status == 0


@pytest.mark.parametrize("stdin", [asyncssh.PIPE, asyncssh.DEVNULL])
async def test_a_signal_reaches_the_command(renter: Renter, stdin: int) -> None:
    """Also when its standard input has ended before."""
    async with renter.ssh(await renter.rent()) as connection:
        process = await connection.create_process("echo up; exec sleep 60", stdin=stdin)
        await process.stdout.readline()
        process.send_signal("TERM")
        result = await process.wait()

    assert result.exit_signal is not None
    assert result.exit_signal[0] == "TERM"


async def test_a_command_that_nobody_reads_is_held_back_and_not_lost(renter: Renter) -> None:
    async with renter.ssh(await renter.rent()) as connection:
        process = await connection.create_process("head -c 8000000 /dev/zero", encoding=None)
        await asyncio.sleep(0.2)
        result = await process.wait()

    assert len(result.stdout or b"") == 8_000_000


async def test_a_shell_takes_commands_from_its_input(renter: Renter) -> None:
    async with renter.ssh(await renter.rent()) as connection:
        result = await connection.run(input="echo $((6 * 7))\n")

    assert result.stdout == "42\n"


async def test_commands_see_what_is_allowed_and_nothing_else(renter: Renter, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token of ours reaches a machine."""
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    number = await renter.rent(env={"WORKFLOW": "flux", "-p 8188:8188": "1", "PATH": "/nowhere", "HOME": "/nowhere"})

    printed = await renter.say(number, "env -0 | tr '\\0' '\\n'; pwd")

    lines = printed.splitlines()
    seen = dict(line.split("=", 1) for line in lines[:-1])
    root = seen["GLOWPLUG_ROOT"]
    assert seen["HOME"] == root == lines[-1]
    assert seen["TMPDIR"].startswith(root)
    assert seen["WORKFLOW"] == "flux"
    assert seen["CONTAINER_ID"] == str(number)
    assert seen["VAST_CONTAINERLABEL"] == f"C.{number}"
    assert seen["PATH"].endswith(":/usr/bin:/bin")
    assert set(seen) == {
        "CONTAINER_API_KEY",
        "CONTAINER_ID",
        "GLOWPLUG_MACHINE",
        "GLOWPLUG_ROOT",
        "GPU_COUNT",
        "HOME",
        "LANG",
        "PATH",
        "PUBLIC_IPADDR",
        "PWD",
        "PYTHONDONTWRITEBYTECODE",
        "SHELL",
        "TMPDIR",
        "USER",
        "VAST_CONTAINERLABEL",
        "WORKFLOW",
    }


async def test_processes_have_limits(renter: Renter) -> None:
    assert await renter.say(await renter.rent(), "ulimit -c; ulimit -n; ulimit -f") == "0\n4096\n4194304"


async def test_the_image_brings_the_programs_of_a_gpu_machine(renter: Renter) -> None:
    ask = "--query-gpu=name,memory.total,driver_version --format=csv,noheader"
    number = await renter.rent()

    printed = await renter.say(
        number, f"nvidia-smi {ask},nounits; nvidia-smi {ask}; nvidia-smi | head -1; python3 -c 'print(6*7)'"
    )

    row = await renter.show(number)
    assert row is not None
    driver = row["driver_version"]
    assert printed.splitlines()[:2] == [
        f"NVIDIA GeForce RTX 4090, 24564, {driver}",
        f"NVIDIA GeForce RTX 4090, 24564 MiB, {driver}",
    ]
    assert printed.splitlines()[2].startswith("NVIDIA-SMI")
    assert printed.splitlines()[3] == "42"


async def test_the_start_command_runs_at_boot(renter: Renter) -> None:
    number = await renter.rent(onstart="#!/bin/sh\necho $CONTAINER_ID > booted\necho said\n")

    async def booted() -> str:
        return await renter.say(number, "cat booted onstart.log 2>/dev/null || true")

    assert await until(booted) == f"{number}\nsaid"


async def test_after_a_reboot_the_host_key_is_the_same_and_the_port_is_not(renter: Renter) -> None:
    number = await renter.rent()

    async def look() -> tuple[bytes, int]:
        async with renter.ssh(number) as connection:
            key = connection.get_server_host_key()
            assert key is not None
            return key.export_public_key(), connection.get_extra_info("peername")[1]

    first_key, first_port = await look()
    await renter.call("PUT", f"/api/v0/instances/reboot/{number}/", {})

    async def has_moved() -> bool:
        row = await renter.show(number)
        return row is not None and row["ssh_port"] != first_port

    await until(has_moved)
    second_key, second_port = await look()

    assert first_key == second_key
    assert first_port != second_port


async def test_only_known_keys_get_in(renter: Renter) -> None:
    number = await renter.rent()
    async with renter.ssh(number) as connection:
        port = connection.get_extra_info("peername")[1]
    stranger = asyncssh.generate_private_key("ssh-ed25519")

    with pytest.raises(asyncssh.PermissionDenied):
        await renter.connect(port, client_keys=[stranger])
    with pytest.raises(asyncssh.PermissionDenied):
        await renter.connect(port, username="somebody")
    with pytest.raises(asyncssh.PermissionDenied):
        await renter.connect(port, client_keys=None, password="root")


async def test_account_keys_get_into_later_machines_alone_and_attached_ones_at_once(renter: Renter) -> None:
    number = await renter.rent()
    async with renter.ssh(number) as connection:
        port = connection.get_extra_info("peername")[1]
    late = asyncssh.generate_private_key("ssh-ed25519")
    text = late.export_public_key().decode()
    await renter.call("POST", "/api/v0/ssh/", {"ssh_key": text})

    with pytest.raises(asyncssh.PermissionDenied):
        await renter.connect(port, client_keys=[late])
    attached = await renter.call("POST", f"/api/v0/instances/{number}/ssh/", {"ssh_key": text})
    async with await renter.connect(port, client_keys=[late]):
        pass
    shown = await renter.call("GET", f"/api/v0/instances/{number}/ssh/")

    assert attached.body == {"success": True, "msg": "SSH key attached successfully"}
    [key] = json.loads(shown.body["ssh_keys"])
    await renter.call("DELETE", f"/api/v0/instances/{number}/ssh/{key['id']}/")
    with pytest.raises(asyncssh.PermissionDenied):
        await renter.connect(port, client_keys=[late])


async def test_a_tunnel_reaches_the_machines_loopback(renter: Renter, tmp_path: Path) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello from inside")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, renter.ssh(await renter.rent()) as connection:
        await connection.forward_local_path_to_port(str(tmp_path / "socket"), "127.0.0.1", port)
        reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")

        assert await reader.read() == b"hello from inside"
        writer.close()


async def test_nothing_else_is_forwarded(renter: Renter) -> None:
    """No port of another computer, none of ours towards the machine, no socket, no terminal, no files by SFTP."""
    async with renter.ssh(await renter.rent()) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("192.0.2.1", 80)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection("/tmp/any")
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 1)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("true", term_type="xterm")
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.start_sftp_client()


async def test_a_daemon_outlives_the_connection_and_not_the_machine(renter: Renter) -> None:
    number = await renter.rent()
    pid = int(await renter.say(number, "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"))
    stubborn = int(await renter.say(number, "(trap '' TERM HUP; exec sleep 1000) >/dev/null 2>&1 </dev/null & echo $!"))
    folder = Path(await renter.say(number, "pwd"))
    assert is_alive(pid)
    assert is_alive(stubborn)

    await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
    await renter.until_gone(number)

    assert not is_alive(pid)
    assert not is_alive(stubborn)
    assert not folder.parent.exists()


async def test_the_end_of_one_machine_spares_the_others(renter: Renter) -> None:
    """Numbers that begin alike are not taken for one another."""
    one, other = await renter.rent(), await renter.rent(ask_id=(await renter.offers())[0]["id"])
    pid = int(await renter.say(other, "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"))

    await renter.call("DELETE", f"/api/v0/instances/{one}/", {})
    await renter.until_gone(one)

    assert is_alive(pid)
    assert await renter.show(other) is not None


async def test_a_broken_connection_ends_no_process(renter: Renter) -> None:
    """As with OpenSSH; only what writes into the closed pipe notices."""
    number = await renter.rent()
    async with renter.ssh(number) as connection:
        process = await connection.create_process("echo $$; exec sleep 1000")
        pid = int(await process.stdout.readline())
        connection.abort()

    assert await renter.say(number, "echo still here") == "still here"
    assert is_alive(pid)


async def test_a_machine_can_be_stopped_and_started(renter: Renter) -> None:
    number = await renter.rent()
    await renter.say(number, "echo kept > file")

    await renter.call("PUT", f"/api/v0/instances/{number}/", {"state": "stopped"})
    stopped = await renter.until_status(number, "exited")
    await renter.call("PUT", f"/api/v0/instances/{number}/", {"state": "running"})

    assert stopped["intended_status"] == "stopped"
    assert stopped["ports"] is None
    assert await renter.say(number, "cat file") == "kept"


async def test_a_machines_own_key_opens_that_machine_alone(renter: Renter) -> None:
    """What the dead-man's switch ends it with; it must be worth nothing else to whoever finds it."""
    await renter.rent()
    other = await renter.rent(ask_id=(await renter.offers())[0]["id"])
    own = await renter.say(other, "echo $CONTAINER_API_KEY")
    mine = f"/api/v0/instances/{other}/"

    assert (await renter.call("GET", mine, key=own)).status == 200
    assert (await renter.call("PUT", mine, {"label": "x"}, key=own)).status == 200
    for method, path in (
        ("GET", f"/api/v0/instances/{other - 1}/"),
        ("GET", "/api/v1/instances/"),
        ("GET", "/api/v0/users/current/"),
        ("GET", "/sandbox/bill"),
        ("POST", "/sandbox/faults"),
        ("PUT", "/api/v0/asks/1/"),
        ("POST", f"/api/v0/instances/{other}/ssh/"),
    ):
        assert (await renter.call(method, path, key=own)).status == 403, path
    assert (await renter.call("DELETE", mine, {}, key=own)).body["success"] is True
    await renter.until_gone(other)
    assert (await renter.call("GET", mine, key=own)).status == 404


SELF_DESTRUCT = """#!/bin/sh
python3 - <<'END'
import os, urllib.request
address = f"{os.environ['CLOUD']}/api/v0/instances/{os.environ['CONTAINER_ID']}/"
headers = {"Authorization": "Bearer " + os.environ["CONTAINER_API_KEY"]}
urllib.request.urlopen(urllib.request.Request(address, b"{}", method="DELETE", headers=headers))
END
"""


async def test_a_machine_can_destroy_itself(renter: Renter) -> None:
    """A dead-man's switch in the start command needs nobody's key but the machine's own."""
    number = await renter.rent(env={"CLOUD": renter.url}, onstart=SELF_DESTRUCT)

    await renter.until_gone(number)


async def test_comfyui_is_there_and_dies_with_the_machine(renter: Renter, unused_tcp_port: int) -> None:
    """Over half a second: it is a real server that starts."""
    number = await renter.rent()
    started = f"setsid comfyui --port {unused_tcp_port} >comfyui.log 2>&1 </dev/null &"
    await renter.say(number, started)
    address = f"http://127.0.0.1:{unused_tcp_port}/system_stats"

    async def answers() -> bool:
        try:
            async with renter.http.get(address) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def is_dead() -> bool:
        return not await answers()

    assert await until(answers)
    await renter.call("DELETE", f"/api/v0/instances/{number}/", {})
    assert await until(is_dead)


async def test_our_package_is_not_importable_on_a_machine(renter: Renter) -> None:
    printed = await renter.say(await renter.rent(), "echo ${PYTHONPATH-none}")

    assert printed == "none"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_this_process_is_alive() -> None:
    assert is_alive(os.getpid())
