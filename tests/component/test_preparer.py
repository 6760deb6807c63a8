"""From the first login to the first picture, on a machine that is real but for its GPU, and all that may go wrong."""

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest

from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.adapters.system import RandomIds, SystemClock
from orchestrator.control.ahead import Ahead, nobody
from orchestrator.control.machine_agent import MOST_FETCHED
from orchestrator.control.preparation import SIGNINGS, Preparation
from orchestrator.control.steps import run_steps
from orchestrator.control.stopwatch import Stopwatch
from orchestrator.domain.errors import HostUnreachable, PreparationFailed
from orchestrator.domain.ids import WorkflowName
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.domain.workflows import Install, Workflow
from orchestrator.ports.host import Host
from orchestrator.ports.workflows import WorkflowCatalog
from orchestrator.sandbox.image import install_programs
from orchestrator.sandbox.mirror import MirrorFault
from orchestrator.sandbox.models import make_models
from tests.adapters.agent.test_install import git
from tests.component.preparing import AGENT_SOURCE, LIMITS, Stagehand, models_that_wait_for, stagehand

STEPS = (Step.AGENT, Step.COMFYUI, Step.MODELS, Step.SMOKE)
INSTALLED = (Step.CLONE, Step.TORCH, Step.REQUIREMENTS)
SOON = timedelta(seconds=1)
FIRST_SAMPLE = 4
"""Requests: one a connection."""
ROUGHLY_THREE_SECONDS = 4_000_000  # bytes a second, of twelve million


class StagehandOf(Protocol):
    def __call__(
        self, *, workflow: str = "flux-schnell-lora", bytes_per_s: int = 2**31
    ) -> AbstractAsyncContextManager[Stagehand]: ...


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder


@pytest.fixture
def stagehand_of(tmp_path: Path, models: Path) -> StagehandOf:
    def opened(
        *, workflow: str = "flux-schnell-lora", bytes_per_s: int = 2**31
    ) -> AbstractAsyncContextManager[Stagehand]:
        return stagehand(tmp_path, models, workflow=workflow, bytes_per_s=bytes_per_s)

    return opened


@pytest.fixture
async def stage(stagehand_of: StagehandOf) -> AsyncIterator[Stagehand]:
    async with stagehand_of() as stage:
        yield stage


@pytest.fixture
async def slow_stage(stagehand_of: StagehandOf) -> AsyncIterator[Stagehand]:
    """Downloads take a while: time to interfere."""
    async with stagehand_of(bytes_per_s=ROUGHLY_THREE_SECONDS) as stage:
        yield stage


@pytest.fixture
async def host(stage: Stagehand) -> AsyncIterator[Host]:
    host = await stage.login()
    yield host
    await host.close()


