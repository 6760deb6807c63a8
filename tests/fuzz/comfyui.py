"""Everything that ComfyUI answers: each parser by itself, bounded requests, and the frames of its socket."""

import struct
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from orchestrator.adapters.comfyui import ComfyLimits
from orchestrator.adapters.comfyui.complaints import failure_of, rejection_of
from orchestrator.adapters.comfyui.connection import ComfyConnection
from orchestrator.adapters.comfyui.connector import BEHIND_SOCKET
from orchestrator.adapters.comfyui.course import Course
from orchestrator.adapters.comfyui.events import EventSocket
from orchestrator.adapters.comfyui.http import ComfyHttp, Room
from orchestrator.adapters.comfyui.wire import (
    PictureRef,
    QueueAnswer,
    StatsAnswer,
    UploadAnswer,
    as_json,
    history_entry,
    parsed,
)
from orchestrator.domain.errors import ComfyError
from orchestrator.domain.ids import PromptId
from tests.adapters.comfyui.replay import PNG, recorded_graph, recording
from tests.fuzz.frames import frame_server, frames
from tests.fuzz.harness import Feed, Subject, is_fit
from tests.fuzz.mutate import Mutator
from tests.fuzz.server import any_server, http_answer

LIMITS = replace(ComfyLimits(), settle=timedelta(0), json_bytes=2**20, message_bytes=2**20, picture_bytes=2**20)
NAMES = ("flux_lora_second_seed", "empty_image", "empty_image_repeat_cached", "interrupted", "client_prompt_id")
REFUSED = ("bad_value", "missing_input", "missing_model", "missing_node", "no_output")
GRAPH = recorded_graph("flux_lora_second_seed")
PROMPT = PromptId(recording("flux_lora_second_seed")[0]["response"]["body"]["prompt_id"])
ENTRIES = [entry for name in NAMES for entry in recording(name)]
MESSAGES: list[dict[str, Any]] = [entry["ws"] for entry in ENTRIES if "ws" in entry]
HISTORIES = [entry["response"] for entry in ENTRIES if entry.get("http") == "GET /history/{id}"]
REFUSALS = [recording(name)[0]["response"]["body"] for name in REFUSED]
QUEUE = {"queue_running": [[1, PROMPT, {}, {}, []]], "queue_pending": [[2, "other", {}, {}, []]]}
UPLOADED = {"name": "a.png", "subfolder": "", "type": "input"}
FAILURE = {
    "prompt_id": PROMPT,
    "node_id": "sampler",
    "node_type": "KSampler",
    "exception_type": "torch.OutOfMemoryError",
    "exception_message": "Allocation on device 0 would exceed allowed memory. (out of memory)",
    "traceback": ["  File x, line 1"],
    "current_inputs": {},
}


def told(error: ComfyError) -> ComfyError:
    """An error for the person: its sentence is one line."""
    assert is_fit(str(error)), str(error)
    return error


def of_history(body: Any) -> Course:
    """What the history says of a prompt, as a course."""
    prompt = next(iter(body), "") if isinstance(body, dict) else ""
    entry = history_entry(body, PromptId(prompt))
    course = Course(GRAPH, most_pictures=LIMITS.pictures)
    if entry is not None:
        course.take_history(entry)
        assert course.is_over
    assert len(course.pictures) <= LIMITS.pictures
    if course.failure is not None:
        raise told(course.failure)
    return course


def in_queue(body: Any) -> bool:
    return parsed(QueueAnswer, body, "/queue").has(PROMPT)


PARSERS: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
    "history": (of_history, HISTORIES),
    "queue": (in_queue, [QUEUE, recording("queue")]),
    "stats": (lambda body: parsed(StatsAnswer, body, "/system_stats").value(), [recording("system_stats")]),
    "upload": (lambda body: parsed(UploadAnswer, body, "/upload/image").as_input(), [UPLOADED]),
    "refusals": (lambda body: told(rejection_of(body)), REFUSALS),
    "failures": (lambda body: told(failure_of(body)) if isinstance(body, dict) else None, [FAILURE]),
}


def parser(name: str) -> Subject:
    """One reader of bodies, from the bytes on."""
    parse, recordings = PARSERS[name]

    @asynccontextmanager
    async def opened() -> AsyncIterator[Feed]:
        async def feed(mutator: Mutator) -> object:
            return parse(as_json(mutator.as_json(mutator.one_of(recordings)), name))

        yield feed

    return Subject(name=f"comfyui {name}", opened=opened)


