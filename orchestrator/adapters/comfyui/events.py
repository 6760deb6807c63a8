"""The one WebSocket of a connection: opened again when it is lost, its messages given to whoever follows a prompt."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp

from orchestrator.adapters.comfyui.course import Course
from orchestrator.adapters.comfyui.http import ComfyHttp
from orchestrator.adapters.comfyui.limits import ComfyLimits
from orchestrator.adapters.comfyui.pace import Pace
from orchestrator.adapters.comfyui.wire import as_json
from orchestrator.domain.errors import ComfyUnavailable
from orchestrator.domain.ids import PromptId

log = logging.getLogger(__name__)


class Watch:
    """
    Somebody follows one prompt.

    Attributes:
        changed: Set at each message, and whenever the queue should be looked at.
        must_look: Messages may have been missed, or none will come: ask the queue.
        is_foreign: Queued by another connection, to which its messages go.
        is_patchy: Messages were missed; the one that ends it may be among them.
        is_withdrawn: We asked ComfyUI to drop it.
        heard_at: When the last message about it came, in the loop's time.
    """

    def __init__(self, prompt: PromptId, course: Course) -> None:
        self.prompt = prompt
        self.course = course
        self.changed = asyncio.Event()
        self.must_look = False
        self.is_foreign = False
        self.is_patchy = False
        self.is_withdrawn = False
        self.heard_at = _now()

    def hear(self, kind: str, data: dict[str, Any]) -> None:
        self.heard_at = _now()
        self.course.take(kind, data)
        self.changed.set()

    def look(self) -> None:
        self.must_look = True
        self.changed.set()


class EventSocket:
    """The socket and the prompts that are followed over it."""

    def __init__(self, http: ComfyHttp, client_id: str, limits: ComfyLimits) -> None:
        self._http = http
        self._client_id = client_id
        self._limits = limits
        self._open = asyncio.Event()
        self._is_closed = False
        self._watches: dict[PromptId, Watch] = {}

    async def run(self) -> None:
        """Keep the socket open until cancelled."""
        pause = self._limits.reopen_pause
        try:
            while True:
                try:
                    await self._listen()
                    pause = self._limits.reopen_pause
                except ComfyUnavailable as error:
                    log.debug("socket: %s", error)
                self._lost()
                await asyncio.sleep(pause.total_seconds())
                pause = min(pause * 2, self._limits.longest_pause)
        finally:
            self._is_closed = True
            self._lost()
            self._open.set()  # whoever waits for it is told that it is closed

    async def ready(self) -> None:
        """Wait until the socket is open: what is queued before is not told about.

        Raises:
            ComfyUnavailable: It does not open in time, or is closed for good.
        """
        if not self._open.is_set():
            try:
                async with asyncio.timeout(self._limits.opening.total_seconds()):
                    await self._open.wait()
            except TimeoutError:
                raise ComfyUnavailable("ComfyUI's socket does not open") from None
        if self._is_closed:
            raise ComfyUnavailable("the connection to ComfyUI was closed")

    @contextmanager
    def watching(self, prompt: PromptId, course: Course) -> Iterator[Watch]:
        """Give *course* what is told about *prompt* while the block runs."""
        watch = self._watches[prompt] = Watch(prompt, course)
        try:
            yield watch
        finally:
            if self._watches.get(prompt) is watch:
                del self._watches[prompt]

    def withdraw(self, prompt: PromptId) -> None:
        """ComfyUI was told to drop *prompt*; of a pending one it says nothing, so whoever follows it must look."""
        if watch := self._watches.get(prompt):
            watch.is_withdrawn = True
            watch.look()

    async def _listen(self) -> None:
        async with self._http.websocket(self._client_id) as socket:
            self._open.set()
            pace = Pace()
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
                if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                    await pace.hear(len(message.data))

    def _take(self, text: str) -> None:
        """Give a message to its prompt; what is no message of a prompt of ours is passed over."""
        try:
            message = as_json(text, "a message")
        except ComfyUnavailable:
            log.debug("a message of %d characters is not JSON", len(text))
            return
        kind, data = (message.get("type"), message.get("data")) if isinstance(message, dict) else (None, None)
        if isinstance(kind, str) and isinstance(data, dict) and isinstance(data.get("prompt_id"), str):
            watch = self._watches.get(PromptId(data["prompt_id"]))
            if watch is not None:
                watch.hear(kind, data)

    def _lost(self) -> None:
        self._open.clear()
        for watch in self._watches.values():
            watch.is_patchy = True
            watch.look()


def _now() -> float:
    return asyncio.get_running_loop().time()
