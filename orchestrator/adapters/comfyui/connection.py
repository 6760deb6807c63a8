"""Prompts on one ComfyUI: queue, follow, fetch, withdraw."""

import asyncio
import logging
from collections.abc import Callable

from orchestrator.adapters.comfyui.complaints import rejection_of
from orchestrator.adapters.comfyui.course import Course
from orchestrator.adapters.comfyui.events import EventSocket, Watch
from orchestrator.adapters.comfyui.http import AnswerLost, ComfyHttp
from orchestrator.adapters.comfyui.limits import ComfyLimits
from orchestrator.adapters.comfyui.pictures import Pictures
from orchestrator.adapters.comfyui.wire import (
    QueueAnswer,
    StatsAnswer,
    UploadAnswer,
    as_json,
    history_entry,
    parsed,
)
from orchestrator.domain.errors import AttemptInterrupted, ComfyStuck, ComfyUnavailable, GraphRejected
from orchestrator.domain.ids import PromptId
from orchestrator.domain.workflows import Graph
from orchestrator.ports.comfy import Comfy, OnProgress, Painting, ServerStats

log = logging.getLogger(__name__)


class ComfyConnection(Comfy):
    """
    One ComfyUI as seen by one connection.

    Messages tell how a prompt goes on; the queue and the history are asked only when a message may be missing.
    """

    def __init__(self, http: ComfyHttp, events: EventSocket, *, client_id: str, limits: ComfyLimits) -> None:
        self._http = http
        self._events = events
        self._client_id = client_id
        self._limits = limits

    async def paint(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        with self._events.watching(prompt, self._course(graph)) as watch:
            await self._events.ready()
            await self._queue(graph, watch)
            return await self._collected(watch, await self._follow(watch, on_progress))

    async def run(self, graph: Graph, prompt: PromptId) -> None:
        with self._events.watching(prompt, self._course(graph)) as watch:
            await self._events.ready()
            await self._queue(graph, watch)
            await self._follow(watch, lambda _: None)

    async def resume(self, graph: Graph, prompt: PromptId, *, on_progress: OnProgress) -> tuple[bytes, ...]:
        with self._events.watching(prompt, self._course(graph)) as watch:
            await self._events.ready()
            if await self._is_known(watch):
                watch.is_foreign = not watch.course.has_begun
            else:
                await self._queue(graph, watch)
            return await self._collected(watch, await self._follow(watch, on_progress))

    async def interrupt(self, prompt: PromptId) -> None:
        # Deleting comes first: what is not pending after that was running or is over, and cannot start any more.
        await self._http.post("/queue", {"delete": [prompt]})
        if (await self._queue_now()).is_running(prompt):
            await self._http.post("/interrupt", {"prompt_id": prompt})
        self._events.withdraw(prompt)

    async def upload(self, picture: bytes, name: str) -> str:
        answer = await self._http.upload(picture, name)
        return parsed(UploadAnswer, answer, "/upload/image").as_input()

    async def stats(self) -> ServerStats:
        return parsed(StatsAnswer, await self._http.get("/system_stats"), "/system_stats").value()

    def _course(self, graph: Graph) -> Course:
        return Course(graph, most_pictures=self._limits.pictures)

    # Queueing.

    async def _queue(self, graph: Graph, watch: Watch) -> None:
        """Queue the prompt; after a lost answer only if it is proved not to have arrived."""
        try:
            await self._post(graph, watch.prompt)
        except AnswerLost as error:
            log.info("prompt %s: the answer was lost (%s); looking for it", watch.prompt, error)
            await asyncio.sleep(self._limits.settle.total_seconds())
            if not await self._is_known(watch):
                await self._post(graph, watch.prompt)

    async def _post(self, graph: Graph, prompt: PromptId) -> None:
        body = {"prompt": graph, "client_id": self._client_id, "prompt_id": prompt}
        status, content = await self._http.exchange("POST", "/prompt", json=body)
        if status == 400:
            raise rejection_of(as_json(content, "the refusal"))
        if status != 200:
            raise ComfyUnavailable(f"/prompt answered {status}")

    async def _is_known(self, watch: Watch) -> bool:
        """Whether ComfyUI has the prompt; if it is over, the course knows how afterwards."""
        if watch.course.has_begun or (await self._queue_now()).has(watch.prompt):
            return True
        return await self._read_history(watch)

    # Following.

    async def _follow(self, watch: Watch, on_progress: OnProgress) -> Pictures:
        """Until it is over; its pictures as far as messages told of them."""
        course = watch.course
        pictures = Pictures(self._http, self._limits)
        tell = _telling(on_progress)
        while True:
            watch.changed.clear()
            is_over = course.is_over
            tell(course.painting)
            if course.failure is not None:
                raise course.failure
            await pictures.fetch(course.pictures)
            if is_over:
                return pictures
            await self._news(watch)

    async def _news(self, watch: Watch) -> None:
        """Wait until something about the prompt is new; look for it when messages may be missing."""
        limits = self._limits
        patience = limits.poll if watch.is_foreign or watch.is_patchy else limits.silence
        try:
            async with asyncio.timeout(patience.total_seconds()):
                await watch.changed.wait()
        except TimeoutError:
            watch.must_look = True
        if watch.must_look:
            watch.must_look = False
            await self._events.ready()
            await self._look(watch)

    async def _look(self, watch: Watch) -> None:
        """Ask the queue, then the history: what leaves the one is in the other at once.

        Raises:
            ComfyUnavailable: It is in neither, or it runs and has not stirred for too long.
        """
        queue = await self._queue_now()
        if queue.is_running(watch.prompt):
            self._check_signs_of_life(watch)
        elif queue.has(watch.prompt):
            watch.heard_at = asyncio.get_running_loop().time()
        elif not await self._read_history(watch) and not watch.course.is_over:
            if not watch.is_withdrawn:
                raise ComfyUnavailable("ComfyUI no longer knows the prompt; was it started again?")
            watch.course.fail(AttemptInterrupted("the prompt was withdrawn"))

    def _check_signs_of_life(self, watch: Watch) -> None:
        longest = self._limits.foreign if watch.is_foreign else self._limits.hang
        silent = asyncio.get_running_loop().time() - watch.heard_at
        if silent > longest.total_seconds():
            raise ComfyStuck(f"the prompt runs, but nothing was heard of it for {silent:.0f} s")

    async def _queue_now(self) -> QueueAnswer:
        return parsed(QueueAnswer, await self._http.get("/queue"), "/queue")

    async def _read_history(self, watch: Watch) -> bool:
        entry = history_entry(await self._http.get(f"/history/{watch.prompt}"), watch.prompt)
        if entry is not None:
            watch.course.take_history(entry)
        return entry is not None

    async def _collected(self, watch: Watch, pictures: Pictures) -> tuple[bytes, ...]:
        """The pictures in order; where messages are missing, with those that only the history tells of."""
        if watch.is_patchy or not watch.course.pictures:
            await self._left_queue(watch.prompt)
            await self._read_history(watch)
            await pictures.fetch(watch.course.pictures)
        if not watch.course.pictures:
            raise GraphRejected("The workflow ended without a picture; give its graph a SaveImage node.")
        return pictures.of(watch.course.pictures)

    async def _left_queue(self, prompt: PromptId) -> None:
        """Wait for a moment: a prompt that ended is in the queue until the history has it (12 of 60 times)."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.answer.total_seconds()
        while (await self._queue_now()).has(prompt):
            if loop.time() > until:
                raise ComfyUnavailable("the prompt ended, but does not leave the queue")
            await asyncio.sleep(self._limits.settle.total_seconds())


def _telling(on_progress: OnProgress) -> Callable[[Painting], None]:
    """Tell each state of progress once, and nothing before there is something to tell."""
    last = Painting(done=0, total=0)

    def tell(painting: Painting) -> None:
        nonlocal last
        if painting != last:
            last = painting
            on_progress(painting)

    return tell
