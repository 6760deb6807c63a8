"""LoRAs that people add: what is kept of one, what a job takes along, and how it comes onto the machine."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.api import NewLora, Running
from orchestrator.domain.errors import RequestError
from orchestrator.domain.instance import InstanceState
from orchestrator.domain.job import JobState
from orchestrator.domain.loras import MOST_LORAS, AddedLora, LoraFile
from orchestrator.domain.workflows import fill
from orchestrator.sandbox.mirror import MirrorFault
from orchestrator.sandbox.models import make_models
from orchestrator.sim.lora_files import DEAD
from tests.component.control.stage import Stage, a_stage
from tests.component.control.test_restarts import Warm, a_warm_life
from tests.contract.samples import ADA, BOB

LINK = "https://a.example/sketch.safetensors"
SKETCH = NewLora(name="sketch", url=LINK, strength=0.7, triggers="pencil sketch")

# As in test_restarts: asyncssh leaves a connection that it has just accepted to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*_SelectorTransport|.*socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as stage:
        yield stage


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder


async def put(stage: Stage, lora: AddedLora) -> None:
    async with stage.shared.store.writing() as books:
        await books.loras.add(ADA, lora)


async def refused(stage: Stage, new: NewLora, *, shared: bool = False) -> str:
    with pytest.raises(RequestError) as error:
        await stage.service.loras.add(ADA, new, shared=shared)
    return error.value.key


class TestAdding:
    async def test_it_is_listed_for_its_person_and_for_nobody_else(self, stage: Stage) -> None:
        added = await stage.service.loras.add(ADA, SKETCH)

        assert await stage.service.loras.of(ADA) == (added,)
        assert await stage.service.loras.of(BOB) == ()
        assert (added.name, added.strength, added.triggers, added.file.url) == ("sketch", 0.7, "pencil sketch", LINK)

    async def test_a_shared_one_is_everybodys(self, stage: Stage) -> None:
        added = await stage.service.loras.add(ADA, SKETCH, shared=True)

        assert await stage.service.loras.of(BOB) == (added,)
        assert not await stage.service.loras.remove(ADA, "sketch")
        assert await stage.service.loras.remove(BOB, "sketch", shared=True)

    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            ({"name": "b0throps"}, "lora_of_workflow"),
            ({"name": "none"}, "bad_lora_name"),
            ({"name": "a:b"}, "bad_lora_name"),
            ({"name": "../up"}, "bad_lora_name"),
            ({"url": "ink"}, "bad_lora_link"),
            ({"strength": 9.0}, "out_of_range"),
            ({"triggers": "x" * 201}, "long_triggers"),
            ({"url": f"https://{DEAD}.example/a"}, "lora_link_dead"),
        ],
    )
    async def test_what_will_not_do_is_told(self, stage: Stage, changes: dict[str, str], key: str) -> None:
        assert await refused(stage, replace(SKETCH, **changes)) == key  # type: ignore[arg-type]
        assert await stage.service.loras.of(ADA) == ()

    async def test_a_name_is_taken_once_also_by_a_shared_one(self, stage: Stage) -> None:
        await stage.service.loras.add(BOB, SKETCH, shared=True)

        assert await refused(stage, SKETCH) == "lora_exists"

    async def test_there_is_a_most(self, stage: Stage) -> None:
        file = LoraFile(url=LINK, size_bytes=1, sha256="ab" * 32)
        for number in range(MOST_LORAS):
            lora = AddedLora(name=f"l{number}", file=file, strength=1, triggers="", is_shared=False)
            await put(stage, lora)

        assert await refused(stage, SKETCH) == "too_many_loras"

    async def test_a_person_has_one_read_at_a_time(self, stage: Stage) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.service.loras.add(ADA, SKETCH))
            second = group.create_task(refused(stage, replace(SKETCH, name="other")))

        assert second.result() == "lora_busy"


class TestAsking:
    async def test_a_job_takes_along_what_is_known_and_the_strength_that_was_kept(self, stage: Stage) -> None:
        added = await stage.service.loras.add(ADA, SKETCH)

        job = await stage.job(await stage.ask(lora="sketch"))

        assert job.own_lora == added.for_job()
        assert (job.values["lora"], job.values["strength"], job.values["prompt"]) == ("sketch", 0.7, "a cat")

    async def test_a_strength_that_is_said_counts(self, stage: Stage) -> None:
        await stage.service.loras.add(ADA, SKETCH)

        assert (await stage.job(await stage.ask(lora="sketch", strength=0.2))).values["strength"] == 0.2

    async def test_somebody_elses_is_unknown(self, stage: Stage) -> None:
        await stage.service.loras.add(BOB, SKETCH)

        with pytest.raises(RequestError, match="unknown_lora"):
            await stage.ask(lora="sketch")

    async def test_a_job_keeps_it_when_it_is_removed(self, stage: Stage) -> None:
        await stage.service.loras.add(ADA, SKETCH, shared=True)
        job = await stage.ask(lora="sketch")

        await stage.service.loras.remove(ADA, "sketch", shared=True)

        assert (await stage.job(job)).own_lora is not None

    @pytest.mark.parametrize(
        ("prompt", "painted"), [("a cat", "pencil sketch, a cat"), ("Pencil Sketch of a cat", "Pencil Sketch of a cat")]
    )
    async def test_its_triggers_go_before_the_prompt_once(self, stage: Stage, prompt: str, painted: str) -> None:
        added = await stage.service.loras.add(ADA, SKETCH)
        job = await stage.job(await stage.ask(prompt=prompt, lora="sketch"))
        workflow = stage.shared.catalog.find(job.workflow)
        assert workflow is not None

        graph = fill(workflow, job.values, own_lora=job.own_lora)

        assert graph["positive"]["inputs"]["text"] == painted
        assert graph["lora"]["inputs"] | {"model": None} == {
            "model": None,
            "lora_name": f"{added.file.sha256[:16]}-sketch.safetensors",
            "strength_model": 0.7,
        }


class TestBringing:
    """Onto a real machine, by the real agent, from a mirror that may misbehave."""

    @pytest.fixture
    async def warm(self, tmp_path: Path, models: Path) -> AsyncIterator[Warm]:
        async with a_warm_life(tmp_path, models) as warm:
            yield warm

    @pytest.fixture
    def sketch(self, warm: Warm, models: Path) -> AddedLora:
        """The mirror's watercolour, which no workflow has."""
        url = warm.hand.workflow.loras["b0throps"].urls[0].replace("b0throps", "watercolour")
        made = {file.path: file for file in make_models(models)}["loras/watercolour.safetensors"]
        file = LoraFile(url=url, size_bytes=made.size, sha256=made.sha256)
        return AddedLora(name="sketch", file=file, strength=0.7, triggers="pencil sketch", is_shared=False)

    async def test_a_warm_machine_fetches_it_once_and_paints_without_a_restart(
        self, warm: Warm, sketch: AddedLora
    ) -> None:
        before = warm.process
        await put(warm.stage, sketch)
        was_down = (await warm.row()).bytes_down

        first = await warm.stage.ask(key="one", lora="sketch")
        await warm.until_painting(first, _fetches)
        second = await warm.stage.ask(key="two", lora="sketch")

        for job in (first, second):
            await warm.until(job, JobState.SUCCEEDED)
        assert (warm.hand.machine.root / "comfyui" / "models" / sketch.path).stat().st_size == sketch.file.size_bytes
        assert warm.process == before
        assert (await warm.row()).bytes_down - was_down == sketch.file.size_bytes, "some tariffs bill that, once"

    async def test_one_that_cannot_be_had_fails_the_job_and_keeps_the_machine(
        self, warm: Warm, sketch: AddedLora
    ) -> None:
        """Its bytes are others than those that were added; then its link is dead; then all is well again."""
        await put(warm.stage, replace(sketch, name="other", file=replace(sketch.file, sha256="ab" * 32)))
        await put(warm.stage, sketch)

        assert "is not the one that was added" in await self.failure(warm, "other")
        warm.hand.switch_on(MirrorFault.DIE)
        assert "gives nothing any more" in await self.failure(warm, "sketch")

        assert (await warm.row()).state is InstanceState.READY
        warm.hand.mirror_faults.switch_off(MirrorFault.DIE)
        await warm.until(await warm.stage.ask(key="next", lora="sketch"), JobState.SUCCEEDED)

    async def failure(self, warm: Warm, lora: str) -> str:
        job = await warm.stage.ask(key=lora, lora=lora)
        await warm.until(job, JobState.FAILED)
        failure = (await warm.stage.job(job)).failure
        assert failure is not None
        return str(failure.values["sentence"])


def _fetches(running: Running) -> bool:
    return running.fetching is not None and running.fetching.name == "sketch"
