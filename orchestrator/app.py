"""
Composition root of the orchestrator: the only place that knows the concrete classes.

The tree of tasks, all of them ended when the block is left:

    open_orchestrator
    └─ control plane
       ├─ newsroom            views of what changed
       ├─ reconciler          our books versus the clouds'
       ├─ sessions            who gets a machine
       ├─ provisioner         ├─ one worker a machine on its way
       ├─ heartbeat           feeds the machines' dead-man's switches
       ├─ dispatcher          next job to a free machine
       ├─ runner              ├─ one worker a running job
       ├─ bridges             asks managed APIs whether they serve us
       ├─ keeping             lets go of what is too old
       └─ links               └─ one keeper a ComfyUI socket
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import aiohttp

from orchestrator.adapters.blobs_local import LocalBlobs
from orchestrator.adapters.clouds.lambda_labs.cloud import LAMBDA
from orchestrator.adapters.clouds.registry import CLOUDS, WITH_VOLUMES, OpenCloud
from orchestrator.adapters.clouds.vast.cloud import SANDBOX, VAST
from orchestrator.adapters.comfyui import ComfyUiConnector
from orchestrator.adapters.database.data_folder import data_lock, home_of
from orchestrator.adapters.database.store import open_store
from orchestrator.adapters.inference.registry import APIS
from orchestrator.adapters.lora_links.files import LinkedLoras, Mirrors
from orchestrator.adapters.model_addresses import AddressedCatalog, Expiring, public
from orchestrator.adapters.models_index import mirrors_of, with_index
from orchestrator.adapters.models_record import read_record, with_record
from orchestrator.adapters.sandbox_apis import apis_of
from orchestrator.adapters.ssh import SshConnector, load_or_create_key
from orchestrator.adapters.system import RandomIds, SystemClock
from orchestrator.adapters.workflow_files import FixedCatalog, WorkflowFiles
from orchestrator.control.board import Board
from orchestrator.control.bridges import Bridges
from orchestrator.control.dispatcher import Dispatcher
from orchestrator.control.experience import MARKET, SANDBOX_MARKET, Experience
from orchestrator.control.heartbeat import Heartbeat
from orchestrator.control.identity import take_identity
from orchestrator.control.intake import Intake
from orchestrator.control.keeping import Keeping
from orchestrator.control.links import Links
from orchestrator.control.loop import keep_doing
from orchestrator.control.lora_fetch import LoraFetch
from orchestrator.control.loras import Loras
from orchestrator.control.market import Market
from orchestrator.control.newsroom import Newsroom
from orchestrator.control.ordering import Ordering
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.preparer import Preparer
from orchestrator.control.provisioner import Provisioner
from orchestrator.control.reconciler import Reconciler
from orchestrator.control.restarts import Restarts
from orchestrator.control.runner import Runner
from orchestrator.control.service import Service
from orchestrator.control.sessions import Sessions
from orchestrator.control.shared import Limits, Shared
from orchestrator.control.timekeeping import go_on
from orchestrator.control.views import Views
from orchestrator.domain.errors import SettingsProblem
from orchestrator.domain.ids import CloudName
from orchestrator.domain.money import MicroUsdPerHour, micro_usd_per_hour
from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.by_name import policy_by_name
from orchestrator.domain.policy.hedging import Hedging
from orchestrator.domain.policy.keeping import Keep
from orchestrator.domain.policy.quota import Quota
from orchestrator.domain.policy.renting import RentingPolicy
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.clock import Clock
from orchestrator.ports.cloud import CloudProvider
from orchestrator.ports.comfy import ComfyConnector
from orchestrator.ports.host import HostConnector
from orchestrator.ports.inference import Access, InferenceApi
from orchestrator.ports.lora_files import LoraFiles
from orchestrator.ports.store import Store
from orchestrator.ports.workflows import WorkflowCatalog
from orchestrator.settings import Settings

AGENT = Path(__file__).parent / "payload" / "agent.py"
WORKFLOWS = Path(__file__).parent / "workflows"
OWN_WORKFLOWS = "workflows"
"""Folder in the data folder with the operator's own."""

CLOSE_LIMIT = timedelta(seconds=5)
THINKING = timedelta(minutes=2)
"""A machine of the sandbox is worth half a minute by what a start costs there: too short to think of a prompt."""
SLOW_TO_BOOT = {LAMBDA: timedelta(minutes=15)}
"""Virtual machines take longer than containers: four to six minutes were measured (third parties, 2026-08)."""

