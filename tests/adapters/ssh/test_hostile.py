"""A machine that lets us in and means us harm reaches nothing of ours over the connection."""

import asyncio
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest
from asyncssh.packet import String, UInt32

from orchestrator.domain.errors import HostUnreachable
from tests.adapters.ssh.hostile import agent, hostile_server, pulled_towards_us

SOON = timedelta(seconds=10)
SHORT = timedelta(milliseconds=300)
FORGED = "bye\x1b[2J\x9b31m\r\nERROR the operator's key was stolen\u2028\u202e" + "x" * 5000
WHERE = (String("127.0.0.1"), UInt32(22), String("127.0.0.1"), UInt32(1))
TOWARDS_US = {
    "an agent": (b"auth-agent@openssh.com",),
    "a display": (b"x11", String("127.0.0.1"), UInt32(1)),
    "a port of ours": (b"forwarded-tcpip", *WHERE),
    "a port by way of us": (b"direct-tcpip", *WHERE),
    "a socket of ours": (b"forwarded-streamlocal@openssh.com", String("/run/docker.sock"), String("")),
    "a socket by way of us": (
        b"direct-streamlocal@openssh.com",
        *(String("/run/docker.sock"), String(""), UInt32(0)),
    ),
    "a shell": (b"session",),
    "a network": (b"tun@openssh.com", UInt32(1), UInt32(0)),
}


async def test_no_channel_leads_from_the_machine_to_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with a tunnel open, and with an agent and a display to be had."""
    monkeypatch.setenv("DISPLAY", ":0")
    answers: dict[str, str] = {}

    async def pull(process: asyncssh.SSHServerProcess[bytes]) -> None:
        connection = process.channel.get_connection()
        assert isinstance(connection, asyncssh.SSHServerConnection)
        for name, opening in TOWARDS_US.items():
            answers[name] = await pulled_towards_us(connection, *opening)

    async with agent(tmp_path, monkeypatch) as came, hostile_server() as machine:
        machine.trick = pull
        host = await machine.login()
        await host.tunnel(22)
        await host.run("true", limit=SOON)
        await host.close()

    assert answers.keys() == TOWARDS_US.keys()
    assert [name for name, said in answers.items() if said == "opened"] == []
    assert came == []


async def test_a_machine_that_is_not_the_pinned_one_is_not_shown_our_key() -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    async with hostile_server() as machine:
        with pytest.raises(HostUnreachable, match="HostKeyNotVerifiable"):
            await machine.login(host_key=other)

    assert machine.shown == []


async def test_what_a_machine_says_as_it_hangs_up_is_one_short_line() -> None:
    async with hostile_server() as machine:
        machine.greets = lambda connection: connection.disconnect(asyncssh.DISC_BY_APPLICATION, FORGED)

        with pytest.raises(HostUnreachable, match="bye") as caught:
            await machine.login()

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


async def test_what_a_machine_says_as_it_refuses_a_tunnel_or_a_command_is_one_short_line() -> None:
    async def hang_up(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.channel.get_connection().disconnect(asyncssh.DISC_BY_APPLICATION, FORGED)
        await asyncio.sleep(60)

    async with hostile_server() as machine:
        machine.trick = hang_up
        host = await machine.login()

        with pytest.raises(HostUnreachable) as caught:
            await host.run("true", limit=SOON)
        await host.close()

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


async def test_a_command_whose_output_has_no_end_is_given_up_in_time() -> None:
    async def talk(process: asyncssh.SSHServerProcess[bytes]) -> None:
        while True:
            process.stdout.write(b"x" * 65536)
            await process.stdout.drain()

    async with hostile_server() as machine:
        machine.trick = talk
        host = await machine.login()

        with pytest.raises(HostUnreachable, match="in time"):
            await host.run("true", limit=SHORT)
        await host.close()


async def test_a_command_that_drips_is_given_up_in_time() -> None:
    """A byte now and then keeps no limit from passing."""

    async def drip(process: asyncssh.SSHServerProcess[bytes]) -> None:
        while True:
            process.stdout.write(b".")
            await asyncio.sleep(0.02)

    async with hostile_server() as machine:
        machine.trick = drip
        host = await machine.login()

        with pytest.raises(HostUnreachable, match="in time"):
            await host.run("true", limit=SHORT)
        await host.close()
