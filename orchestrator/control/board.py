"""What is happening this second: download rates, sampler steps, how the clouds answer. Nothing here must last."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.ids import CloudName, InstanceId, JobId
from orchestrator.domain.instance import EndReason
from orchestrator.domain.loras import Fetching
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.stages import Stage, Step
from orchestrator.ports.comfy import Painting

GUESSED_SECONDS_PER_IMAGE = 14.4
"""What one picture took the first user; used until one of ours was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudHealth:
    """
    How one cloud answered last.

    Attributes:
        problem: Empty when its last call went well.
        last_error: What it said when it last did not; *failed_at* then.
        has_good_key: Whether it takes our key and our account; None before it has said.
        limited_until: Until when it does not want to be asked; None while it does not say.
        balance: Prepaid money left at *balance_at*; None where it does not tell.
        unknown_machines: Machines with our label in its last complete listing that no book of ours knew.
        listed_at: When that listing was asked for.
    """

    problem: str = ""
    last_error: str = ""
    failed_at: datetime | None = None
    has_good_key: bool | None = None
    limited_until: datetime | None = None
    balance: MicroUsd | None = None
    balance_at: datetime | None = None
    unknown_machines: int | None = None
    listed_at: datetime | None = None


class Board:
    """Live figures, kept in memory; after a restart the store's rows stand in for them."""

    def __init__(self, *, seconds_per_image: float = GUESSED_SECONDS_PER_IMAGE) -> None:
        self.seconds_per_image = seconds_per_image
        self._stages: dict[InstanceId, dict[Step, Stage]] = {}
        self._paintings: dict[JobId, Painting] = {}
        self._fetches: dict[JobId, Fetching] = {}
        self._restarts: dict[JobId, EndReason] = {}
        self._heard: dict[InstanceId, datetime] = {}
        self._unguarded: set[InstanceId] = set()
        self._clouds: dict[CloudName, CloudHealth] = {}
        self._doubted: set[CloudName] = set()
        self.booked_at: float | None = None
        """When the books last took in what machines cost, on the loop's clock; None until they have."""

    def put_stage(self, instance: InstanceId, stage: Stage) -> None:
        self._stages.setdefault(instance, {})[stage.step] = stage

    def stages(self, instance: InstanceId) -> dict[Step, Stage]:
        return self._stages.get(instance, {})

    def note_heard(self, instance: InstanceId, at: datetime) -> None:
        """The machine itself has answered us then."""
        self._heard[instance] = at

    def note_unguarded(self, instance: InstanceId) -> bool:
        """It has no switch that would end it. Says whether that is new."""
        is_new = instance not in self._unguarded
        self._unguarded.add(instance)
        return is_new

    def is_unguarded(self, instance: InstanceId) -> bool:
        return instance in self._unguarded

    def heard(self, instance: InstanceId) -> datetime | None:
        return self._heard.get(instance)

    def note_pace(self, seconds: float, images: int) -> None:
        """Move the estimate for one picture a third of the way to what was just measured."""
        self.seconds_per_image += (seconds / max(images, 1) - self.seconds_per_image) / 3

    def put_painting(self, job: JobId, painting: Painting) -> None:
        self._paintings[job] = painting

    def painting(self, job: JobId) -> Painting | None:
        return self._paintings.get(job)

    def put_fetching(self, job: JobId, fetching: Fetching | None) -> None:
        """How far its machine is with the LoRA that it needs; None when that is there."""
        if fetching is None:
            self._fetches.pop(job, None)
        else:
            self._fetches[job] = fetching

    def fetching(self, job: JobId) -> Fetching | None:
        return self._fetches.get(job)

    def note_restart(self, job: JobId, why: EndReason) -> None:
        """ComfyUI is started again for it: what was painted so far counts no more."""
        self._paintings.pop(job, None)
        self._restarts[job] = why

    def restart(self, job: JobId) -> EndReason | None:
        """Why ComfyUI was started again for it, if it was."""
        return self._restarts.get(job)

    def forget_job(self, job: JobId) -> None:
        self._paintings.pop(job, None)
        self._fetches.pop(job, None)
        self._restarts.pop(job, None)

    def forget_instance(self, instance: InstanceId) -> None:
        self._stages.pop(instance, None)
        self._heard.pop(instance, None)
        self._unguarded.discard(instance)

    def put_cloud(self, cloud: CloudName, health: CloudHealth) -> None:
        self._clouds[cloud] = health

    def doubt(self, cloud: CloudName) -> None:
        """What we know of our machines there may be wrong or old: its next listing is awaited."""
        self._doubted.add(cloud)

    def is_doubted(self, cloud: CloudName) -> bool:
        return cloud in self._doubted

    def trust(self, cloud: CloudName) -> None:
        self._doubted.discard(cloud)

    def cloud(self, cloud: CloudName) -> CloudHealth:
        return self._clouds.get(cloud, CloudHealth())
