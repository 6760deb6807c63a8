"""A ComfyUI that means us harm takes neither our memory nor our time, and leads us nowhere."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.adapters.comfyui.http import ComfyHttp
from orchestrator.adapters.comfyui.pace import BURST_S, Pace
from orchestrator.adapters.comfyui.pictures import Pictures
from orchestrator.adapters.comfyui.wire import PictureRef, history_entry
from orchestrator.domain.errors import ComfyUnavailable
from orchestrator.domain.ids import PromptId
from tests import virtual_time
from tests.adapters.comfyui.conftest import HASTY, SMALL, Replay
from tests.adapters.comfyui.replay import PNG, recorded_graph
from tests.adapters.comfyui.test_replay import PROMPT, ignore
from tests.fuzz.frames import TEXT, accepted, frame

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FLUX = "flux_lora_second_seed"


class Talker:
    """
    Answers each request with a beginning, and with one piece again and again until we hang up.

    Attributes:
        begins: By the request's head.
        goes_on: The piece; with none the answer ends.
        asked: The first line of each request.
        sent: Bytes after the last beginning.
        left: Set once somebody has hung up.
    """

    def __init__(self) -> None:
        self.begins: Callable[[bytes], bytes] = lambda _: OK + b"\r\n"
        self.goes_on = b""
        self.pause_s = 0.0
        self.asked: list[str] = []
        self.sent = 0
        self.left = asyncio.Event()
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            await self._answer(reader, writer)
        finally:
            writer.transport.abort()
            self.left.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.partition(b"\r\n")[0].decode())
            writer.write(self.begins(head))
            self.sent = 0
            for piece in repeat(self.goes_on) if self.goes_on else ():
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
                await asyncio.sleep(self.pause_s)
            await writer.drain()
            await reader.read()


@pytest.fixture
async def talker(tmp_path: Path) -> AsyncIterator[Talker]:
    talker = Talker()
    server = await asyncio.start_unix_server(talker.serve, tmp_path / "comfyui.sock")
    yield talker
    server.close()
    for task in talker.serving:
        task.cancel()
    await asyncio.wait(talker.serving)


@asynccontextmanager
async def asking(socket: Path) -> AsyncIterator[ComfyHttp]:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
        yield ComfyHttp(session, URL("http://127.0.0.1/"), SMALL)


# Answers without end.


async def test_a_body_without_end_is_cut_off(talker: Talker, tmp_path: Path) -> None:
    talker.begins = lambda _: OK + b"Transfer-Encoding: chunked\r\n\r\n"
    talker.goes_on = b"400\r\n" + b" " * 1024 + b"\r\n"

    async with asking(tmp_path / "comfyui.sock") as http:
        with pytest.raises(ComfyUnavailable, match="larger than"):
            await http.get("/queue")


async def test_a_head_without_end_is_cut_off(talker: Talker, tmp_path: Path) -> None:
    talker.begins = lambda _: OK
    talker.goes_on = b"X-More: and more\r\n" * 50

    async with asking(tmp_path / "comfyui.sock") as http:
        with pytest.raises(ComfyUnavailable) as caught:
            await http.get("/queue")

    assert "in time" not in str(caught.value)


async def test_a_small_answer_that_unpacks_to_a_huge_one_is_cut_off(talker: Talker, tmp_path: Path) -> None:
    packed = gzip.compress(b" " * 200_000_000, 1)
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    talker.begins = lambda _: head + packed

    async with asking(tmp_path / "comfyui.sock") as http:
        with pytest.raises(ComfyUnavailable, match="larger than"):
            await http.get("/queue")


async def test_an_answer_that_drips_is_given_up_in_time(talker: Talker, tmp_path: Path) -> None:
    """A byte now and then keeps no limit from passing."""
    talker.begins = lambda _: OK + b"Content-Length: 40000\r\n\r\n"
    talker.goes_on, talker.pause_s = b" ", 0.02

    async with ComfyUiConnector(HASTY).connect(tmp_path / "comfyui.sock") as comfy:
        with pytest.raises(ComfyUnavailable, match="in time"):
            await comfy.stats()


@pytest.mark.parametrize("deep", ["[", '{"a":'])
async def test_an_answer_nested_without_end_is_unavailable(talker: Talker, tmp_path: Path, deep: str) -> None:
    body = deep.encode() * 8000
    talker.begins = lambda _: OK + b"Content-Length: %d\r\n\r\n" % len(body) + body

    async with asking(tmp_path / "comfyui.sock") as http:
        with pytest.raises(ComfyUnavailable, match="not JSON"):
            await http.get("/queue")


async def test_a_message_without_end_costs_its_sender_the_socket(talker: Talker, tmp_path: Path) -> None:
    """None of its frames is large."""
    talker.begins = lambda head: accepted(head) + frame(b"x", TEXT, flags=0)
    talker.goes_on = frame(b"x" * 100, 0, flags=0)

    async with ComfyUiConnector(SMALL).connect(tmp_path / "comfyui.sock"):
        await talker.left.wait()

    assert talker.sent < 50 * SMALL.message_bytes  # what the system's own buffers hold, and no more


# Pictures.


async def test_all_pictures_of_a_prompt_together_have_a_limit(talker: Talker, tmp_path: Path) -> None:
    """Each of them may be as large as one may be."""
    picture = PNG.ljust(SMALL.picture_bytes - 1000, b"\0")
    talker.begins = lambda _: OK + b"Content-Length: %d\r\n\r\n" % len(picture) + picture
    refs = tuple(PictureRef(filename=f"{number}.png", subfolder="", type="output") for number in range(10))

    async with asking(tmp_path / "comfyui.sock") as http:
        pictures = Pictures(http, SMALL)
        await pictures.fetch(refs[:1])
        with pytest.raises(ComfyUnavailable, match="larger than"):
            await pictures.fetch(refs)


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "http://169.254.169.254/", "a?b&c#d", "a\r\nHost: evil", "\x1b[2J\0"]
)
async def test_no_name_of_a_picture_leads_elsewhere(talker: Talker, tmp_path: Path, name: str) -> None:
    """It is said back to the machine that said it, as a parameter; no file of ours is named by it."""
    talker.begins = lambda _: OK + b"Content-Length: %d\r\n\r\n" % len(PNG) + PNG
    ref = PictureRef(filename=name, subfolder=name, type="output")

    async with asking(tmp_path / "comfyui.sock") as http:
        await Pictures(http, SMALL).fetch((ref,))

    [asked] = talker.asked
    url = URL(asked.split(" ")[1], encoded=True)
    assert (url.path, url.query["filename"], url.query["subfolder"]) == ("/view", name, name)


# Other people's prompts.


async def test_what_is_said_of_another_prompt_is_not_taken_for_ours(replay: Replay) -> None:
    other = {"prompt_id": "another", "node": None, "exception_type": "torch.OutOfMemoryError"}
    refs = {"prompt_id": "another", "output": {"images": [{"filename": "evil", "subfolder": "", "type": "output"}]}}
    noise = [("executed", refs), ("execution_error", other), ("execution_interrupted", other), ("executing", other)]

    async with replay(FLUX) as (comfy, server):
        server.switches.noise = tuple(json.dumps({"type": kind, "data": data}) for kind, data in noise)

        pictures = await comfy.paint(recorded_graph(FLUX), PROMPT, on_progress=ignore)

    assert (server.picture,) == pictures


def test_the_history_of_another_prompt_is_none_of_ours() -> None:
    assert history_entry({"another": {"outputs": {}}}, PromptId("ours")) is None


# Floods.


def test_whoever_says_too_much_is_listened_to_more_slowly() -> None:
    async def hear(messages: int, size: int) -> float:
        pace, began = Pace(), asyncio.get_running_loop().time()
        for _ in range(messages):
            await pace.hear(size)
        return asyncio.get_running_loop().time() - began

    assert virtual_time.run(hear(1000, 2000)) < BURST_S
    assert virtual_time.run(hear(100_000, 50)) > 60
    assert virtual_time.run(hear(100, 16 * 2**20)) > 60