_SANDBOX_PREPARING = PrepareLimits(
    agent=timedelta(seconds=20),
    comfyui=timedelta(seconds=20),
    models=timedelta(seconds=60),
    smoke=timedelta(seconds=20),
    silence=timedelta(seconds=8),
    link_silence=timedelta(seconds=5),
    floor_bps=200_000,
    first_window=timedelta(seconds=3),
    floor_window=timedelta(seconds=6),
    link_sample=128 * 1024,
    disk_sample=1_500_000,
    sample=timedelta(seconds=2),
    probe=timedelta(seconds=5),
)
"""A sandbox machine is prepared in seconds and its models are a few MB: what is stuck there is given up sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxAddress:
    """A sandbox cloud that runs: ours or one that we were told of."""

    url: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everything outside this process that the control plane talks to."""

    clouds: Mapping[CloudName, CloudProvider]
    bridges: Mapping[str, InferenceApi]
    hosts: HostConnector
    comfies: ComfyConnector
    blobs: Blobs
    agent_source: bytes
    lora_files: LoraFiles
    prepare_limits: PrepareLimits
    keep: Keep


@asynccontextmanager
async def open_orchestrator(settings: Settings, sandbox: SandboxAddress | None = None) -> AsyncIterator[Service]:
    """
    Run the orchestrator inside the block.

    Args:
        sandbox: Rent from this sandbox cloud and from no other.

    Raises:
        StoreError: Another one runs on this data folder, or the folder cannot be used.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(data_lock(settings.data))
        clock = SystemClock()
        store = await stack.enter_async_context(open_store(settings.data / "glowplug.sqlite3", clock))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        catalog = await _catalog(settings, sandbox, http, clock)
        mirrors = frozenset() if sandbox is None else mirrors_of(catalog)
        outside = await _outside(settings, sandbox, http, mirrors)
        shared = await _shared(settings, sandbox=sandbox, catalog=catalog, store=store, clock=clock, outside=outside)
        yield await stack.enter_async_context(run_on(shared, outside))


@asynccontextmanager
async def run_on(shared: Shared, outside: Outside) -> AsyncIterator[Service]:
    """Run the control plane inside the block, on whatever world it is given."""
    await go_on(shared.store, shared.clock)
    async with shared.store.reading() as books:
        await shared.experience.load(books, shared.clock.now())
    views = Views(shared)
    newsroom = Newsroom(shared, views)
    bridges = Bridges(shared)
    async with asyncio.TaskGroup() as group:
        plane = group.create_task(_control_plane(shared, outside, newsroom, bridges), name="control plane")
        try:
            intake = Intake(shared, outside.blobs)
            loras = Loras(shared.store, shared.catalog, outside.lora_files)
            yield Service(
                shared, intake=intake, loras=loras, blobs=outside.blobs, views=views, newsroom=newsroom, bridges=bridges
            )
        finally:
            plane.cancel()


async def _control_plane(shared: Shared, outside: Outside, newsroom: Newsroom, bridges: Bridges) -> None:
    wakeups = shared.wakeups
    async with asyncio.TaskGroup() as group:
        links = Links(hosts=outside.hosts, comfies=outside.comfies, group=group, connect_limit=shared.limits.connect)
        market = Market(shared, outside.clouds)
        restarts = Restarts(shared, links=links, agent_source=outside.agent_source, limits=outside.prepare_limits)
        loras = LoraFetch(shared, links=links, agent_source=outside.agent_source, limits=outside.prepare_limits)
        runner = Runner(
            shared,
            links=links,
            restarts=restarts,
            loras=loras,
            blobs=outside.blobs,
            bridges=bridges,
            group=group,
        )
        provisioner = Provisioner(
            shared,
            clouds=outside.clouds,
            ordering=Ordering(shared, outside.clouds, market, ssh_public_key=outside.hosts.public_key),
            links=links,
            preparer=Preparer(
                agent_source=outside.agent_source,
                comfy=outside.comfies,
                catalog=shared.catalog,
                clock=shared.clock,
                ids=shared.ids,
                limits=outside.prepare_limits,
            ),
            group=group,
        )
        steps = {
            "newsroom": (newsroom.step, wakeups.newsroom),
            "reconciler": (
                Reconciler(shared, clouds=outside.clouds, market=market, links=links).step,
                wakeups.reconciler,
            ),
            "sessions": (Sessions(shared, bridges).step, wakeups.sessions),
            "provisioner": (provisioner.step, wakeups.provisioner),
            "heartbeat": (Heartbeat(shared, links=links, group=group).step, wakeups.heartbeat),
            "dispatcher": (Dispatcher(shared, runner, bridges).step, wakeups.dispatcher),
            "runner": (runner.step, wakeups.runner),
            "bridges": (bridges.step, wakeups.bridges),
            "keeping": (Keeping(shared, outside.blobs, outside.keep).step, wakeups.keeping),
        }
        for name, (step, wakeup) in steps.items():
            group.create_task(keep_doing(name, step, wakeup=wakeup), name=name)
        try:
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_LIMIT.total_seconds()):
                    await links.close()


async def _outside(
    settings: Settings, sandbox: SandboxAddress | None, http: aiohttp.ClientSession, mirrors: Mirrors
) -> Outside:
    key = await asyncio.to_thread(load_or_create_key, settings.data)
    comfies = ComfyUiConnector()
    return Outside(
        clouds=await clouds_of(settings, sandbox, http),
        bridges=await bridges_of(settings, sandbox, http),
        hosts=SshConnector(key),
        comfies=comfies,
        blobs=LocalBlobs(settings.data / "pictures"),
        agent_source=await asyncio.to_thread(AGENT.read_bytes),
        lora_files=LinkedLoras(mirrors=mirrors),
        prepare_limits=PrepareLimits() if sandbox is None else _SANDBOX_PREPARING,
        keep=settings.keep,
    )


async def clouds_of(
    settings: Settings, sandbox: SandboxAddress | None, http: aiohttp.ClientSession
) -> dict[CloudName, CloudProvider]:
    """
    The clouds that these settings rent from; a sandbox excludes every real one.

    Raises:
        SettingsProblem: One of them cannot be used as it was set.
    """
    found: dict[CloudName, tuple[str | None, str]] = {}
    if sandbox is None:
        found = {CloudName(name): access for name, access in settings.cloud_keys().items()}
    else:
        for name in _names(settings.sandbox_clouds):
            if name == VAST:
                found[SANDBOX] = sandbox.url, sandbox.key
            else:
                urls = (await apis_of(http, sandbox.url, key=sandbox.key)).clouds
                found[CloudName(name)] = _known(name, urls, "GLOWPLUG_SANDBOX_CLOUDS"), sandbox.key
    try:
        return {
            name: _opening(name, settings.volumes_of_cloud(name))(url=url, key=key, session=http, folder=settings.data)
            for name, (url, key) in found.items()
        }
    except ValueError as error:  # a setting that only its cloud can read
        raise SettingsProblem(str(error)) from error


def _opening(name: CloudName, volumes: tuple[str, ...]) -> OpenCloud:
    return partial(WITH_VOLUMES[name], volumes=volumes) if volumes else CLOUDS[name]


async def bridges_of(
    settings: Settings, sandbox: SandboxAddress | None, http: aiohttp.ClientSession
) -> dict[str, InferenceApi]:
    """
    The managed APIs that these settings use, best first; with a sandbox only its own.

    Raises:
        SettingsProblem: One of them cannot be used as it was set.
    """
    wanted = _names(settings.bridge)
    if "none" in wanted:
        return {}
    if sandbox is None:
        found = settings.bridge_access()
    else:
        names = [name for name in _names(settings.sandbox_bridge) if name != "none"]
        urls = (await apis_of(http, sandbox.url, key=sandbox.key)).bridges if names else {}
        found = {
            name: Access(url=_known(name, urls, "GLOWPLUG_SANDBOX_BRIDGE"), key=sandbox.key, secret=sandbox.key)
            for name in names
        }
    for name in wanted:
        if name not in found:
            raise SettingsProblem(f"GLOWPLUG_BRIDGE: {name} is not set up; what is: {', '.join(found) or 'nothing'}")
    chosen = wanted or [*found]
    return {name: APIS[name](found[name], session=http) for name in chosen}


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _known(name: str, urls: Mapping[str, str], setting: str) -> str:
    if name not in urls:
        raise SettingsProblem(f"{setting}: the sandbox has no {name}; it has {', '.join(sorted(urls)) or 'none'}")
    return urls[name]


def workflows_in(data: Path) -> WorkflowCatalog:
    """What comes with us, and what the operator of this data folder has; of one name the operator's."""
    return WorkflowFiles(WORKFLOWS, data / OWN_WORKFLOWS)


