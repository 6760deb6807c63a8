"""What every loop of the control plane is given, and the limits that the operator may set."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.control.board import Board
from orchestrator.control.experience import Experience
from orchestrator.control.wakeups import Wakeups
from orchestrator.domain.ids import CloudName, InstallationId
from orchestrator.domain.money import MicroUsdPerHour
from orchestrator.domain.policy.hedging import Hedging
from orchestrator.domain.policy.quota import Quota
from orchestrator.domain.policy.renting import RentingPolicy
from orchestrator.domain.policy.routing import Routing
from orchestrator.domain.policy.spend import Caps
from orchestrator.domain.policy.variants import Pin
from orchestrator.ports.clock import Clock, Ids
from orchestrator.ports.inference import InferenceApi
from orchestrator.ports.store import Store
from orchestrator.ports.workflows import WorkflowCatalog


class Gate:
    """
    Whether machines may be ordered at all.

    Closed while the bot is being stopped by hand, and for good when another one lives under our name: that one was
    started later, and two cannot share their machines.
    """

    def __init__(self) -> None:
        self.is_open = True
        self.has_rival = False

    def close(self) -> None:
        self.is_open = False

    def meet_rival(self) -> None:
        self.has_rival = True
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Times, counts and money within which machines are tried.

    Attributes:
        job_deadline: After this no further machine is tried for a job.
        boot: From the accepted order until the cloud says that the machine runs.
        boots: The same by cloud, where it is another.
        ssh: From then until SSH lets us in.
        connect: One attempt to log in.
        launch_settle: How long an order whose answer was lost may take to show up in a listing.
        late_machine: How long a lost order is watched after that, in case its machine turns up.
        stall: A picture that does not get on for so long is stuck; its first one may load the models meanwhile.
        painting: One try of a job on one machine, however well it seems to get on.
        cancel_grace: How long a machine goes on warming up after its last job was cancelled.
        dead_man: Silence of ours after which a machine destroys itself; a heartbeat goes out ten times as often.
        tries: Machines that may fail under one job before it fails, too; None tries until its deadline.
        host_memory: Whether machines and hosts that failed are avoided for a while, and links remembered.
        wait_price: What an hour of somebody who waits for a machine is worth, in choosing one.
        hedging: When a second machine is tried beside one that takes long.
        worst_case: Machine time reserved with each order: a cold start, some work and the idle timeout.
        look_every: Between two listings of each cloud while something lives or is asked for.
        quiet_look_every: Between two while nothing is: a machine may turn up that was believed lost.
        max_machines: Live or unknown machines at any time, whatever listings say.
        max_price: The dearest machine that may be rented, disk included.
        variants: Which variants of a workflow machines may get.
    """

    job_deadline: timedelta = timedelta(minutes=60)
    boot: timedelta = timedelta(minutes=5)
    ssh: timedelta = timedelta(minutes=3)
    connect: timedelta = timedelta(seconds=10)
    launch_settle: timedelta = timedelta(seconds=20)
    late_machine: timedelta = timedelta(minutes=10)
    stall: timedelta = timedelta(minutes=5)
    painting: timedelta = timedelta(minutes=40)
    cancel_grace: timedelta = timedelta(seconds=30)
    dead_man: timedelta = timedelta(minutes=10)
    tries: int | None = None
    host_memory: bool = True
    wait_price: MicroUsdPerHour = MicroUsdPerHour(300_000)
    hedging: Hedging = Hedging(per_hour=4, not_before=timedelta(minutes=1))
    worst_case: timedelta = timedelta(hours=1)
    look_every: timedelta = timedelta(minutes=1)
    quiet_look_every: timedelta = timedelta(minutes=1)
    max_machines: int = 5
    max_price: MicroUsdPerHour = MicroUsdPerHour(800_000)
    variants: Pin = Pin.AUTO
    boots: Mapping[CloudName, timedelta] = field(default_factory=dict)

    def boot_at(self, cloud: CloudName | None) -> timedelta:
        """How long a machine of *cloud* may boot."""
        return self.boot if cloud is None else self.boots.get(cloud, self.boot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """
    What the loops have in common.

    Attributes:
        epoch: When this life of the installation began; a later one has a higher number.
        former: The installations that this data folder was copied from.
        bridges: The managed APIs by name, best first.
        routing: Where jobs are made while the admins have chosen nothing else.
        experience: What was learnt of people and machines; made from the books when the control plane starts.
        starts_early: A machine may be started for somebody who seems about to ask.
        clouds: Names of the clouds that may be rented from; empty when nothing is ever rented.
    """

    store: Store
    clock: Clock
    ids: Ids
    dice: random.Random
    catalog: WorkflowCatalog
    policy: RentingPolicy
    limits: Limits
    caps: Caps
    quota: Quota
    installation: InstallationId
    epoch: int
    clouds: tuple[CloudName, ...]
    bridges: Mapping[str, InferenceApi]
    experience: Experience
    routing: Routing = Routing.HYBRID
    starts_early: bool = False
    wakeups: Wakeups = field(default_factory=Wakeups)
    board: Board = field(default_factory=Board)
    gate: Gate = field(default_factory=Gate)
    former: tuple[InstallationId, ...] = ()

    def doubt(self, cloud: CloudName | None) -> None:
        """A machine of ours at *cloud* does not answer: let the reconciler look there as soon as may be."""
        if cloud is not None:
            self.board.doubt(cloud)
            self.wakeups.reconciler.wake()