def program(stage: Stagehand, name: str, text: str) -> None:
    file = stage.machine.programs / name
    file.unlink(missing_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def agent_pid(stage: Stagehand) -> int:
    log = (stage.machine.root / "glowplug" / "agent.log").read_text()
    return int(log.rpartition(", pid ")[2].split()[0])


# What goes well.


async def test_machine_becomes_ready(stage: Stagehand, host: Host) -> None:
    prepared = await stage.prepare(host)

    total = sum(file.size_bytes for file in stage.workflow.files)
    assert prepared.bytes_down == total + LIMITS.link_sample
    assert "system" in (await host.run(f"curl -s 127.0.0.1:{prepared.comfyui_port}/system_stats", limit=SOON)).stdout
    for file in stage.workflow.files:
        there = (stage.machine.root / "comfyui" / "models" / file.path).read_bytes()
        assert hashlib.sha256(there).hexdigest() == file.sha256


async def test_every_step_is_told_when_it_begins_and_ends(stage: Stagehand, host: Host) -> None:
    await stage.prepare(host)

    assert [stage.moves(step) for step in STEPS] == [[StageState.RUNNING, StageState.DONE]] * len(STEPS)
    assert {told.step for told in stage.told} == set(STEPS)
    ends = [stage.last(step) for step in STEPS]
    assert all(end.started_at and end.ended_at and end.started_at <= end.ended_at for end in ends)


async def test_downloads_are_told_in_bytes_that_only_grow(slow_stage: Stagehand) -> None:
    host = await slow_stage.login()
    await slow_stage.prepare(host)
    await host.close()

    told = [stage for stage in slow_stage.told if stage.step is Step.MODELS]
    total = sum(file.size_bytes for file in slow_stage.workflow.files)
    assert [stage.bytes_done for stage in told] == sorted(stage.bytes_done for stage in told)
    assert {stage.bytes_total for stage in told} == {total}
    assert told[-1].bytes_done == total
    assert 4 < len(told) < 40
    assert max(stage.rate_bps for stage in told) > ROUGHLY_THREE_SECONDS / 4
    assert ROUGHLY_THREE_SECONDS / 4 < told[-1].rate_bps < 2 * ROUGHLY_THREE_SECONDS  # what it was measured at


async def test_comfyui_starts_while_the_models_come(stage: Stagehand, host: Host) -> None:
    async with models_that_wait_for(stage, Step.COMFYUI):
        await stage.prepare(host)

    comfyui, models = stage.last(Step.COMFYUI), stage.last(Step.MODELS)
    assert comfyui.ended_at is not None
    assert models.ended_at is not None
    assert models.started_at is not None
    assert models.started_at < comfyui.ended_at < models.ended_at


async def test_second_preparation_finds_everything_done(stage: Stagehand, host: Host) -> None:
    first = await stage.prepare(host)
    stage.switch_on(MirrorFault.DIE)

    second = await stage.prepare(host)

    assert second.comfyui_port == first.comfyui_port


async def test_resumed_preparation_keeps_times_and_tells_only_what_is_left(stage: Stagehand, host: Host) -> None:
    first = await stage.prepare(host)
    before = tuple(told for told in stage.stages if told.step is not Step.SMOKE)
    stage.told.clear()

    second = await stage.prepare(host, resume=before)

    assert {told.step for told in stage.told} == {Step.SMOKE}
    assert second.bytes_down == first.bytes_down - LIMITS.link_sample


async def test_step_under_way_before_a_crash_goes_on_from_when_it_began(stage: Stagehand, host: Host) -> None:
    await stage.prepare(host)
    began = stage.last(Step.MODELS).started_at
    stage.told.clear()

    await stage.prepare(
        host, resume=(Stage(step=Step.MODELS, state=StageState.RUNNING, started_at=began, bytes_done=5),)
    )

    assert stage.last(Step.MODELS).started_at == began


async def test_workflow_that_starts_from_a_picture_is_proved_with_one(stagehand_of: StagehandOf) -> None:
    async with stagehand_of(workflow="flux-schnell-img2img") as stage:
        assert stage.workflow.takes_image
        host = await stage.login()
        await stage.prepare(host)
        await host.close()

    assert stage.last(Step.SMOKE).state is StageState.DONE


async def test_comfyui_is_installed_where_the_image_lacks_it(stage: Stagehand, host: Host, tmp_path: Path) -> None:
    """Makes a virtual environment and runs pip, twice: a second or two."""
    (stage.machine.programs / "comfyui").rename(stage.machine.programs / "painter")
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.py").write_text('import os, sys\nos.execvp("painter", ["painter", *sys.argv[1:]])\n')
    (source / "requirements.txt").touch()
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "all")
    install = Install(repository=str(source), commit=git(source, "rev-parse", "HEAD"), torch=())
    stage.workflow = replace(stage.workflow, runtime=replace(stage.workflow.runtime, install=install))

    await stage.prepare(host)

    assert [stage.moves(step) for step in INSTALLED] == [[StageState.RUNNING, StageState.DONE]] * len(INSTALLED)


# Machines that will not do.


@pytest.mark.parametrize(("gpu", "vram_mib"), [("RTX 3090", 24576), ("RTX 4090", 49152), ("A100 SXM4", 0)])
async def test_another_card_than_ordered_is_refused(stage: Stagehand, host: Host, gpu: str, vram_mib: int) -> None:
    with pytest.raises(PreparationFailed, match="ordered") as caught:
        await stage.prepare(host, gpu=gpu, vram_mib=vram_mib)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "wrong_gpu")
    assert stage.moves(Step.AGENT) == [StageState.RUNNING, StageState.FAILED]
    assert {told.step for told in stage.told} == {Step.AGENT}


