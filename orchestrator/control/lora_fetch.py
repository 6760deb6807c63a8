"""
Brings the LoRA that a person has added onto the machine that is to paint with it. Called by the painter alone.

The machine's agent fetches it, as it does models, and ComfyUI sees the file at once. What goes wrong with the file is
the job's own trouble: it fails with a sentence, and the machine is kept.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from orchestrator.control.ahead import lora_request
from orchestrator.control.links import Links
from orchestrator.control.machine_agent import (
    GONE,
    MOST_FETCHED,
    Answer,
    Event,
    OnEvent,
    Progress,
    count_of,
    start_agent,
)
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import GraphRejected, HostUnreachable, PreparationFailed
from orchestrator.domain.ids import InstanceId
from orchestrator.domain.instance import Instance
from orchestrator.domain.job import Job, OwnLora
from orchestrator.domain.loras import Fetching
from orchestrator.domain.stages import Step

log = logging.getLogger(__name__)

MOST_REMEMBERED = 64
"""Machines; one that is forgotten is asked once more."""

SENTENCES: Mapping[str, str] = {
    "no_progress": 'The link of the LoRA "{name}" gives nothing any more; /lora remove it and add it with a new link.',
    "expired": 'The link of the LoRA "{name}" lets nobody in any more; /lora remove it and add it with a new link.',
    "bad_checksum": (
        'The file of the LoRA "{name}" is not the one that was added; if that is meant, /lora remove it and add it'
        " again."
    ),
    "disk_full": 'The machine has no room for the LoRA "{name}"; /session release it and ask again.',
    "bad_request": 'The LoRA "{name}" cannot be put onto a machine; /lora remove it and add it again.',
}
"""By the agent's own codes. Every other one is a fault of the machine."""

TOO_SLOW = 'The LoRA "{name}" took more than {minutes} minutes to fetch; add it from a faster link.'


class LoraFetch:
    """Remembers which machine has what, so that a warm one is not asked before every picture."""

    def __init__(self, shared: Shared, *, links: Links, agent_source: bytes, limits: PrepareLimits) -> None:
        self._shared = shared
        self._links = links
        self._agent_source = agent_source
        self._limits = limits
        self._there: dict[InstanceId, set[str]] = {}

    async def bring(self, instance: Instance, job: Job, lora: OwnLora) -> None:
        """
        Have *lora* on *instance*, verified; at once when it is there.

        Raises:
            GraphRejected: It cannot be had; no other machine would do better.
            HostUnreachable: The connection broke; call again, what is fetched stays.
            PreparationFailed: The machine's agent does not work any more.
        """
        if lora.path in self._there.get(instance.id, ()):
            return
        self._tell(job, Fetching(name=lora.name, done=0, of=lora.size_bytes))
        try:
            fetched = await self._fetch(instance, job, lora)
        except PreparationFailed as error:
            sentence = SENTENCES.get(error.code)
            if sentence is None:
                raise
            log.info("job %s: its LoRA on instance %s: %s", job.id, instance.id, error.code)
            raise GraphRejected(sentence.format(name=lora.name)) from error
        finally:
            self._tell(job, None)
        await self._note(instance, lora, min(fetched, lora.size_bytes * MOST_FETCHED))

    async def _fetch(self, instance: Instance, job: Job, lora: OwnLora) -> int:
        """Bytes that it took, 0 when the file was there."""
        limit, silence = self._limits.models, self._limits.silence.total_seconds()
        loop = asyncio.get_running_loop()

        async def on_event(event: Event) -> None:
            patience.reschedule(loop.time() + silence)
            if isinstance(event, Progress):
                done = min(event.bytes_done, lora.size_bytes)
                self._tell(job, Fetching(name=lora.name, done=done, of=lora.size_bytes))

        patience = asyncio.timeout(silence + self._limits.agent.total_seconds())
        try:
            async with asyncio.timeout(limit.total_seconds()), patience:
                return count_of(
                    await self._work(instance, lora_request(lora, self._limits.link_silence), on_event), "bytes"
                )
        except TimeoutError:
            if patience.expired():
                raise HostUnreachable("the agent is silent") from None
            raise GraphRejected(TOO_SLOW.format(name=lora.name, minutes=_minutes(limit))) from None

    async def _work(self, instance: Instance, request: Mapping[str, object], on_event: OnEvent) -> Answer:
        """Ask the agent, and start it again when it ends in the middle: its work goes on where it was."""
        for start in range(1, self._limits.agent_starts + 1):
            agent = await start_agent(await self._links.host(instance), self._agent_source, self._limits.agent)
            try:
                return await agent.work(Step.MODELS, request, on_event)
            except PreparationFailed as error:
                if error.code != GONE or start == self._limits.agent_starts:
                    raise
        raise AssertionError("unreachable: the last start either answers or raises")

    def _tell(self, job: Job, fetching: Fetching | None) -> None:
        self._shared.board.put_fetching(job.id, fetching)
        self._shared.wakeups.newsroom.wake()

    async def _note(self, instance: Instance, lora: OwnLora, fetched: int) -> None:
        """The machine has it from now on; some tariffs bill what it took."""
        while len(self._there) >= MOST_REMEMBERED and instance.id not in self._there:
            del self._there[next(iter(self._there))]
        self._there.setdefault(instance.id, set()).add(lora.path)
        if not fetched:
            return
        async with self._shared.store.writing() as books:
            current = await books.instances.get(instance.id)
            if current is not None and not current.is_over:
                billed = replace(current, bytes_down=current.bytes_down + fetched)
                await books.instances.change(current, billed, reason="fetched a LoRA", details={"bytes": fetched})


def _minutes(span: timedelta) -> int:
    return max(1, round(span.total_seconds() / 60))
