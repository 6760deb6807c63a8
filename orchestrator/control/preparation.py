"""
The steps of a cold start that are done on the machine itself, up to a ComfyUI that answers beside its models.

Every step may be done again at any time: what is there is found and kept.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta

from orchestrator.control.admission import (
    Ordered,
    check_disk,
    check_driver,
    check_gpu,
    check_link,
    check_space,
    has_slow_link,
    link_of,
)
from orchestrator.control.ahead import Ahead
from orchestrator.control.machine_agent import (
    GONE,
    MODELS_FOLDER,
    MOST_FETCHED,
    Answer,
    Event,
    MachineAgent,
    OnEvent,
    Progress,
    StepMoved,
    count_of,
    start_agent,
)
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.steps import Work
from orchestrator.control.stopwatch import Beginning, Floor, Stopwatch
from orchestrator.domain.errors import PreparationFailed
from orchestrator.domain.stages import Step
from orchestrator.domain.workflows import Install, ModelFile, Workflow, in_load_order
from orchestrator.ports.host import Host
from orchestrator.ports.workflows import WorkflowCatalog

AGENT_AHEAD = timedelta(seconds=8)
"""The agent gives ComfyUI up so much earlier than we do: it then ends it, and knows its last words."""

INSTALLING = frozenset({Step.CLONE, Step.TORCH, Step.REQUIREMENTS})
"""The only steps of which a machine tells us; all others are ours to time."""

EXPIRED = "expired"
"""Every mirror of some file refuses the addresses that it was given."""

SIGNINGS = 3

LEAST_SAMPLE = timedelta(seconds=1)
"""In less a link shows nothing."""


class Preparation:
    """One preparation of one machine, up to a ComfyUI that answers beside models that are there."""

    def __init__(
        self,
        host: Host,
        workflow: Workflow,
        watch: Stopwatch,
        *,
        volume: str = "",
        catalog: WorkflowCatalog,
        agent_source: bytes,
        limits: PrepareLimits,
        ahead: Ahead,
    ) -> None:
        self._host = host
        self._workflow = workflow
        self._volume = volume
        self._catalog = catalog
        self._watch = watch
        self._agent_source = agent_source
        self._limits = limits
        self._agent: MachineAgent | None = None
        self._starting = asyncio.Lock()
        self._has_start = False
        self._ahead = ahead
        self.port = 0
        self.fetched = 0  # bytes
        self.sampled = 0  # bytes; those of a preparation that a crash of ours cut short are not known any more

    async def bring_up_agent(self, ordered: Ordered, *, is_admitted: bool) -> None:
        """
        Start the agent and have it look around: is this what we ordered, does it all fit, is it fast enough?

        A link is measured twice before it is called too slow, the second time for what is left of *probe*. One that
        was admitted before is not measured again: its downloads may be under way.
        """
        loop = asyncio.get_running_loop()
        async with timed(self._watch, Step.AGENT, self._limits.agent):
            await self._running_agent()
            until = loop.time() + self._limits.probe.total_seconds()
            seen = await self._probe({} if is_admitted else self._samples())
            self._has_start = seen.get("has_start") is True
            floor = self._limits.floor_bps
            check_gpu(ordered, seen)
            check_driver(self._workflow.requirements.cuda, seen)
            self._ahead.room = check_space(seen, spare=self._spare())
            check_disk(seen, floor_bps=floor)
            left = until - loop.time()
            if has_slow_link(seen, floor_bps=floor) and left >= LEAST_SAMPLE.total_seconds():
                seen = await self._probe(self._link_sample(left))
            if has_slow_link(seen, floor_bps=floor):
                self._watch.measured(Step.AGENT, link_of(seen))
            check_link(seen, floor_bps=floor)

    async def _probe(self, samples: Mapping[str, object]) -> Answer:
        request = {"op": "probe", "start": self._workflow.runtime.start, **self._files(), **samples}
        seen = await self._work(Step.AGENT, request)
        self.sampled += min(count_of(seen, "link_bytes"), self._limits.link_sample)
        return seen

    def _samples(self) -> Mapping[str, object]:
        limits = self._limits
        return {"disk_bytes": limits.disk_sample, **self._link_sample(limits.sample.total_seconds())}

    def _link_sample(self, seconds: float) -> Mapping[str, object]:
        """It ends sooner when all its bytes have come."""
        return {"link_bytes": self._limits.link_sample, "sample_s": seconds}

    def _spare(self) -> int:
        installs = not self._has_start and self._workflow.runtime.install is not None
        return self._limits.install_disk if installs else self._limits.spare_disk

    def steps(self) -> dict[Step, Work]:
        """What is done once the agent is up. ComfyUI sees new model files at once, so neither waits for the other."""
        return {
            Step.REQUIREMENTS: self._install_what_lacks,
            Step.COMFYUI: self._start_comfyui,
            Step.MODELS: self._fetch_models,
            Step.LORA: lambda: self._do_ahead(Step.LORA, self._fetch_lora()),
            Step.ENCODE: lambda: self._do_ahead(Step.ENCODE, self._ahead.encode(self.port)),
        }

    async def _do_ahead(self, step: Step, work: Awaitable[bool]) -> None:
        began = self._watch.now()
        if await work:
            await self._watch.took(step, began)

    async def _fetch_lora(self) -> bool:
        async def fetch(request: Mapping[str, object], on_event: OnEvent) -> int:
            agent = await self._running_agent()  # not asked again when it ends: the models go first, then
            return count_of(await agent.work(Step.LORA, request, on_event), "bytes")

        return await self._ahead.fetch_lora(fetch, self._limits.link_silence)

    async def _install_what_lacks(self) -> None:
        install = self._workflow.runtime.install
        if not self._has_start and install is not None:
            await self._install(install)

    async def _start_comfyui(self) -> None:
        runtime = self._workflow.runtime
        async with timed(self._watch, Step.COMFYUI, self._limits.comfyui):
            limit = max(self._limits.comfyui / 2, self._limits.comfyui - AGENT_AHEAD)
            request = {"op": "comfyui", "start": runtime.start, "limit_s": limit.total_seconds()}
            answer = await self._work(Step.COMFYUI, request)
        port = count_of(answer, "port")
        if not 0 < port < 2**16:
            raise PreparationFailed(f"port {port} is none", step=Step.COMFYUI, code="agent_failed")
        await self._host.tunnel(port)  # kept by the host: what is done ahead may be ended while it waits for one
        self.port = port

    async def _install(self, install: Install) -> None:
        last = Step.CLONE

        async def on_event(event: Event) -> None:
            nonlocal last
            if isinstance(event, StepMoved) and event.step in INSTALLING:
                await (self._watch.end if event.is_done else self._watch.begin)(event.step)
                last = event.step

        try:
            async with asyncio.timeout(self._limits.install.total_seconds()):
                await self._work(Step.CLONE, {"op": "install"} | asdict(install), on_event)
        except TimeoutError:
            await self._watch.fail(last)
            raise _timed_out(last, self._limits.install) from None
        except PreparationFailed as error:
            await self._watch.fail(last)
            raise PreparationFailed(str(error), step=last, code=error.code) from error

    async def _fetch_models(self) -> None:
        files = self._workflow.files
        total = sum(file.size_bytes for file in files)
        floors = (
            Beginning(self._limits.floor_bps, self._limits.first_window),
            Floor(self._limits.floor_bps, self._limits.floor_window),
        )
        loop = asyncio.get_running_loop()
        silence = self._limits.silence.total_seconds()

        async def on_event(event: Event) -> None:
            patience.reschedule(loop.time() + silence)
            if isinstance(event, Progress):
                self._ahead.note(event)
                seen = event.with_more(self._ahead.came)  # it is the link that is measured, and may be too slow
                await self._watch.progress(Step.MODELS, event, link=seen)
                verdicts = [floor.is_too_slow(loop.time(), seen) for floor in floors]  # each takes note
                if any(verdicts):
                    raise PreparationFailed(f"{event.rate_bps} bytes/s", step=Step.MODELS, code="too_slow")

        async with timed(self._watch, Step.MODELS, self._limits.models, bytes_total=total):
            try:
                async with asyncio.timeout(silence) as patience:
                    answer = await self._fetch(on_event)
            except TimeoutError:
                raise PreparationFailed("the agent is silent", step=Step.MODELS, code="no_progress") from None
        self.fetched = min(count_of(answer, "bytes"), total * MOST_FETCHED)

    async def _fetch(self, on_event: OnEvent) -> Answer:
        """Signed addresses may end in the middle: what has come stays, and the rest is asked for under new ones."""
        for signing in range(1, SIGNINGS + 1):
            try:
                return await self._work(Step.MODELS, {"op": "fetch"} | self._files(), on_event)
            except PreparationFailed as error:
                if error.code != EXPIRED or signing == SIGNINGS:
                    raise
        raise AssertionError("unreachable: the last signing either answers or raises")

    def _files(self) -> dict[str, object]:
        volume = {"volume": self._volume} if self._volume else {}
        found = self._catalog.find(self._workflow.name)  # it signs addresses that are near their end
        workflow = found.as_variant(self._workflow.variant) if found else self._workflow
        return {"dest": MODELS_FOLDER, "files": [entry_of(file) for file in in_load_order(workflow.files)], **volume}

    async def _work(self, step: Step, request: Mapping[str, object], on_event: OnEvent | None = None) -> Answer:
        """Ask the agent, and start it again when it ends in the middle: its work goes on where it was."""
        for start in range(1, self._limits.agent_starts + 1):
            agent = await self._running_agent()
            try:
                return await agent.work(step, request, on_event or _nothing)
            except PreparationFailed as error:
                if error.code != GONE or start == self._limits.agent_starts:
                    raise
                if self._agent is agent:
                    self._agent = None
        raise AssertionError("unreachable: the last start either answers or raises")

    async def _running_agent(self) -> MachineAgent:
        async with self._starting:
            if self._agent is None:
                self._agent = await start_agent(self._host, self._agent_source, self._limits.agent)
            return self._agent


async def _nothing(_: Event) -> None:
    pass


@asynccontextmanager
async def timed(watch: Stopwatch, step: Step, limit: timedelta, *, bytes_total: int = 0) -> AsyncIterator[None]:
    """Time one step and hold it to its limit. A broken connection leaves it running: it goes on after a new login."""
    await watch.begin(step, bytes_total=bytes_total)
    try:
        async with asyncio.timeout(limit.total_seconds()):
            yield
    except TimeoutError:
        await watch.fail(step)
        raise _timed_out(step, limit) from None
    except PreparationFailed:
        await watch.fail(step)
        raise
    await watch.end(step)


def _timed_out(step: Step, limit: timedelta) -> PreparationFailed:
    return PreparationFailed(f"not done after {limit.total_seconds():.0f} s", step=step, code="timed_out")


def entry_of(file: ModelFile) -> dict[str, object]:
    entry = {"path": file.path, "size": file.size_bytes, "sha256": file.sha256, "urls": list(file.urls)}
    return entry | ({"chunk": file.chunk, "chunks": list(file.chunks)} if file.chunks else {})