async def test_nothing_in_particular_ordered_takes_any_card(stage: Stagehand, host: Host) -> None:
    assert (await stage.prepare(host, gpu="", vram_mib=0)).comfyui_port


async def test_too_small_a_disk_is_seen_before_anything_is_fetched(stage: Stagehand, host: Host) -> None:
    with pytest.raises(PreparationFailed, match="MiB free") as caught:
        await stage.prepare(host, spare_disk=2**60)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "disk_full")


async def test_disk_that_is_full_although_it_says_otherwise(stage: Stagehand, host: Host) -> None:
    stage.machine.processes.file_blocks = 2048  # of 512 bytes

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.MODELS, "disk_full")
    assert stage.moves(Step.MODELS) == [StageState.RUNNING, StageState.FAILED]


async def test_disk_that_takes_no_more_than_a_little_is_seen_before_anything_is_fetched(
    stage: Stagehand, host: Host
) -> None:
    stage.machine.processes.file_blocks = 2048  # of 512 bytes

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host, disk_sample=2_000_000)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "disk_full")
    assert list((stage.machine.root / "glowplug").glob("probe*")) == []


async def test_disk_that_cannot_be_written_is_broken(stage: Stagehand, host: Host) -> None:
    (stage.machine.root / "glowplug" / "probe.bin").mkdir(parents=True)

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "disk_broken")


async def test_driver_that_is_too_old_for_the_workflow_is_refused(stage: Stagehand, host: Host) -> None:
    install_programs(stage.machine.programs, gpu="RTX 4090", memory_mb=24576, driver="535.86.05", cuda=12.2)

    with pytest.raises(PreparationFailed, match=r"knows CUDA 12\.2, the workflow needs 12\.4") as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "old_driver")


async def test_slow_link_is_refused_before_anything_is_fetched(stagehand_of: StagehandOf) -> None:
    async with stagehand_of(bytes_per_s=200_000) as stage:
        host = await stage.login()
        with pytest.raises(PreparationFailed, match="bytes/s") as caught:
            await stage.prepare(host, floor_bps=1_000_000, disk_sample=0, link_sample=1_000_000)
        await host.close()

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "too_slow")
    assert {told.step for told in stage.told} == {Step.AGENT}
    assert 0 < stage.last(Step.AGENT).rate_bps < 1_000_000


async def test_mirrors_that_give_nothing_to_a_machine_are_told_in_their_own_words(stage: Stagehand, host: Host) -> None:
    stage.switch_on(MirrorFault.HTML)

    with pytest.raises(PreparationFailed, match="text/html") as caught:
        await stage.prepare(host, floor_bps=1_000, disk_sample=0)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "too_slow")
    assert stage.last(Step.AGENT).rate_bps == 0  # of its link that says nothing


async def test_link_is_called_slow_only_when_it_is_so_twice(stage: Stagehand, host: Host) -> None:
    stage.mirror_faults.switch_on(MirrorFault.HTML, requests=FIRST_SAMPLE)

    assert (await stage.prepare(host, floor_bps=1_000, disk_sample=0)).comfyui_port


async def test_a_second_sample_that_no_time_is_left_for_is_not_taken(stage: Stagehand, host: Host) -> None:
    stage.mirror_faults.switch_on(MirrorFault.HTML, requests=FIRST_SAMPLE)

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host, floor_bps=1_000, disk_sample=0, probe=SOON)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "too_slow")


async def test_disk_too_full_for_the_agent_itself(stage: Stagehand, host: Host) -> None:
    stage.machine.processes.file_blocks = 1

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "disk_full")


async def test_wrong_bytes_are_one_error_and_no_group(stage: Stagehand, host: Host) -> None:
    stage.switch_on(MirrorFault.LIE)

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.MODELS, "bad_checksum")