async def _catalog(
    settings: Settings, sandbox: SandboxAddress | None, http: aiohttp.ClientSession, clock: Clock
) -> WorkflowCatalog:
    """All workflows, their models where the index or our own bucket has them, if there is one."""
    catalog = workflows_in(settings.data)
    if sandbox is not None:
        return await with_index(catalog, http, f"{sandbox.url}/sandbox/models", key=sandbox.key)
    record = await asyncio.to_thread(read_record, settings.data)
    catalog = FixedCatalog(with_record(catalog.all(), record))
    if settings.models_index:
        catalog = await with_index(catalog, http, settings.models_index, key="")
    if settings.models_base_url:
        return AddressedCatalog(catalog, public(settings.models_base_url))
    if settings.bucket is not None:
        known = {path: entry.sha256 for path, entry in record.items()}
        return AddressedCatalog(catalog, Expiring(settings.bucket, known, clock))
    return catalog


async def _shared(
    settings: Settings,
    *,
    sandbox: SandboxAddress | None,
    catalog: WorkflowCatalog,
    store: Store,
    clock: SystemClock,
    outside: Outside,
) -> Shared:
    ids = RandomIds(clock)
    home, drawn = await asyncio.to_thread(home_of, settings.data), ids.instance()
    async with store.writing() as books:
        names = await take_identity(books, wanted=settings.installation, drawn=drawn, home=home, now=clock.now())
    return Shared(
        store=store,
        clock=clock,
        ids=ids,
        dice=random.Random(),  # noqa: S311 - jitter and seeds of pictures, not secrets
        catalog=catalog,
        policy=_policy(settings, is_sandbox=sandbox is not None),
        experience=Experience(
            bridges=outside.bridges,
            catalog=catalog,
            most_kept=settings.idle_timeout,
            prior=MARKET if sandbox is None else SANDBOX_MARKET,
        ),
        limits=_limits(settings, is_sandbox=sandbox is not None),
        caps=settings.caps(),
        quota=Quota(queued_jobs=settings.max_queue),
        installation=names.installation,
        epoch=names.epoch,
        former=names.former,
        clouds=tuple(sorted(outside.clouds)),
        bridges=outside.bridges,
        routing=settings.routing,
        starts_early=settings.start_early,
        board=Board(seconds_per_image=2.0) if sandbox is not None else Board(),
    )


