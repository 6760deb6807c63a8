"""A rented machine to prepare: real SSH, real agent, mirrors on loopback, and the sandbox's painter as its ComfyUI."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from aiohttp.test_utils import BaseTestServer, TestServer
from yarl import URL

from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.adapters.system import RandomIds, SystemClock
from orchestrator.adapters.workflow_files import FixedCatalog, read_workflow
from orchestrator.control.ahead import Waiting, nobody
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.preparer import Prepared, Preparer
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.domain.workflows import ModelFile, Workflow, is_text_encoder
from orchestrator.ports.host import Host
from orchestrator.ports.workflows import WorkflowCatalog
from orchestrator.sandbox.image import install_comfyui
from orchestrator.sandbox.mirror import MIRROR_FAULTS, Bucket, MirrorFault, MirrorFaults, mirror_app
from orchestrator.sandbox.models import make_models
from tests.contract.machines import Machine, sandbox_machine

PACKAGE = Path(__file__).parents[2] / "orchestrator"
AGENT_SOURCE = (PACKAGE / "payload" / "agent.py").read_bytes()
FAST = 2**31
TRICKLE = 100_000
LIMITS = PrepareLimits(
    agent=timedelta(seconds=20),
    install=timedelta(seconds=60),
    comfyui=timedelta(seconds=20),
    models=timedelta(seconds=30),
    smoke=timedelta(seconds=20),
    silence=timedelta(seconds=10),
    link_silence=timedelta(seconds=0.5),
    floor_bps=0,
    spare_disk=0,
    install_disk=0,
    link_sample=64 * 1024,
    disk_sample=64 * 1024,
    sample=timedelta(seconds=1),
    probe=timedelta(seconds=2.5),
)


@dataclass(kw_only=True)
class Stagehand:
    """
    Everything around one preparation.

    Attributes:
        models: The folder of the mirror's files.
        told: Every stage that was reported, in order.
        fault_file: What the painter suffers from: ``oom``, ``hangs`` or ``dies``.
    """

    machine: Machine
    models: Path
    mirror_faults: MirrorFaults
    workflow: Workflow
    fault_file: Path
    catalog: WorkflowCatalog = field(default_factory=lambda: FixedCatalog(()))
    told: list[Stage] = field(default_factory=list)
    on_stage: Callable[[Stage], None] = lambda _: None

    async def login(self) -> Host:
        return await self.machine.subject.login()

    async def prepare(
        self,
        host: Host,
        *,
        gpu: str = "RTX 4090",
        vram_mib: int = 24576,
        waiting: Waiting = nobody,
        resume: tuple[Stage, ...] = (),
        **limits: object,
    ) -> Prepared:
        clock = SystemClock()
        preparer = Preparer(
            agent_source=AGENT_SOURCE,
            comfy=ComfyUiConnector(),
            catalog=self.catalog,
            clock=clock,
            ids=RandomIds(clock),
            limits=replace(LIMITS, **limits),  # type: ignore[arg-type]  # named by the tests, checked by the dataclass
        )
        return await preparer.prepare(
            host,
            self.workflow,
            ordered_gpu=gpu,
            ordered_vram_mib=vram_mib,
            report=self.note,
            waiting=waiting,
            resume=resume,
        )

    async def note(self, stage: Stage) -> None:
        self.told.append(stage)
        self.on_stage(stage)

    def moves(self, step: Step) -> list[StageState]:
        """The states that a step was reported in, each once."""
        return list(dict.fromkeys(stage.state for stage in self.told if stage.step is step))

    def last(self, step: Step) -> Stage:
        return next(stage for stage in reversed(self.told) if stage.step is step)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What a store would hold of this machine."""
        return tuple({stage.step: stage for stage in self.told}.values())

    def switch_on(self, fault: MirrorFault) -> None:
        self.mirror_faults.switch_on(fault)


@asynccontextmanager
async def stagehand(
    folder: Path, models: Path, *, workflow: str = "flux-schnell-lora", bytes_per_s: int = FAST
) -> AsyncIterator[Stagehand]:
    app = mirror_app(models, bytes_per_s=bytes_per_s, bytes_per_s_per_connection=FAST)
    async with TestServer(app) as mirror, sandbox_machine(folder / "machine") as machine:
        fault_file = folder / "fault"
        fault_file.touch()
        pace = {"GLOWPLUG_PAINT_MS": "10", "GLOWPLUG_LOAD_MS": "0", "GLOWPLUG_COMFYUI_FAULT_FILE": str(fault_file)}
        await asyncio.to_thread(install_comfyui, machine.programs, settings=pace)
        yield Stagehand(
            machine=machine,
            models=models,
            mirror_faults=app[MIRROR_FAULTS],
            workflow=served_by(mirror, models, workflow),
            fault_file=fault_file,
        )


@asynccontextmanager
async def models_that_wait_for(stage: Stagehand, step: Step) -> AsyncIterator[None]:
    """Have all models but the text encoders trickle until that step is done: they are not there before, at any load."""
    wire = Bucket(TRICKLE)

    def hurry(told: Stage) -> None:
        if told.step is step and told.state is StageState.DONE:
            wire.rate, wire.free_at = FAST, 0.0

    app = mirror_app(stage.models, bytes_per_s=FAST, bytes_per_s_per_connection=FAST, wire=wire)
    async with TestServer(app) as server:

        def elsewhere(file: ModelFile) -> ModelFile:
            return replace(file, urls=(str(server.make_url(URL(file.urls[0]).path)),))

        stage.workflow = stage.workflow.with_files(lambda file: file if is_text_encoder(file.path) else elsewhere(file))
        stage.on_stage = hurry
        yield


def served_by(mirror: BaseTestServer, models: Path, name: str) -> Workflow:
    """One of our own workflows, with the sandbox's small files in place of its models."""
    _, workflow = read_workflow(PACKAGE / "workflows" / name)
    there = {
        made.path: ModelFile(
            path=made.path,
            size_bytes=made.size,
            sha256=made.sha256,
            urls=(str(mirror.make_url(f"/models/{made.path}")),),
        )
        for made in make_models(models)
    }
    return workflow.with_files(lambda file: there[file.path])
