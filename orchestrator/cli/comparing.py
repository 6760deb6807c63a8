"""The rows of ``glowplug compare``: measured figures where there are any, else what is declared, and which is which."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

import aiohttp

from orchestrator.adapters.clouds.vast.cloud import SANDBOX, VAST
from orchestrator.adapters.database.store import open_store_readonly
from orchestrator.adapters.system import SystemClock
from orchestrator.adapters.workflow_files import WorkflowFiles
from orchestrator.app import WORKFLOWS, bridges_of, clouds_of
from orchestrator.cli.benched import Benched, kept
from orchestrator.cli.measured import Measured, measure
from orchestrator.cli.opening import sandbox_of
from orchestrator.domain.errors import CloudError, OrchestratorError
from orchestrator.domain.inference import Capabilities, LoraSupport
from orchestrator.domain.money import MICRO, MicroUsd, MicroUsdPerHour
from orchestrator.domain.offer import Offer
from orchestrator.domain.policy.placement import rank_offers
from orchestrator.domain.traffic import HIS_COLD_START, Traffic
from orchestrator.domain.workflows import Workflow
from orchestrator.ports.cloud import CloudProvider
from orchestrator.ports.inference import InferenceApi
from orchestrator.sandbox.apis import BRIDGES, CLOUDS
from orchestrator.settings import Settings

ASK_LIMIT = timedelta(seconds=60)
PIXELS = 1024 * 1024
STEPS = 4
"""As FLUX.1 schnell is used."""
GIB = 2**30
MACHINES_CAN = ("own workflow", "own LoRA", "image to image", "any size", "seeds", "no filter")


class Origin(StrEnum):
    MEASURED = "measured"  # by this bot, or by its bench
    DECLARED = "declared"  # by the cloud's market of this minute, or by the adapter
    GUESSED = "guessed"  # from the first user's own measurements
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number, and where it comes from."""

    value: float | None
    origin: Origin

    @classmethod
    def told(cls, measured: float | None, otherwise: float | None = None, origin: Origin = Origin.DECLARED) -> "Figure":
        """What was *measured*; else the other one, of *origin*."""
        if measured is not None:
            return cls(value=measured, origin=Origin.MEASURED)
        return cls(value=otherwise, origin=Origin.UNKNOWN if otherwise is None else origin)

    def shown(self, form: str) -> str:
        if self.value is None:
            return "?"
        return ("" if self.origin is Origin.MEASURED else "~") + form.format(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One cloud or API.

    Attributes:
        kind: ``cloud`` or ``api``.
        cold_start_s: Of a cloud until a machine is ready; of an API until a picture is there.
        usd_month: For the traffic that is asked about.
        problem: Why it could not be asked; empty when it could.
    """

    name: str
    kind: str
    cold_start_s: Figure
    usd_per_image: Figure
    usd_month: Figure
    success_rate: Figure
    can: tuple[str, ...]
    problem: str = ""

    def figures(self) -> dict[str, Figure]:
        return {
            "cold_start_s": self.cold_start_s,
            "usd_per_image": self.usd_per_image,
            "usd_month": self.usd_month,
            "success_rate": self.success_rate,
        }


async def rows_of(settings: Settings, traffic: Traffic) -> tuple[Row, ...]:
    """
    Ask all of them at once; one that does not answer costs nothing but its figures.

    Raises:
        SettingsProblem: Something is set that cannot be, or the sandbox does not say what it has.
    """
    sandbox = await sandbox_of(settings)
    if sandbox is not None:  # whatever it has, not only what the bot would use of it
        names = {"sandbox_clouds": ",".join([VAST, *CLOUDS]), "sandbox_bridge": ",".join(BRIDGES), "bridge": ""}
        settings = settings.model_copy(update=names)
    known, workflow = await _measured(settings), WorkflowFiles(WORKFLOWS).all()[0]
    async with aiohttp.ClientSession() as http:
        clouds = await clouds_of(settings, sandbox, http)
        apis = await bridges_of(settings, sandbox, http)
        async with asyncio.TaskGroup() as group:
            tasks = []
            for name, cloud in sorted(clouds.items()):
                bench = kept(settings.data, name if sandbox is None or name == SANDBOX else f"{SANDBOX}-{name}")
                have = known.get(name, Measured())
                tasks.append(group.create_task(_cloud(cloud, workflow, traffic, have, bench)))
            tasks += [group.create_task(_api(api, traffic, known.get(name, Measured()))) for name, api in apis.items()]
    return tuple(task.result() for task in tasks)


async def _measured(settings: Settings) -> Mapping[str, Measured]:
    path, clock = settings.data / "glowplug.sqlite3", SystemClock()
    if not path.exists():
        return {}
    async with open_store_readonly(path, clock) as store, store.reading() as books:
        return await measure(books, clock.now())


async def _cloud(
    cloud: CloudProvider, workflow: Workflow, traffic: Traffic, have: Measured, bench: Benched | None
) -> Row:
    offer, problem = await _best(cloud, workflow)
    bench_s, bench_rate = (bench.cold_start_s, bench.success_rate) if bench else (None, None)
    cold_s = have.cold_start_s if have.cold_start_s is not None else bench_s
    cold = Figure.told(cold_s, HIS_COLD_START.total_seconds(), Origin.GUESSED)
    month = None if offer is None else _month(offer, workflow, traffic, timedelta(seconds=cold.value or 0))
    each = None if month is None else month / traffic.pictures_month
    return Row(
        name=VAST if cloud.name == SANDBOX else cloud.name,
        kind="cloud",
        cold_start_s=cold,
        usd_per_image=Figure.told(have.usd_per_image, each),
        usd_month=Figure.told(None, month),
        success_rate=Figure.told(have.success_rate if have.success_rate is not None else bench_rate),
        can=MACHINES_CAN,
        problem=problem,
    )


async def _best(cloud: CloudProvider, workflow: Workflow) -> tuple[Offer | None, str]:
    """The cheapest machine that will do, or why there is none."""
    try:
        async with asyncio.timeout(ASK_LIMIT.total_seconds()):
            offers = await cloud.offers(workflow.requirements)
    except (CloudError, TimeoutError) as error:
        return None, str(error) or "it takes too long to answer"
    now = SystemClock().now()
    highest = max((offer.tariff.per_hour for offer in offers), default=MicroUsdPerHour(0))
    ranked = rank_offers(offers, workflow.requirements, outcomes=(), taken=(), max_price=highest, now=now)
    return (ranked[0], "") if ranked else (None, "it has no machine that will do just now")


def _month(offer: Offer, workflow: Workflow, traffic: Traffic, cold_start: timedelta) -> float:
    """Dollars: the machine's time, and the model files anew for each stretch where the cloud bills bytes."""
    hours = traffic.machine_month(cold_start) / timedelta(hours=1)
    gib = sum(file.size_bytes for file in workflow.files) / GIB * traffic.stretches_month
    return (hours * offer.tariff.per_hour + gib * offer.tariff.per_gib_down) / MICRO


async def _api(api: InferenceApi, traffic: Traffic, have: Measured) -> Row:
    problem = ""
    try:  # what it can do may only be known once it was asked
        async with asyncio.timeout(ASK_LIMIT.total_seconds()):
            await api.probe()
    except (OrchestratorError, TimeoutError) as error:
        problem = str(error) or "it takes too long to answer"
    able = api.capabilities
    each = Figure.told(have.usd_per_image, _each(able, traffic))
    month = None if each.value is None else each.value * traffic.pictures_month
    return Row(
        name=api.name,
        kind="api",
        cold_start_s=Figure.told(have.cold_start_s, able.seconds),
        usd_per_image=each,
        usd_month=Figure(value=month, origin=each.origin),
        success_rate=Figure.told(have.success_rate),
        can=_can(able),
        problem=problem,
    )


def _each(able: Capabilities, traffic: Traffic) -> float:
    """Dollars for one picture of many: what has to start for it starts once a stretch, and is warm for the rest."""
    alone = replace(able.price, per_order=MicroUsd(0)).of(pictures=1, pixels=PIXELS, seconds=able.seconds, steps=STEPS)
    return (alone + able.price.per_order * traffic.stretches / traffic.pictures) / MICRO


def _can(able: Capabilities) -> tuple[str, ...]:
    loras = {LoraSupport.NONE: "", LoraSupport.PUBLIC: "public LoRA", LoraSupport.OWN: "the workflow's LoRA"}
    found = (
        "own workflow" if able.runs_graphs else "",
        loras[able.loras],
        "image to image" if able.takes_image else "",
        "any size" if able.sizes.exact is None else f"{len(able.sizes.exact)} sizes",
        f"{able.steps[0]}-{able.steps[1]} steps",
        "seeds" if able.is_seeded else "",
        "" if able.is_filtered else "no filter",
        "cancel" if able.can_cancel else "",
    )
    return tuple(words for words in found if words)