def _policy(settings: Settings, *, is_sandbox: bool) -> RentingPolicy:
    try:
        policy = policy_by_name(settings.policy, settings.idle_timeout)
    except ValueError as error:
        raise SettingsProblem(f"GLOWPLUG_POLICY: {error}") from error
    if is_sandbox and isinstance(policy, Auto):
        return replace(policy, least_kept=THINKING)
    return policy


def _limits(settings: Settings, *, is_sandbox: bool) -> Limits:
    """A sandbox machine boots in seconds, so one that is stuck is given up sooner."""
    boot, ssh, connect, stall = (20.0, 10.0, 3.0, 30.0) if is_sandbox else (300.0, 180.0, 10.0, 300.0)
    return Limits(
        job_deadline=timedelta(seconds=settings.job_deadline_s),
        boot=timedelta(seconds=settings.boot_deadline_s or boot),
        boots={} if is_sandbox or settings.boot_deadline_s else SLOW_TO_BOOT,
        ssh=timedelta(seconds=settings.ssh_deadline_s or ssh),
        connect=timedelta(seconds=connect),
        stall=timedelta(seconds=settings.stall_s or stall),
        tries=settings.max_tries,
        host_memory=settings.host_memory,
        wait_price=micro_usd_per_hour(settings.wait_usd_hour),
        hedging=Hedging(per_hour=settings.hedges_per_hour, not_before=timedelta(seconds=15 if is_sandbox else 60)),
        dead_man=timedelta(seconds=settings.dead_man_s),
        max_machines=settings.max_machines,
        max_price=MicroUsdPerHour(settings.max_price),
        variants=settings.variants,
    )
