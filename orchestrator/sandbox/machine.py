"""One rented machine: from the order to the last trace of it."""

import asyncio
import random
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import asyncssh

from orchestrator.faults import Fault
from orchestrator.sandbox.bill import Meter
from orchestrator.sandbox.image import install_comfyui, install_programs
from orchestrator.sandbox.market import SMALL_GPU, Gpu, Rig
from orchestrator.sandbox.misfortune import suffer
from orchestrator.sandbox.processes import FULL_DISK_BLOCKS, SHELL, Processes, make_environment
from orchestrator.sandbox.sshd import LOOPBACK, ROOT, SshService, reserve_port, serving_ssh

BOOT_ERROR = (
    "Error response from daemon: failed to create task for container: OCI runtime create failed: "
    "unable to start container process: error during container init: nvidia-container-cli: driver error"
)
VAST = "vast"
COMFYUI_FAULTS = {Fault.COMFYUI_DIES: "dies", Fault.COMFYUI_HANGS: "hangs", Fault.COMFYUI_OOM: "oom"}


class Wanted(StrEnum):
    """What the renter, or misfortune, wants the machine to be."""

    RUNNING = "running"
    STOPPED = "stopped"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    What the renter asked for.

    Attributes:
        starts: False for a machine that is to be made and left stopped.
        is_dropped_if_taken: False makes a stopped machine, which bills its disk, of an offer that is taken.
        seller: Which of the vendors that the sandbox plays has sold it: the others do not list it.
        usd_hour: What it was sold for, where that is not the rig's own price.
        storage_cost: The same for a GB of disk and month.
        has_own_keys: Whether the machine's own file of keys lets in, as where its start command is what serves SSH.
        own_environment: What the machine finds in its environment beside *env*, from its number and key; without it
            what Vast.ai puts there.
        user: Who may log in.
        mounts: Folders that outlive the machine, by the absolute path at which it has them, below its root.
    """

    image: str
    disk_gb: float
    label: str | None
    env: Mapping[str, str]
    onstart: str
    runtype: str
    args: tuple[str, ...] = ()
    starts: bool = True
    is_dropped_if_taken: bool = True
    seller: str = VAST
    usd_hour: float | None = None
    storage_cost: float | None = None
    has_own_keys: bool = False
    own_environment: Callable[[int, str], Mapping[str, str]] | None = None
    user: str = ROOT
    mounts: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """
    What all machines of one sandbox stand on.

    Attributes:
        folder: Each machine has one of its own in it.
        mark: Begins the mark of each machine; unguessable, so that nobody else's process carries it.
        speed: Divides every wait.
        comfyui: Environment of the painter, the same on every machine.
        now: Seconds since the epoch.
    """

    folder: Path
    mark: str
    speed: float
    comfyui: Mapping[str, str]
    now: Callable[[], float]


@dataclass(slots=True, kw_only=True, eq=False)
class Machine:
    """
    What the cloud knows of one machine.

    Attributes:
        account_keys: SSH keys that the account had when the order came; later ones do not get in by themselves.
        key: Lets the machine see, stop and destroy itself, and do nothing else.
        instance_keys: SSH keys attached since, by number.
        status: `actual_status` on the wire; None until somebody has looked at the order.
        ssh_port: Where its SSH server is or will be; another one after each stop and reboot.
        is_listed: False once the cloud has lost it, and before a late one turns up.
    """

    id: int
    rig: Rig
    order: Order
    meter: Meter
    ground: Ground
    dice: random.Random
    account_keys: tuple[str, ...]
    faults: set[Fault]
    key: str = field(default_factory=lambda: secrets.token_hex(32))
    instance_keys: dict[int, str] = field(default_factory=dict)
    label: str | None = None
    status: str | None = None
    message: str | None = None
    wanted: Wanted = Wanted.RUNNING
    is_listed: bool = True
    _is_lost: bool = False
    _is_moving: bool = False
    ssh_port: int = field(init=False)
    _bound: socket.socket = field(init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _more_faults: asyncio.Event = field(default_factory=asyncio.Event)
    _host_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    _processes: Processes = field(init=False)
    _ssh: SshService = field(init=False)

    def __post_init__(self) -> None:
        self.label = self.order.label
        self._reserve_port()
        self._processes = Processes(mark=self.mark, root=self.root, environment=self._environment())
        self._ssh = SshService(
            host_key=self._host_key,
            processes=self._processes,
            is_welcome=self._is_welcome,
            user=self.order.user,
        )

    @property
    def gpu(self) -> Gpu:
        """What really sits in it."""
        return SMALL_GPU if Fault.WRONG_GPU in self.faults else self.rig.gpu

    @property
    def folder(self) -> Path:
        return self.ground.folder / str(self.id)

    @property
    def root(self) -> Path:
        """HOME and working directory of its processes; all that they should write to."""
        return self.folder / "root"

    @property
    def programs(self) -> Path:
        return self.folder / "image" / "bin"

    @property
    def mark(self) -> str:
        """Carried by its processes; ends in a dot, so that no mark begins another."""
        return f"{self.ground.mark}.{self.id}."

    def want(self, wanted: Wanted) -> None:
        """Change what is wanted; a machine that is to go comes back for nothing."""
        if self.wanted is not Wanted.GONE:
            self.wanted = wanted
            self._changed.set()

    def suffer(self, fault: Fault, count: int | None = None) -> None:
        """Let *fault* begin on a machine that is already there; one of the painter's may strike so many prompts."""
        self.faults.add(fault)
        self._shape()
        if count is not None and fault in COMFYUI_FAULTS:
            self.tell_comfyui(fault, count)
        self._more_faults.set()

    def vanish(self) -> None:
        """Be gone from one moment to the next, as far as anybody can see."""
        self.is_listed = False
        self.want(Wanted.GONE)

    def move(self) -> None:
        """Start anew somewhere else: another port, an empty disk, the same name."""
        self._is_moving = True
        self._changed.set()

    def lose_touch(self) -> None:
        """Be dead, but listed until somebody destroys it."""
        self._is_lost = True
        self._changed.set()

    def waver(self, status: str) -> None:
        """Let the cloud say *status*, whatever the machine does."""
        self._show(status, self.message)

    def tell_comfyui(self, fault: Fault | None, count: int | None = None) -> None:
        """Let the painter suffer *fault* from its next prompt on, for *count* of them; None lets it be well."""
        file = self.folder / "image" / "comfyui-fault"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{COMFYUI_FAULTS[fault]} {count or ''}".strip() if fault else "")

    def cut_connections(self) -> None:
        """Break every SSH connection; what they started goes on."""
        self._ssh.cut()

    async def wait(self, shortest_s: float, longest_s: float) -> None:
        """Let some time pass, as this cloud's speed and this computer's age have it."""
        usual = self.dice.uniform(shortest_s, longest_s) * self.rig.boot_factor
        await asyncio.sleep(usual / self.ground.speed)

    async def live(self) -> None:
        """Boot and run until nobody wants it any more; returns when no process and no file of it is left."""
        await asyncio.to_thread(self._furnish)
        while self.wanted is not Wanted.GONE:
            self._changed.clear()
            async with asyncio.TaskGroup() as tasks:
                stay = tasks.create_task(self._be())
                await self._changed.wait()
                stay.cancel()
            await self._processes.end_all()
            if self._is_moving:
                self._is_moving = False
                await asyncio.to_thread(shutil.rmtree, self.root, ignore_errors=True)
                await asyncio.to_thread(self._furnish)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        self._bound.close()

    async def _be(self) -> None:
        if self._is_lost:
            self._show("offline", None)
        elif self.wanted is Wanted.STOPPED:
            self._show("exited", None)
        elif await self._boots():
            await self._run()

    async def _boots(self) -> bool:
        self._show(None, None)
        await self.wait(1.0, 1.5)
        if Fault.OFFER_SOLD_TWICE in self.faults:
            self._show("created", None)
            return False
        self._show("loading", f"{self.order.image}: Pulling fs layer")
        await self.wait(1.0, 2.5)
        if Fault.BOOT_FAILS in self.faults:
            self._show("created", BOOT_ERROR)
        elif Fault.BOOT_EXITS in self.faults:
            self._show("exited", "container exited with code 1")
        return not self.faults & {Fault.BOOT_FAILS, Fault.BOOT_EXITS, Fault.STUCK_LOADING}

    async def _run(self) -> None:
        self._show("running", f"success, running {self.order.image}/ssh")
        self._run_onstart()
        try:
            with self._bound as bound:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(suffer(self, self._more_faults))
                    await self._serve_ssh(bound)
        finally:
            self._reserve_port()

    async def _serve_ssh(self, bound: socket.socket) -> None:
        await self.wait(0.5, 0.9)
        if Fault.SSH_NEVER_OPENS in self.faults:
            return  # the port stays taken and refuses
        async with serving_ssh(self._ssh, bound):
            await asyncio.Event().wait()

    def _reserve_port(self) -> None:
        self._bound = reserve_port()
        self.ssh_port = self._bound.getsockname()[1]

    def _run_onstart(self) -> None:
        """Start what the order wants at each start, and nobody waits for it."""
        if not self.order.onstart:
            return
        with (self.root / "onstart.log").open("ab") as log:
            self._processes.spawn(
                [SHELL, "-c", "exec ./onstart.sh"], stdin=subprocess.DEVNULL, stdout=log.fileno(), stderr=log.fileno()
            )

    def _show(self, status: str | None, message: str | None) -> None:
        """Let the cloud say *status*; the GPU is billed in `running` alone."""
        self.status, self.message = status, message
        if status == "running":
            self.meter.run(self.ground.now())
        else:
            self.meter.rest(self.ground.now())

    def _is_welcome(self, offered: bytes) -> bool:
        known = (*self.account_keys, *self.instance_keys.values(), *self._own_keys())
        return Fault.SSH_REFUSES_KEY not in self.faults and any(public_data(text) == offered for text in known)

    def _own_keys(self) -> tuple[str, ...]:
        file = self.root / ".ssh" / "authorized_keys"
        return tuple(file.read_text().splitlines()) if self.order.has_own_keys and file.exists() else ()

    def _shape(self) -> None:
        """Let the faults that need nothing but a setting take hold."""
        if Fault.DISK_FULL in self.faults:
            self._processes.file_blocks = FULL_DISK_BLOCKS
        for fault in self.faults & COMFYUI_FAULTS.keys():
            self.tell_comfyui(fault)

    def _furnish(self) -> None:
        """Make the folder and what is in it before the first boot."""
        (self.root / "tmp").mkdir(parents=True, exist_ok=True)
        for point, folder in self.order.mounts.items():
            mounted = self.root / point.lstrip("/")
            mounted.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
            mounted.symlink_to(folder)
        onstart = self.root / "onstart.sh"
        onstart.write_text(self.order.onstart)
        onstart.chmod(0o700)
        gpu = self.gpu
        install_programs(
            self.programs, gpu=gpu.driver_name, memory_mb=gpu.ram_mb, driver=self.rig.driver, cuda=self.rig.cuda
        )
        fault_file = {"GLOWPLUG_COMFYUI_FAULT_FILE": str(self.folder / "image" / "comfyui-fault")}
        install_comfyui(self.programs, settings={**self.ground.comfyui, **fault_file})
        self._shape()

    def _environment(self) -> dict[str, str]:
        told = self.order.own_environment
        own = told(self.id, self.key) if told is not None else self._usual_environment()
        return make_environment(
            root=self.root, programs=self.programs, mark=self.mark, of_machine=own, of_order=self.order.env
        )

    def _usual_environment(self) -> dict[str, str]:
        return {
            "CONTAINER_ID": str(self.id),
            "CONTAINER_API_KEY": self.key,
            "VAST_CONTAINERLABEL": f"C.{self.id}",
            "PUBLIC_IPADDR": LOOPBACK,
            "GPU_COUNT": "1",
            "USER": self.order.user,
        }


def public_data(text: str) -> bytes | None:
    """Read a public key as OpenSSH writes it; None when it is none."""
    try:
        return asyncssh.import_public_key(text).public_data
    except asyncssh.KeyImportError:
        return None
