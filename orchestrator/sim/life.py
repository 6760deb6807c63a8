"""One life of the bot: the production control plane, opened on the world's database and everything outside it."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.adapters.database.database import Statement
from orchestrator.adapters.database.inline_db import InlineDatabase, open_database
from orchestrator.adapters.database.migrate import migrate, shipped
from orchestrator.adapters.database.store import SqlStore, create_privately
from orchestrator.adapters.workflow_files import WorkflowFiles
from orchestrator.api import Orchestrator
from orchestrator.app import WORKFLOWS, Outside, run_on
from orchestrator.control.experience import MARKET, Experience
from orchestrator.control.identity import take_identity
from orchestrator.control.prepare_limits import PrepareLimits
from orchestrator.control.shared import Limits, Shared
from orchestrator.domain.ids import CloudRef
from orchestrator.domain.instance import Address
from orchestrator.domain.policy.keeping import Keep
from orchestrator.domain.policy.quota import Quota
from orchestrator.domain.policy.renting import RentingPolicy
from orchestrator.domain.policy.spend import Caps
from orchestrator.ports.blobs import Blobs
from orchestrator.ports.clock import Ids
from orchestrator.ports.inference import InferenceApi
from orchestrator.ports.workflows import WorkflowCatalog
from orchestrator.sim.account import INSTALLATION, SimAccount
from orchestrator.sim.cloud import SimCloud
from orchestrator.sim.comfy import SimComfies
from orchestrator.sim.host import SimHosts
from orchestrator.sim.lora_files import SimLoraFiles
from orchestrator.sim.machine import SimMachine
from orchestrator.sim.names import SimWall


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator of this world has set."""

    policy: RentingPolicy
    limits: Limits
    caps: Caps
    queued_jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What outlives the bot."""

    path: Path
    wall: SimWall
    ids: Ids
    dice: random.Random
    accounts: tuple[SimAccount, ...]
    bridges: tuple[InferenceApi, ...]
    blobs: Blobs
    rules: Rules


@cache
def _workflows() -> WorkflowCatalog:
    return WorkflowFiles(WORKFLOWS)


class Life:
    """
    Attributes:
        database: To be abandoned when this life is killed; None before it is open.
    """

    def __init__(self, around: Surroundings, before_statement: Callable[[Statement], Awaitable[None]]) -> None:
        self._around = around
        self._before_statement = before_statement
        self._hosts = SimHosts(self._find, around.dice)
        self.clock = around.wall.clock()
        self.database: InlineDatabase | None = None
        self.service: Orchestrator | None = None

    async def live(self, do: Callable[[Orchestrator], Awaitable[None]]) -> None:
        """Be the bot until *do* returns."""
        around, clock = self._around, self.clock
        create_privately(around.path)
        self.database = open_database(around.path, before_statement=self._before_statement)
        await migrate(self.database, clock, shipped())
        store = SqlStore(self.database, clock)
        async with store.writing() as books:
            names = await take_identity(
                books, wanted=INSTALLATION, drawn=around.ids.instance(), home="here", now=clock.now()
            )
        clouds = {account.name: SimCloud(account, around.dice) for account in around.accounts}
        bridges = {bridge.name: bridge for bridge in around.bridges}
        outside = Outside(
            clouds=clouds,
            bridges=bridges,
            hosts=self._hosts,
            comfies=SimComfies(self._hosts),
            blobs=around.blobs,
            keep=Keep(),
            agent_source=b"# the agent",
            lora_files=SimLoraFiles(),
            prepare_limits=PrepareLimits(),
        )
        shared = Shared(
            store=store,
            clock=clock,
            ids=around.ids,
            dice=around.dice,
            catalog=_workflows(),
            policy=around.rules.policy,
            limits=around.rules.limits,
            caps=around.rules.caps,
            quota=Quota(queued_jobs=around.rules.queued_jobs),
            installation=names.installation,
            epoch=names.epoch,
            former=names.former,
            clouds=tuple(sorted(clouds)),
            bridges=bridges,
            experience=Experience(
                bridges=bridges, catalog=_workflows(), most_kept=around.rules.policy.idle_timeout, prior=MARKET
            ),
        )
        async with run_on(shared, outside) as service:
            await do(service)
        await self.database.close()

    def bury(self) -> None:
        """What the end of its process does, however it ended."""
        if self.database is not None:
            self.database.abandon()
        for account in self._around.accounts:
            for machine in account.live():
                machine.connections.clear()

    def _find(self, address: Address) -> SimMachine | None:
        ref = CloudRef(address.host.removesuffix(".sim"))
        for account in self._around.accounts:
            machine = account.machines.get(ref)
            if machine is not None:
                return machine
        return None
