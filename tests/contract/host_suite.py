"""
What every machine reached over SSH must do: the promises of ``orchestrator/ports/host.py``.

Inherit it and give it a ``subject``.
"""

import asyncio
import stat
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import asyncssh
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.domain.errors import HostUnreachable
from orchestrator.domain.instance import Address
from orchestrator.ports.host import Host, HostConnector

LIMIT = timedelta(seconds=10)
AT_ONCE = 40


@dataclass(frozen=True, kw_only=True)
class Subject:
    """
    A machine that lets *connector* in.

    Attributes:
        cut: Breaks every connection from the machine's side.
    """

    connector: HostConnector
    address: Address
    cut: Callable[[], Awaitable[None]]

    async def login(self, *, host_key: str | None = None) -> Host:
        return await self.connector.connect(self.address, host_key=host_key, limit=LIMIT)


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def post(socket: Path, body: bytes) -> bytes:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
        session.post("http://machine/", data=body) as answer,
    ):
        return await answer.read()


class HostContract(ABC):
    @pytest.fixture
    @abstractmethod
    def subject(self) -> AsyncIterator[Subject]: ...

    @pytest.fixture
    async def host(self, subject: Subject) -> AsyncIterator[Host]:
        host = await subject.login()
        yield host
        await host.close()

    @pytest.fixture
    async def http_port(self) -> AsyncIterator[int]:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/", echo)
        async with TestServer(app) as server:
            assert server.port is not None
            yield server.port

    # Logging in.

    async def test_host_key_is_kind_and_key_and_nothing_else(self, host: Host) -> None:
        kind, key = host.host_key.split(" ")

        assert kind in {"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"}
        assert asyncssh.import_public_key(f"{kind} {key}").get_algorithm() == kind

    async def test_pinned_key_lets_us_in_again(self, subject: Subject, host: Host) -> None:
        again = await subject.login(host_key=host.host_key)

        assert again.host_key == host.host_key
        await again.close()

    async def test_another_host_key_than_the_pinned_one_is_refused(self, subject: Subject) -> None:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()

        with pytest.raises(HostUnreachable, match="HostKeyNotVerifiable"):
            await subject.login(host_key=other)

    # Commands.

    async def test_command_gets_its_input_and_gives_both_outputs_and_its_status(self, host: Host) -> None:
        done = await host.run("cat; echo oops >&2; exit 7", stdin=b"one\ntwo\n", limit=LIMIT)

        assert (done.status, done.stdout, done.stderr) == (7, "one\ntwo\n", "oops\n")

    async def test_command_without_input_sees_its_end_at_once(self, host: Host) -> None:
        done = await host.run("wc -c", limit=LIMIT)

        assert done.stdout.strip() == "0"

    async def test_megabyte_of_input_arrives_whole(self, host: Host) -> None:
        done = await host.run("wc -c", stdin=bytes(2**20), limit=LIMIT)

        assert done.stdout.strip() == str(2**20)

    async def test_output_beyond_a_mebibyte_is_cut_and_the_command_ends_well(self, host: Host) -> None:
        done = await host.run("head -c 3000000 /dev/zero | tr '\\0' x; echo 5 >&2", limit=LIMIT)

        assert (done.status, len(done.stdout), done.stderr) == (0, 2**20, "5\n")

    async def test_output_that_is_no_text_is_still_output(self, host: Host) -> None:
        done = await host.run(r"printf 'a\377b'", limit=LIMIT)

        assert done.stdout == "a\ufffdb"

    async def test_command_that_was_killed_did_not_succeed(self, host: Host) -> None:
        done = await host.run("kill -9 $$", limit=LIMIT)

        assert done.status != 0

    async def test_missing_program_is_status_127(self, host: Host) -> None:
        done = await host.run("no-such-program-here", limit=LIMIT)

        assert done.status == 127

    async def test_command_over_its_limit_is_given_up_and_the_connection_lives(self, host: Host) -> None:
        with pytest.raises(HostUnreachable, match="in time"):
            await host.run("sleep 30", limit=timedelta(milliseconds=100))

        assert (await host.run("echo still here", limit=LIMIT)).stdout == "still here\n"

    async def test_many_commands_run_side_by_side(self, host: Host) -> None:
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(host.run(f"echo {number}", limit=LIMIT)) for number in range(8)]

        assert [run.result().stdout for run in runs] == [f"{number}\n" for number in range(8)]

    # Conversations.

    async def test_lines_come_while_the_command_runs(self, host: Host, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        waiting = f"echo first; while [ ! -e {gate} ]; do sleep 0.02; done; echo second"

        async with host.converse(waiting) as lines:
            heard = [await anext(lines)]
            gate.touch()
            heard += [line async for line in lines]

        assert heard == ["first", "second"]

    async def test_conversation_gets_its_input(self, host: Host) -> None:
        async with host.converse("cat", stdin=b"hello\nthere") as lines:
            assert [line async for line in lines] == ["hello", "there"]

    async def test_what_a_conversation_says_to_standard_error_is_dropped(self, host: Host) -> None:
        async with host.converse("head -c 3000000 /dev/zero >&2; echo done") as lines:
            assert [line async for line in lines] == ["done"]

    async def test_leaving_a_conversation_ends_its_command(self, host: Host) -> None:
        """It writes now and then: for root, OpenSSH passes no signal on, and the closed pipe is all that tells."""
        async with host.converse("echo $$; while echo on; do sleep 0.05; done") as lines:
            pid = await anext(lines)
        state = f"cut -d ' ' -f 3 /proc/{pid}/stat 2>/dev/null"
        look = f"for n in $(seq 100); do case $({state}) in ''|Z) exit 0;; esac; sleep 0.05; done; exit 1"

        ended = await host.run(look, limit=LIMIT)

        assert ended.status == 0

    async def test_line_without_end_is_refused(self, host: Host) -> None:
        async with host.converse("head -c 200000 /dev/zero") as lines:
            with pytest.raises(HostUnreachable, match="line"):
                await anext(lines)

    async def test_many_lines_arrive_in_order(self, host: Host) -> None:
        async with host.converse("seq 20000") as lines:
            heard = [line async for line in lines]

        assert heard == [str(number) for number in range(1, 20001)]

    # Tunnels.

    async def test_tunnel_carries_http(self, host: Host, http_port: int) -> None:
        body = bytes(range(256)) * 4096

        path = await host.tunnel(http_port)

        assert await post(path, body) == body

    async def test_tunnel_carries_many_connections_at_once(self, host: Host, http_port: int) -> None:
        path = await host.tunnel(http_port)

        bodies = [str(number).encode() * 1000 for number in range(AT_ONCE)]
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(post(path, body)) for body in bodies]

        assert [task.result() for task in asked] == bodies

    async def test_second_tunnel_to_a_port_is_the_first(self, host: Host, http_port: int) -> None:
        async with asyncio.TaskGroup() as group:
            paths = [group.create_task(host.tunnel(http_port)) for _ in range(3)]

        assert len({task.result() for task in paths}) == 1

    async def test_nobody_else_can_enter_the_folder_of_a_tunnel(self, host: Host, http_port: int) -> None:
        path = await host.tunnel(http_port)

        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    async def test_tunnel_to_a_port_where_nobody_listens_closes_what_comes(self, host: Host) -> None:
        path = await host.tunnel(1)

        reader, writer = await asyncio.open_unix_connection(str(path))

        assert await reader.read() == b""
        writer.close()

    # The end.

    async def test_lost_connection_shows_in_everything_that_is_called_next(
        self, subject: Subject, host: Host, http_port: int
    ) -> None:
        path = await host.tunnel(http_port)

        await subject.cut()
        async with asyncio.timeout(LIMIT.total_seconds()):
            await host.wait_closed()

        assert not host.is_open
        assert not path.parent.exists()
        with pytest.raises(HostUnreachable):
            await host.run("true", limit=LIMIT)
        with pytest.raises(HostUnreachable):
            await host.tunnel(http_port)
        with pytest.raises(HostUnreachable):
            async with host.converse("true"):
                pass

    async def test_loss_in_the_middle_of_a_command_is_no_result(self, subject: Subject, host: Host) -> None:
        async with host.converse("echo on; sleep 30") as lines, asyncio.TaskGroup() as group:
            await anext(lines)
            running = group.create_task(_outcome(host.run("sleep 30", limit=LIMIT)))
            hearing = group.create_task(_outcome(anext(lines)))
            await asyncio.sleep(0.05)
            await subject.cut()

        assert isinstance(running.result(), HostUnreachable)
        assert isinstance(hearing.result(), HostUnreachable)

    async def test_closing_twice_is_silent_and_leaves_nothing(self, subject: Subject, http_port: int) -> None:
        host = await subject.login()
        path = await host.tunnel(http_port)

        await host.close()
        await host.close()

        assert not host.is_open
        assert not path.parent.exists()


async def _outcome(running: Awaitable[object]) -> object:
    try:
        return await running
    except HostUnreachable as error:
        return error
