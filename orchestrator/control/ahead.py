"""
What a cold start does ahead for the person who waits: their LoRA is fetched, and their prompt encoded.

Only the first picture is quicker for it. Whatever goes wrong is left to the job's own attempt, which says it in words.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.control.machine_agent import MODELS_FOLDER, MOST_FETCHED, Event, OnEvent, Progress
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.job import Job, OwnLora
from orchestrator.domain.workflows import Workflow, encoding_graph, fill, is_text_encoder
from orchestrator.ports.clock import Ids
from orchestrator.ports.comfy import ComfyConnector
from orchestrator.ports.host import Host

log = logging.getLogger(__name__)

Waiting = Callable[[], Awaitable[Job | None]]
"""Says which job a machine is going to paint first, if it were ready now."""

Fetch = Callable[[Mapping[str, object], OnEvent], Awaitable[int]]
"""Asks the machine's agent for files; gives the bytes that it took."""


async def nobody() -> Job | None:
    """There is none."""
    return None


@dataclass(slots=True, kw_only=True)
class Ahead:
    """
    For one preparation of one machine.

    Attributes:
        limit: How long one of the two may take.
        room: Bytes that a LoRA may take of the disk.
        came: Bytes of it so far, by the link on which the models come, too.
        fetched: Bytes of LoRAs that the machine has downloaded, when they are there.
    """

    host: Host
    workflow: Workflow
    comfy: ComfyConnector
    ids: Ids
    waiting: Waiting
    limit: timedelta
    room: int = 0
    came: int = 0
    fetched: int = 0
    _there: int | None = None
    _is_fetching: asyncio.Event = field(default_factory=asyncio.Event)
    _encoders: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, progress: Progress) -> None:
        """
        The models are on their way.

        ComfyUI's order is that of the fetch, too: once another file is waited for, the text encoders are there.
        """
        self._is_fetching.set()
        if progress.file and not is_text_encoder(progress.file.removeprefix(f"{MODELS_FOLDER}/")):
            self._encoders.set()

    async def fetch_lora(self, fetch: Fetch, silence: timedelta) -> bool:
        """
        Fetch the LoRA of whoever waits, beside the models. False where there was nothing to do, or it went wrong.

        It is asked for after them, so that they are promised their room on the disk first.
        """
        await self._is_fetching.wait()
        job = await self.waiting()
        if job is None or job.own_lora is None or job.own_lora.size_bytes > self.room:
            return False
        try:
            fetched = await fetch(lora_request(job.own_lora, silence), self._note_lora)
        except OrchestratorError as error:
            log.info("the LoRA of job %s was not fetched ahead: %s", job.id, error)
            return False
        self.fetched += min(fetched, job.own_lora.size_bytes * MOST_FETCHED)
        return True

    async def _note_lora(self, event: Event) -> None:
        """What was on the disk before has not come; nor does what has come go, when it has the wrong checksum."""
        if isinstance(event, Progress):
            before = event.bytes_done if self._there is None else self._there
            self.came += max(0, event.bytes_done - before)
            self._there = event.bytes_done

    async def encode(self, port: int) -> bool:
        """
        Have ComfyUI encode the prompt that waits, as soon as its text encoders are there; it keeps the result.

        False, too, where they are in one checkpoint with all the rest, and so are never there first.
        """
        if not any(is_text_encoder(file.path) for file in self.workflow.files):
            return False
        await self._encoders.wait()
        job = await self.waiting()
        if job is None or job.workflow != self.workflow.name:
            return False
        try:
            graph = encoding_graph(fill(self.workflow, job.values, image="", own_lora=job.own_lora))
            async with (
                asyncio.timeout(self.limit.total_seconds()),
                self.comfy.connect(await self.host.tunnel(port)) as comfy,
            ):
                await comfy.run(graph, self.ids.prompt())
        except (OrchestratorError, TimeoutError) as error:
            log.info("the prompt of job %s was not encoded ahead: %s", job.id, error)
            return False
        return True


def lora_request(lora: OwnLora, silence: timedelta) -> Mapping[str, object]:
    """What the agent is asked for to fetch a LoRA; it gives its link up when that says nothing for *silence*."""
    file = {"path": lora.path, "size": lora.size_bytes, "sha256": lora.sha256, "urls": [lora.url]}
    return {"op": "fetch", "dest": MODELS_FOLDER, "files": [file], "no_progress_s": silence.total_seconds()}