@asynccontextmanager
async def _session(socket: Path) -> AsyncIterator[ComfyHttp]:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
        yield ComfyHttp(session, BEHIND_SOCKET, LIMITS)


@asynccontextmanager
async def _messages() -> AsyncIterator[Feed]:
    """Several messages about one prompt, as the text of frames."""
    async with _session(Path("nowhere")) as http:

        async def feed(mutator: Mutator) -> object:
            events = EventSocket(http, "client", LIMITS)
            course = Course(GRAPH, most_pictures=LIMITS.pictures)
            with events.watching(PROMPT, course):
                last = course.painting
                for _ in range(mutator.dice.randrange(1, 6)):
                    events._take(_message(mutator))
                    assert course.painting.done >= last.done
                    assert course.painting.total >= max(last.total, course.painting.done)
                    last = course.painting
            assert len(course.pictures) <= LIMITS.pictures
            if course.failure is not None:
                raise course.failure
            return course

        yield feed


def _message(mutator: Mutator) -> str:
    """A text that says something of our prompt, mostly."""
    failed = {"type": "execution_error", "data": FAILURE}
    message: dict[str, Any] = failed if mutator.chance(8) else mutator.one_of(MESSAGES)
    if "prompt_id" in message["data"]:
        message = {**message, "data": {**message["data"], "prompt_id": PROMPT}}
    return mutator.as_json(message).decode("utf-8", "replace")


@asynccontextmanager
async def _requests() -> AsyncIterator[Feed]:
    """Every request of a connection, answered with anything."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "comfyui.sock"
        async with any_server(socket) as server, _session(socket) as http:
            comfy = ComfyConnection(http, EventSocket(http, "client", LIMITS), client_id="client", limits=LIMITS)

            async def feed(mutator: Mutator) -> object:
                name = mutator.one_of(("stats", "upload", "interrupt", "picture", "history", "prompt"))
                usual = {
                    "stats": recording("system_stats"),
                    "upload": UPLOADED,
                    "interrupt": QUEUE,
                    "picture": PNG + b"\0\0\0\rIHDR" + bytes(64),
                    "history": mutator.one_of(HISTORIES),
                    "prompt": mutator.one_of(REFUSALS),
                }[name]
                server.answers[:] = [http_answer(mutator, usual, status=400 if name == "prompt" else 200)]
                match name:
                    case "stats":
                        return await comfy.stats()
                    case "upload":
                        return await comfy.upload(PNG, "a.png")
                    case "interrupt":
                        await comfy.interrupt(PROMPT)
                        return None
                    case "picture":
                        ref = PictureRef(filename=mutator.text()[:200], subfolder=mutator.text()[:200], type="output")
                        return await http.picture(ref, Room(2**26))
                    case "history":
                        return of_history(await http.get(f"/history/{PROMPT}"))
                    case _:
                        return await comfy._post(GRAPH, PROMPT)  # type: ignore[func-returns-value]

            yield feed


@asynccontextmanager
async def _socket() -> AsyncIterator[Feed]:
    """A connection's WebSocket from the handshake to the hang-up, frame by frame."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "comfyui.sock"
        async with frame_server(socket) as server, _session(socket) as http:

            async def feed(mutator: Mutator) -> object:
                server.handshake = http_answer(mutator, {}, status=101) if mutator.chance(12) else b""
                texts = [_message(mutator).encode()[: 2**17] for _ in range(mutator.dice.randrange(1, 5))]
                preview = struct.pack(">II", mutator.dice.randrange(6), 2) + PNG
                server.sends = frames(mutator, [*texts, preview] if mutator.chance(3) else texts)
                events = EventSocket(http, "client", LIMITS)
                course = Course(GRAPH, most_pictures=LIMITS.pictures)
                with events.watching(PROMPT, course):
                    await events._listen()
                if course.failure is not None:
                    raise course.failure
                return course

            yield feed


SUBJECTS = (
    *map(parser, PARSERS),
    Subject(name="comfyui messages", opened=_messages),
    Subject(name="comfyui over HTTP", opened=_requests),
    Subject(name="comfyui socket", opened=_socket),
)
