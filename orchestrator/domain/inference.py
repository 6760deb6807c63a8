"""What a managed API can make and what it charges; whether a job is one of those."""

import math
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from orchestrator.domain.job import Job
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import NO_LORA, ModelFile, Workflow

MEGAPIXEL = 1_000_000


class LoraSupport(StrEnum):
    """Which LoRAs of a workflow an API can use; one that a person has added is never given to an API."""

    NONE = "none"
    PUBLIC = "public"  # what it can fetch from an address that anyone may read
    OWN = "own"  # what the workflow has: our graph and our files are there


class Obstacle(StrEnum):
    """What about a job an API cannot do."""

    OWN_LORA = "own_lora"  # a person or an admin has added it
    WORKFLOW = "workflow"  # another model, or a picture to start from
    LORA = "lora"  # one of the workflow's, or its strength
    WORDS = "words"  # what to leave out
    STEPS = "steps"
    SIZE = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """
    Which pictures can be had.

    Attributes:
        least: The shorter side, in pixels.
        most: The longer side, in pixels.
        step: Both sides are multiples of it.
        exact: Just these (width, height); None allows all between.
    """

    least: int
    most: int
    step: int = 1
    exact: frozenset[tuple[int, int]] | None = None

    def allow(self, width: int, height: int) -> bool:
        if self.exact is not None:
            return (width, height) in self.exact
        fits = self.least <= min(width, height) and max(width, height) <= self.most
        return fits and width % self.step == 0 and height % self.step == 0


ANY_SIZE = Sizes(least=1, most=1 << 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """
    What is charged, in micro-dollars; the parts add up.

    Attributes:
        per_order: Once, however many pictures: what starts for it, and the wait at its end.
        steps: More steps than these make a megapixel dearer in proportion; 0: steps cost nothing.
    """

    per_picture: MicroUsd = MicroUsd(0)
    per_megapixel: MicroUsd = MicroUsd(0)
    per_second: MicroUsd = MicroUsd(0)
    per_order: MicroUsd = MicroUsd(0)
    steps: int = 0

    def of(self, *, pictures: int, pixels: int, seconds: float = 0.0, steps: int = 0) -> MicroUsd:
        """For *pictures* of *pixels* and *steps* each that took *seconds* together, rounded up."""
        dearer = max(1.0, steps / self.steps) if self.steps else 1.0
        megapixels = dearer * pictures * pixels / MEGAPIXEL
        cost = self.per_picture * pictures + self.per_megapixel * megapixels + self.per_second * seconds
        return MicroUsd(self.per_order + math.ceil(cost))


FREE = Price()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """
    What one API says that it can do.

    Attributes:
        families: The model families it has, as :attr:`Workflow.family` names them.
        runs_graphs: It runs our own graph: then any workflow, of whatever family.
        steps: The least and the most.
        strengths: Of a LoRA, the least and the most.
        is_seeded: The same seed gives the same picture again.
        is_filtered: It keeps back pictures that it takes for indecent.
        can_cancel: What runs there can be stopped.
        lora_price: With a LoRA, where that costs something else.
        seconds: What a picture usually takes, for estimates.
    """

    families: frozenset[str] = frozenset()
    runs_graphs: bool = False
    sizes: Sizes = ANY_SIZE
    steps: tuple[int, int] = (1, 100)
    loras: LoraSupport = LoraSupport.NONE
    strengths: tuple[float, float] = (-10.0, 10.0)
    takes_negative: bool = False
    takes_image: bool = False
    is_seeded: bool = True
    is_filtered: bool = False
    can_cancel: bool = False
    price: Price = FREE
    lora_price: Price | None = None
    seconds: float = 4.0

    def can_make(self, workflow: Workflow, job: Job) -> bool:
        """Whether it can make just the pictures of *job*."""
        return self.obstacle(workflow, job) is None

    def obstacle(self, workflow: Workflow, job: Job) -> Obstacle | None:
        """The first thing about *job* that it cannot do; None where it can make it."""
        if job.own_lora is not None:
            return Obstacle.OWN_LORA
        has_model = self.runs_graphs or workflow.family in self.families
        if not has_model or (workflow.takes_image and not self.takes_image):
            return Obstacle.WORKFLOW
        return self._unfit(job) if self._has_lora(workflow, job) else Obstacle.LORA

    def _has_lora(self, workflow: Workflow, job: Job) -> bool:
        lora = lora_of(workflow, job)
        if lora is None:
            return True
        if self.loras is LoraSupport.PUBLIC and not any(map(is_public, lora.urls)):
            return False
        least, most = self.strengths
        return self.loras is not LoraSupport.NONE and least <= float(job.values.get("strength", 1.0)) <= most

    def _unfit(self, job: Job) -> Obstacle | None:
        values = job.values
        if str(values.get("negative", "")).strip() and not self.takes_negative:
            return Obstacle.WORDS
        if "steps" in values and not self.steps[0] <= int(values["steps"]) <= self.steps[1]:
            return Obstacle.STEPS
        return None if self.sizes.allow(*size_of(job)) else Obstacle.SIZE

    def estimate(self, job: Job) -> MicroUsd:
        """What *job* will cost there at most, as far as that can be told before."""
        width, height = size_of(job)
        has_lora = str(job.values.get("lora", NO_LORA)) != NO_LORA
        price = (self.lora_price if has_lora else None) or self.price
        seconds, steps = self.seconds * job.count, int(job.values.get("steps", 0))
        return price.of(pictures=job.count, pixels=width * height, seconds=seconds, steps=steps)


def size_of(job: Job) -> tuple[int, int]:
    """Width and height in pixels."""
    return int(job.values.get("width", 1024)), int(job.values.get("height", 1024))


def lora_of(workflow: Workflow, job: Job) -> ModelFile | None:
    """The LoRA of the workflow that *job* names; None for none."""
    name = str(job.values.get("lora", NO_LORA))
    return workflow.loras.get(name)


def is_public(url: str) -> bool:
    """Whether anybody may read *url*: https, and neither a signature nor a password in it."""
    parts = urlsplit(url)
    return parts.scheme == "https" and not parts.query and "@" not in parts.netloc