async def test_link_below_the_floor_is_given_up(stagehand_of: StagehandOf) -> None:
    async with stagehand_of(bytes_per_s=200_000) as stage:
        host = await stage.login()
        with pytest.raises(PreparationFailed) as caught:
            await stage.prepare(host, floor_bps=1_000_000, floor_window=SOON, link_sample=0)
        await host.close()

    assert (caught.value.step, caught.value.code) == (Step.MODELS, "too_slow")


async def test_download_that_begins_below_the_floor_is_given_up_at_once(stagehand_of: StagehandOf) -> None:
    async with stagehand_of(bytes_per_s=200_000) as stage:
        host = await stage.login()
        with pytest.raises(PreparationFailed) as caught:
            await stage.prepare(host, floor_bps=1_000_000, first_window=SOON, link_sample=0)
        await host.close()

    assert (caught.value.step, caught.value.code) == (Step.MODELS, "too_slow")
    assert 0 < stage.last(Step.MODELS).rate_bps < 1_000_000


async def test_download_over_its_limit_is_given_up(stagehand_of: StagehandOf) -> None:
    async with stagehand_of(bytes_per_s=200_000) as stage:
        host = await stage.login()
        with pytest.raises(PreparationFailed) as caught:
            await stage.prepare(host, models=SOON)
        await host.close()

    assert (caught.value.step, caught.value.code) == (Step.MODELS, "timed_out")


async def test_machine_without_comfyui_and_without_a_way_to_install_it(stage: Stagehand, host: Host) -> None:
    (stage.machine.programs / "comfyui").unlink()
    stage.workflow = replace(stage.workflow, runtime=replace(stage.workflow.runtime, install=None))

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.COMFYUI, "no_comfyui")


async def test_comfyui_that_dies_is_told_with_its_last_words(stage: Stagehand, host: Host) -> None:
    program(stage, "comfyui", "#!/bin/sh\nprintf 'no \\033[31mkernel\\033[0m image\\n' >&2\nexit 1\n")

    with pytest.raises(PreparationFailed, match="kernel") as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.COMFYUI, "comfyui_died")
    assert str(caught.value).isprintable()


async def test_comfyui_that_stays_silent_is_given_up(stage: Stagehand, host: Host) -> None:
    program(stage, "comfyui", "#!/bin/sh\nexec sleep 1000\n")

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host, comfyui=timedelta(seconds=3))

    assert (caught.value.step, caught.value.code) == (Step.COMFYUI, "comfyui_silent")


async def test_clone_that_fails_fails_its_own_step(stage: Stagehand, host: Host) -> None:
    (stage.machine.programs / "comfyui").unlink()
    install = Install(repository="/nowhere", commit="0" * 40, torch=())
    stage.workflow = replace(stage.workflow, runtime=replace(stage.workflow.runtime, install=install))

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.CLONE, "clone_failed")
    assert stage.moves(Step.CLONE) == [StageState.RUNNING, StageState.FAILED]


async def test_open_port_is_no_proof_and_a_hung_comfyui_is_found_out(stage: Stagehand, host: Host) -> None:
    stage.fault_file.write_text("hangs")

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host, smoke=SOON)

    assert (caught.value.step, caught.value.code) == (Step.SMOKE, "timed_out")


async def test_card_too_small_for_the_smoke_picture(stage: Stagehand, host: Host) -> None:
    stage.fault_file.write_text("oom")

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.SMOKE, "out_of_vram")


async def test_graph_that_comfyui_refuses(stage: Stagehand, host: Host) -> None:
    files = [file for file in stage.workflow.models if not file.path.startswith("vae/")]
    stage.workflow = replace(stage.workflow, models=tuple(files))

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.SMOKE, "graph_rejected")


async def test_machine_without_python(stage: Stagehand, host: Host) -> None:
    program(stage, "python3", "#!/bin/sh\necho 'python3: not found' >&2\nexit 127\n")

    with pytest.raises(PreparationFailed, match="not found") as caught:
        await stage.prepare(host)

    assert (caught.value.step, caught.value.code) == (Step.AGENT, "no_python")


