"""
Our own time on a warm machine, beside a bare client on the same painter: ``make bench``.

Both clients ask the same ComfyUI process on the same sandbox machine for the same picture, in turn. Ours goes from the
page's API to the picture's bytes; the bare one is aiohttp through an asyncssh tunnel of the same kind. The last line
is one JSON document; dispatch is the time from the accepted command to the moment when ComfyUI starts the prompt.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncssh

from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.system import SystemClock
from orchestrator.adapters.workflow_files import WorkflowFiles
from orchestrator.app import WORKFLOWS
from orchestrator.domain.ids import JobId
from orchestrator.domain.instance import Instance, InstanceState
from orchestrator.domain.workflows import check_values, fill
from tests.processes import Client, Running, bot, sandbox

ROUNDS = 40
WARM_UP = 3
SIZE = {"width": 512, "height": 512}


@dataclass(frozen=True, slots=True)
class Bare:
    """The least that a client can do: one session, one socket, one tunnel."""

    http: aiohttp.ClientSession
    socket: aiohttp.ClientWebSocketResponse

    async def paint(self, prompt: str, seed: int) -> float:
        """Seconds from the order to the bytes of the picture."""
        workflow = WorkflowFiles(WORKFLOWS).all()[0]
        graph = fill(workflow, check_values(workflow, {"prompt": prompt, **SIZE}, seed=seed))
        began = time.perf_counter()
        async with self.http.post("http://comfyui/prompt", json={"prompt": graph, "client_id": "bare"}) as answer:
            prompt_id = (await answer.json())["prompt_id"]
        images: list[dict[str, str]] = []
        async for message in self.socket:
            event = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
            if event.get("data", {}).get("prompt_id") != prompt_id:
                continue
            if event["type"] == "executed":
                images += event["data"]["output"]["images"]
            if event["type"] == "execution_success":
                break
        async with self.http.get("http://comfyui/view", params=images[0]) as answer:
            await answer.read()
        return time.perf_counter() - began


class Ours:
    """The page: one session, one stream of events, as an open page has."""

    def __init__(self, client: Client, events: aiohttp.ClientResponse) -> None:
        self._client = client
        self._events = events

    async def paint(self, prompt: str, seed: int) -> tuple[float, str]:
        """Seconds from the typed command to the bytes of the picture, and the card's id."""
        client, began = self._client, time.perf_counter()
        said = await client.say(f"/imagine {prompt} --size 512x512 --seed {seed}")
        assert said["status"] == 200, said
        card = await self._succeeded(said["card"]["id"])
        async with client.http.get(f"{client.url}/api/images/{card['images'][0]}") as answer:
            await answer.read()
        return time.perf_counter() - began, card["id"]

    async def _succeeded(self, card_id: str) -> dict[str, Any]:
        async for line in self._events.content:
            if line.startswith(b"data:") and card_id.encode() in line:
                card: dict[str, Any] = json.loads(line[5:])
                assert card["state"] != "failed", card
                if card["state"] == "succeeded":
                    return card
        raise AssertionError("the stream of events ended")


async def machine_of(data: Path) -> Instance:
    async with open_store_readonly(data / "glowplug.sqlite3", SystemClock()) as store, store.reading() as books:
        return (await books.instances.in_states(InstanceState.READY))[0]


async def dispatch_ms(data: Path, http: aiohttp.ClientSession, cards: Sequence[str]) -> list[float]:
    """From the job's row to the start of its prompt, by ComfyUI's own clock on this same computer."""
    times = []
    async with open_store_readonly(data / "glowplug.sqlite3", SystemClock()) as store, store.reading() as books:
        for card in cards:
            job = await books.jobs.get(JobId(card))
            assert job is not None
            async with http.get(f"http://comfyui/history/{job.prompt}") as answer:
                history = await answer.json()
            started = history[str(job.prompt)]["status"]["messages"][0][1]["timestamp"] / 1000
            times.append((started - job.submitted_at.timestamp()) * 1000)
    return times


async def measure(folder: Path, paint_ms: int) -> dict[str, float]:
    """One sandbox, one bot, one machine; ours and the bare client in turn."""
    async with sandbox(folder, "--speed", "8", "--paint-ms", str(paint_ms)) as cloud:
        running = await bot(folder, cloud, GLOWPLUG_LOG_LEVEL="WARNING")
        try:
            return await _measure(folder, running)
        finally:
            await running.end()


async def _measure(folder: Path, running: Running) -> dict[str, float]:
    data = folder / "data"
    async with aiohttp.ClientSession() as http:
        client = Client(http, running.url, user="bench")
        stream = await http.get(f"{running.url}/api/events?user=bench", timeout=aiohttp.ClientTimeout(total=None))
        ours = Ours(client, stream)
        for seed in range(WARM_UP):
            await ours.paint("warm up", seed)
        machine = await machine_of(data)
        assert machine.address is not None
        path = folder / "bare.sock"
        async with (
            asyncssh.connect(
                machine.address.host,
                machine.address.port,
                username=machine.address.user,
                client_keys=[str(key_file(data))],
                known_hosts=None,
                config=[],
                compression_algs=None,
            ) as connection,
            connection.forward_local_path_to_port(str(path), "127.0.0.1", machine.comfyui_port),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as tunnelled,
            tunnelled.ws_connect("http://comfyui/ws?clientId=bare", max_msg_size=2**26) as socket,
        ):
            bare = Bare(tunnelled, socket)
            times: list[tuple[float, float]] = []
            cards: list[str] = []
            for round_ in range(ROUNDS):
                alone = await bare.paint("a lighthouse at dusk", 10_000 + round_)
                whole, card = await ours.paint("a lighthouse at dusk", 20_000 + round_)
                times.append((alone, whole))
                cards.append(card)
            dispatch = sorted(await dispatch_ms(data, tunnelled, cards))
    return {
        "dispatch_p50_ms": round(statistics.median(dispatch), 2),
        "dispatch_p95_ms": round(dispatch[int(0.95 * len(dispatch))], 2),
        "round_trip_ratio": round(statistics.median(whole / alone for alone, whole in times), 3),
        "bare_p50_ms": round(statistics.median(alone for alone, _ in times) * 1000, 1),
        "ours_p50_ms": round(statistics.median(whole for _, whole in times) * 1000, 1),
    }


def key_file(data: Path) -> Path:
    """The bot's own SSH key."""
    return next(path for path in sorted(data.iterdir()) if path.name.startswith("ssh") and path.suffix != ".pub")


def measured(paint_ms: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="glowplug-bench-") as folder:
        return asyncio.run(measure(Path(folder), paint_ms))


def main() -> None:
    print(f"painter at 0 ms (no bound): {json.dumps(measured(0))}")
    figures = measured(50)
    print(f"painter at 50 ms: ours {figures['ours_p50_ms']} ms, bare {figures['bare_p50_ms']} ms")
    print(json.dumps({key: figures[key] for key in ("dispatch_p50_ms", "dispatch_p95_ms", "round_trip_ratio")}))


if __name__ == "__main__":
    main()
