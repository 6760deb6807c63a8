"""
From "SSH lets us in" to a warm machine: the steps of a cold start that are done on it, as the graph that they are.

Called by the provisioner. Every step may be done again at any time: what is there is found and kept.

Codes of a PreparationFailed, besides the agent's own (``disk_full bad_checksum no_progress expired no_comfyui
comfyui_died comfyui_silent clone_failed torch_failed requirements_failed disk_broken``): ``wrong_gpu old_driver
no_python agent_failed agent_gone too_slow timed_out out_of_vram graph_rejected comfyui_unavailable no_picture``.
"""

import zlib
from dataclasses import dataclass

from orchestrator.control.admission import Ordered
from orchestrator.control.ahead import Ahead, Waiting, nobody
from orchestrator.control.preparation import Preparation, timed
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.smoke import smoke_failure, upload_source
from orchestrator.control.steps import run_steps
from orchestrator.control.stopwatch import Report, Stopwatch
from orchestrator.domain.errors import ComfyError, PreparationFailed
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.domain.workflows import Workflow, check_values, fill
from orchestrator.ports.clock import Clock, Ids
from orchestrator.ports.comfy import ComfyConnector
from orchestrator.ports.host import Host
from orchestrator.ports.workflows import WorkflowCatalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """
    A warm machine.

    Attributes:
        comfyui_port: On the machine's loopback.
        bytes_down: Bytes that the machine has downloaded for us, for tariffs that bill them.
        is_proved: It has painted; else somebody's picture is to be its first.
    """

    comfyui_port: int
    bytes_down: int
    is_proved: bool


class Preparer:
    """Prepares machines; keeps nothing about any of them."""

    def __init__(
        self,
        *,
        agent_source: bytes,
        comfy: ComfyConnector,
        catalog: WorkflowCatalog,
        clock: Clock,
        ids: Ids,
        limits: PrepareLimits,
    ) -> None:
        self._agent_source = agent_source
        self._catalog = catalog
        self._comfy = comfy
        self._clock = clock
        self._ids = ids
        self._limits = limits

    async def prepare(
        self,
        host: Host,
        workflow: Workflow,
        *,
        ordered_gpu: str,
        ordered_vram_mib: int,
        report: Report,
        waiting: Waiting = nobody,
        volume: str = "",
        resume: tuple[Stage, ...] = (),
    ) -> Prepared:
        """
        Make the machine ready for *workflow*, as the variant that it stands for.

        Args:
            ordered_gpu: The cloud's name for the card; empty accepts any.
            ordered_vram_mib: Memory of that card; 0 accepts any.
            report: Told of each step when it begins and ends, and of downloads a few times a second.
            waiting: Whose picture comes first. While somebody waits no smoke picture is made.
            volume: Folder on the machine that outlives it: models are looked for there first, and kept there.
            resume: What was recorded of this machine before; those steps keep their times.

        Raises:
            PreparationFailed: This machine will not do.
            HostUnreachable: The connection broke; connect again and call again, what is done stays done.
        """
        watch = Stopwatch(self._clock, report, resume)
        ordered = Ordered(gpu=ordered_gpu, vram_mib=ordered_vram_mib)
        ahead = Ahead(
            host=host,
            workflow=workflow,
            comfy=self._comfy,
            ids=self._ids,
            waiting=waiting,
            limit=self._limits.smoke,
        )
        preparation = Preparation(
            host,
            workflow,
            watch,
            volume=volume,
            catalog=self._catalog,
            agent_source=self._agent_source,
            limits=self._limits,
            ahead=ahead,
        )

        is_proved = False

        async def prove() -> None:
            """Who waits is given the first picture, and that is the proof."""
            nonlocal is_proved
            if await waiting() is None or any(stage.step is Step.SMOKE for stage in resume):
                async with timed(watch, Step.SMOKE, self._limits.smoke):
                    await self._smoke(host, workflow, preparation.port)
                is_proved = True

        async def look() -> None:
            await preparation.bring_up_agent(ordered, is_admitted=_is_done(Step.AGENT, resume))

        await run_steps({Step.AGENT: look, **preparation.steps(), Step.SMOKE: prove})
        fetched = max(preparation.fetched, watch.bytes_done(Step.MODELS))
        bytes_down = preparation.sampled + fetched + ahead.fetched
        return Prepared(comfyui_port=preparation.port, bytes_down=bytes_down, is_proved=is_proved)

    async def _smoke(self, host: Host, workflow: Workflow, port: int) -> None:
        """Paint one small picture and throw it away. An open port alone proves nothing."""
        prompt = self._ids.prompt()
        seed = zlib.crc32(prompt.encode())  # a new one each time: ComfyUI answers the same graph from its cache
        values = check_values(workflow, workflow.smoke, seed=seed)
        try:
            async with self._comfy.connect(await host.tunnel(port)) as comfy:
                image = await upload_source(comfy) if workflow.takes_image else ""
                pictures = await comfy.paint(fill(workflow, values, image=image), prompt, on_progress=lambda _: None)
        except ComfyError as error:
            raise smoke_failure(host, error) from error
        if not pictures:
            raise PreparationFailed("ComfyUI ran the graph and saved no picture", step=Step.SMOKE, code="no_picture")


def _is_done(step: Step, stages: tuple[Stage, ...]) -> bool:
    return any(stage.step is step and stage.state is StageState.DONE for stage in stages)