@pytest.mark.parametrize(
    "said",
    [
        "hello",
        "[" * 5000,
        "[]",
        json.dumps({"event": "failed", "code": "\x1b[2J", "detail": "\x1b]0;owned\x07" + "x" * 5000}),
        json.dumps({"event": "failed", "code": 3, "detail": None}),
        json.dumps({"event": "progress", "bytes": "many"}),
    ],
)
async def test_machine_that_talks_nonsense_harms_nobody(stage: Stagehand, host: Host, said: str) -> None:
    """It starts an agent, so it seems, which then says just this."""
    (stage.machine.root / "said").write_text(said + "\n")
    program(stage, "python3", f"#!/bin/sh\n[ $2 = start ] || cat {stage.machine.root}/said\n")

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert caught.value.code in {"agent_failed", "agent_gone"}
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


NOWHERE = Install(repository="/nowhere", commit="0" * 40, torch=())
PROBED = {"event": "done", "gpu": "RTX 4090", "vram_mib": 24576, "disk_free": 2**40, "port": 8188, "has_start": False}


def agent_says(stage: Stagehand, operation: str, *said: object) -> None:
    """A machine with an agent of its own: it answers *operation* with *said*, and everything else with "done"."""
    answers = stage.machine.root / "answers"
    answers.write_text("".join(json.dumps(line) + "\n" for line in said))
    otherwise = f"echo '{json.dumps(PROBED)}'"
    program(
        stage,
        "python3",
        f"""#!/bin/sh
[ $2 = start ] && exit
case "$(head -n 1)" in *'"op": "{operation}"'*) cat {answers};; *) {otherwise};; esac
""",
    )


class Signing(WorkflowCatalog):
    """Signs as often as it is asked; from its *cure* time on, the machine's agent is content."""

    def __init__(self, stage: Stagehand, *, cure: int) -> None:
        self._stage = stage
        self._cure = cure
        self.asked = 0

    def all(self) -> tuple[Workflow, ...]:
        return (self._stage.workflow,)

    def find(self, name: WorkflowName) -> Workflow | None:
        self.asked += 1
        if self.asked == self._cure:
            agent_says(self._stage, "fetch", {"event": "done", "bytes": 7})
        return self._stage.workflow if name == self._stage.workflow.name else None


async def bytes_of_the_rest(stage: Stagehand, host: Host) -> int:
    """Bring up ComfyUI and the models alone; what the machine says that it has fetched."""
    ids = RandomIds(SystemClock())
    machine = Preparation(
        host,
        stage.workflow,
        Stopwatch(SystemClock(), stage.note, ()),
        catalog=stage.catalog,
        agent_source=AGENT_SOURCE,
        limits=LIMITS,
        ahead=Ahead(
            host=host, workflow=stage.workflow, comfy=ComfyUiConnector(), ids=ids, waiting=nobody, limit=LIMITS.smoke
        ),
    )
    await run_steps(machine.steps())
    return machine.fetched


async def test_addresses_that_end_in_the_middle_are_signed_anew(stage: Stagehand, host: Host) -> None:
    agent_says(stage, "fetch", {"event": "failed", "code": "expired"})
    stage.catalog = Signing(stage, cure=2)

    fetched = await bytes_of_the_rest(stage, host)

    assert fetched == 7


async def test_addresses_that_are_refused_however_new_end_the_preparation(stage: Stagehand, host: Host) -> None:
    agent_says(stage, "fetch", {"event": "failed", "code": "expired"})
    stage.catalog = signing = Signing(stage, cure=0)

    with pytest.raises(PreparationFailed) as caught:
        await bytes_of_the_rest(stage, host)

    assert (caught.value.code, signing.asked) == ("expired", SIGNINGS)


async def test_of_the_steps_that_are_ours_to_time_a_machine_says_nothing(stage: Stagehand, host: Host) -> None:
    """It would end steps that never began, and begin some that were never ordered."""
    lies = [{"event": "step", "step": step, "state": state} for step in Step for state in ("done", "running", "done")]
    stage.workflow = replace(stage.workflow, runtime=replace(stage.workflow.runtime, install=NOWHERE))
    agent_says(stage, "install", *lies, {"event": "failed", "code": "torch_failed", "detail": "no"})

    with pytest.raises(PreparationFailed) as caught:
        await stage.prepare(host)

    assert caught.value.step in INSTALLED
    assert {told.step for told in stage.told} <= {*INSTALLED, Step.AGENT, Step.MODELS}


async def test_an_agent_that_talks_without_end_is_not_listened_to_for_ever(stage: Stagehand, host: Host) -> None:
    program(stage, "python3", """#!/bin/sh\n[ $2 = start ] || exec yes '{"event": "progress", "bytes": 1}'\n""")

    with pytest.raises(PreparationFailed, match="without end"):
        await stage.prepare(host, agent=timedelta(minutes=5))


async def test_no_machine_has_us_pay_for_more_bytes_than_it_can_have_fetched(stage: Stagehand, host: Host) -> None:
    agent_says(stage, "fetch", {"event": "done", "bytes": 2**52})
    total = sum(file.size_bytes for file in stage.workflow.files)

    fetched = await bytes_of_the_rest(stage, host)

    assert fetched == MOST_FETCHED * total


async def test_machine_that_lies_about_its_port_is_refused(stage: Stagehand, host: Host) -> None:
    probed = {"event": "done", "gpu": "RTX 4090", "vram_mib": 24576, "disk_free": 2**40, "port": 2**40}
    (stage.machine.root / "said").write_text(json.dumps(probed) + "\n")
    program(stage, "python3", f"#!/bin/sh\n[ $2 = start ] || cat {stage.machine.root}/said\n")

    with pytest.raises(PreparationFailed, match="port") as caught:
        await stage.prepare(host)

    assert caught.value.step == Step.COMFYUI


# Connections and agents that end in the middle.


async def test_lost_connection_is_resumed_by_the_next(slow_stage: Stagehand) -> None:
    first, second = await slow_stage.login(), await slow_stage.login()
    cut = asyncio.Event()
    slow_stage.on_stage = lambda stage: cut.set() if stage.bytes_done > 1_000_000 else None

    with pytest.raises(HostUnreachable):
        async with asyncio.timeout(20):
            await both(slow_stage, first, cut)
    slow_stage.told, resume = [], slow_stage.stages
    await second.close()
    again = await slow_stage.login()
    await slow_stage.prepare(again, resume=resume)
    await again.close()

    assert Step.AGENT not in {stage.step for stage in slow_stage.told}
    assert slow_stage.last(Step.MODELS).state is StageState.DONE


async def both(stage: Stagehand, host: Host, cut: asyncio.Event) -> None:
    """Prepare, and break the connection on the way."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.prepare(host))
            await cut.wait()
            await stage.machine.subject.cut()
    except* HostUnreachable as errors:
        raise errors.exceptions[0] from None


async def test_agent_that_is_killed_is_started_again_and_goes_on(slow_stage: Stagehand) -> None:
    kills: list[int] = []

    def kill_once(stage: Stage) -> None:
        if stage.bytes_done > 1_000_000 and not kills:
            kills.append(agent_pid(slow_stage))
            os.kill(kills[0], signal.SIGKILL)

    slow_stage.on_stage = kill_once
    host = await slow_stage.login()
    await slow_stage.prepare(host)
    await host.close()

    assert kills
    assert agent_pid(slow_stage) != kills[0]


async def test_cancelled_preparation_leaves_the_machine_working(slow_stage: Stagehand) -> None:
    host = await slow_stage.login()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await slow_stage.prepare(host)

    assert (await host.run("echo here", limit=SOON)).stdout == "here\n"
    await host.close()


async def test_nothing_is_written_outside_the_root(stage: Stagehand, host: Host) -> None:
    around = {path for path in stage.machine.root.parent.rglob("*") if stage.machine.root not in path.parents}

    await stage.prepare(host)

    after = {path for path in stage.machine.root.parent.rglob("*") if stage.machine.root not in path.parents}
    assert after == around
