"""The sandbox's machines as pods: what is ordered, what is shown."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.sandbox.cloud import Cloud, Refusal
from orchestrator.sandbox.machine import BOOT_ERROR, Machine, Order, Wanted
from orchestrator.sandbox.market import Rig
from orchestrator.sandbox.runpod.catalog import DISK_USD_A_MONTH, SECURE, Shelf, data_center_of, shelves
from orchestrator.sandbox.sshd import LOOPBACK

Row = dict[str, Any]
FIRST_VOLUME = ("sbvolume01", "models", "SB-LOCAL-1")
"""Id, name and data centre of the network volume that every account begins with."""
SELLER = "runpod"
ACTIONS = {
    "PROVISIONING": ["stop", "terminate"],
    "STARTING": ["stop", "terminate"],
    "RUNNING": ["stop", "restart", "terminate"],
    "EXITED": ["start", "terminate"],
    "ERROR": ["start", "terminate"],
}
NO_CAPACITY = (
    "There are no longer any instances available with the requested specifications. Please refresh and try again."
)


class Problem(Exception):
    """An answer other than success, as RFC 9457 shapes it."""

    TITLES: Mapping[int, str] = {
        400: "Bad Request",
        401: "Unauthorized",
        402: "Payment Required",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        409: "Conflict",
        413: "Content Too Large",
        422: "Unprocessable Entity",
        429: "Too Many Requests",
        500: "Internal Server Error",
        503: "Service Unavailable",
    }

    def __init__(self, status: int, detail: str, *errors: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}
        self.body: Row = {"title": self.TITLES[status], "status": status, "detail": detail}
        if errors:
            self.body["errors"] = list(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkVolume:
    """
    A folder that outlives pods; those of its data centre alone can have it.

    Attributes:
        folder: Where it is on this computer.
    """

    id: str
    name: str
    data_center: str
    folder: Path

    def as_json(self) -> Row:
        size = {"size": 100, "type": "STANDARD"}
        return {"id": self.id, "name": self.name, "dataCenter": self.data_center, **size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    An order for a pod, from whichever API.

    Attributes:
        data_centers: Where it may be; empty: anywhere.
        volume: Id of the network volume that it is to have at *mount_path*; empty: none.
    """

    name: str
    image: str
    gpu: str
    tiers: tuple[str, ...]
    disk_gb: int
    env: Mapping[str, str]
    ports: tuple[str, ...]
    args: str = ""
    min_cuda: float = 0.0
    data_centers: tuple[str, ...] = ()
    volume: str = ""
    mount_path: str = ""


@dataclass(slots=True)
class Pods:
    """
    The account's pods.

    Attributes:
        wishes: What each machine was ordered as, by its number.
        bare: Those that came back without a GPU.
        volumes: The account's network volumes, by id.
    """

    cloud: Cloud
    wishes: dict[int, Wish] = field(default_factory=dict)
    sold: dict[int, Shelf] = field(default_factory=dict)
    bare: set[int] = field(default_factory=set)
    volumes: dict[str, NetworkVolume] = field(default_factory=dict)

    def add_volume(self, number: str, name: str, data_center: str) -> NetworkVolume:
        folder = self.cloud.ground.folder / f"network-volume-{number}"
        made = NetworkVolume(id=number, name=name, data_center=data_center, folder=folder)
        self.volumes[number] = made
        return made

    def all(self) -> list[Machine]:
        listed = [machine for machine in self.cloud.machines.values() if machine.is_listed]
        return [machine for machine in listed if machine.id in self.wishes and machine.wanted is not Wanted.GONE]

    def find(self, pod: str) -> Machine:
        """
        Find a pod.

        Raises:
            Problem: There is none.
        """
        found = next((machine for machine in self.all() if pod_id(machine.id) == pod), None)
        if found is None:
            raise Problem(404, "resource not found")
        return found

    def create(self, wish: Wish) -> Machine:
        """
        Place a pod on any free rig of its kind.

        Raises:
            Problem: None is free, its volume is not to be had so, or there is no money.
        """
        volume = self._volume_for(wish)
        fitting = [shelf for shelf in shelves(self.cloud, min_cuda=wish.min_cuda) if shelf.gpu_id == wish.gpu]
        shelf, rig = _placed(fitting, wish.tiers, (volume.data_center,) if volume else wish.data_centers)
        try:
            machine = self.cloud.create(rig.ask_id, _order(wish, shelf, rig, volume))
        except Refusal as refusal:
            if refusal.body.get("error") == "insufficient_credit":
                raise Problem(402, "insufficient balance") from refusal
            raise Problem(400, NO_CAPACITY) from refusal
        self.wishes[machine.id] = wish
        self.sold[machine.id] = shelf
        return machine

    def _volume_for(self, wish: Wish) -> NetworkVolume | None:
        if not wish.volume:
            return None
        volume = self.volumes.get(wish.volume)
        if volume is None:
            raise Problem(404, "network volume not found")
        if SECURE not in wish.tiers:
            raise Problem(400, "network volumes are available on SECURE cloud only")
        if wish.data_centers and volume.data_center not in wish.data_centers:
            raise Problem(400, "the network volume is in another data center")
        return volume

    def end(self, machine: Machine) -> None:
        self.cloud.destroy(machine)

    def status(self, machine: Machine) -> str:
        """Say it in one of the documented words; the real one does not notice when a host is lost."""
        if machine.message == BOOT_ERROR:
            return "ERROR"
        usual = {None: "PROVISIONING", "exited": "EXITED", "loading": "STARTING", "created": "STARTING"}
        return usual.get(machine.status, "RUNNING")

    def row(self, machine: Machine) -> Row:
        """Describe a pod as REST v2 does. Its address is null until it runs, and where nobody asked for port 22."""
        wish, status = self.wishes[machine.id], self.status(machine)
        runs = status == "RUNNING"
        row: Row = {
            "id": pod_id(machine.id),
            "name": wish.name,
            "image": wish.image,
            "args": wish.args,
            "disk": wish.disk_gb,
            "ports": list(wish.ports),
            "env": dict(wish.env),
            "registry": None,
            "status": status,
            "actions": ACTIONS[status],
            "mounts": {"network": [{"volumeId": wish.volume, "path": wish.mount_path}]} if wish.volume else {},
            "cloud": self.sold[machine.id].tier,
            "dataCenterId": None if status == "PROVISIONING" else data_center_of(machine.rig),
            "cudaVersion": f"{machine.rig.cuda:.1f}",
            "ssh": {"proxy": _proxy(machine), "direct": _direct(machine) if runs and "22/tcp" in wish.ports else None},
            "template": None,
            "cost": round(machine.meter.gpu_usd_hour, 6) if status != "EXITED" else 0.0,
            "locked": False,
            "globalNetworking": {"enabled": False},
            "runtime": _runtime(machine, wish, self.cloud.now) if runs else None,
            "createdAt": _time(machine.meter.started),
            "startedAt": _time(machine.meter.started) if runs else None,
        }
        if machine.id not in self.bare:
            row["gpu"] = {"id": self.sold[machine.id].gpu_id, "count": 1}
        return row


def pod_id(number: int) -> str:
    return f"sb{number:x}"


def ports_of(machine: Machine, wish: Wish) -> list[Row]:
    if "22/tcp" not in wish.ports:
        return []
    return [{"private": 22, "public": machine.ssh_port, "type": "tcp", "ip": LOOPBACK}]


def _placed(fitting: list[Shelf], tiers: tuple[str, ...], data_centers: tuple[str, ...]) -> tuple[Shelf, Rig]:
    for tier in tiers:
        for shelf in fitting:
            free = [rig for rig in shelf.rigs if not data_centers or data_center_of(rig) in data_centers]
            if shelf.tier == tier and free:
                return shelf, free[0]
    raise Problem(400, NO_CAPACITY)


def _order(wish: Wish, shelf: Shelf, rig: Rig, volume: NetworkVolume | None) -> Order:
    return Order(
        image=wish.image,
        disk_gb=wish.disk_gb,
        label=wish.name,
        env=wish.env,
        onstart=_command(wish.args),
        runtype="args",
        seller=SELLER,
        usd_hour=shelf.usd_hour,
        storage_cost=DISK_USD_A_MONTH,
        has_own_keys=True,
        mounts={wish.mount_path: volume.folder} if volume else {},
        own_environment=partial(_own_environment, data_center=data_center_of(rig), volume=wish.volume),
    )


def _command(args: str) -> str:
    """Make a script of a start command: JSON with entrypoint and command, or a line for a shell."""
    try:
        given = json.loads(args)
        argv = [*given.get("entrypoint", []), *given.get("cmd", [])]
    except (ValueError, AttributeError):
        return f"#!/bin/sh\n{args}\n" if args else ""
    return f"#!/bin/sh\nexec {shlex.join(argv)}\n"


def _own_environment(number: int, key: str, *, data_center: str, volume: str) -> Mapping[str, str]:
    return {
        "RUNPOD_POD_ID": pod_id(number),
        "RUNPOD_API_KEY": key,
        "RUNPOD_DC_ID": data_center,
        **({"RUNPOD_VOLUME_ID": volume} if volume else {}),
        "RUNPOD_PUBLIC_IP": LOOPBACK,
        "RUNPOD_GPU_COUNT": "1",
        "RUNPOD_POD_HOSTNAME": f"{pod_id(number)}-64411eb2",
    }


def _direct(machine: Machine) -> Row:
    return {
        "host": LOOPBACK,
        "port": machine.ssh_port,
        "username": "root",
        "command": f"ssh root@{LOOPBACK} -p {machine.ssh_port}",
    }


def _proxy(machine: Machine) -> Row:
    """Name the proxy, which lets in people with terminals and nobody else; here it is not there at all."""
    user = f"{pod_id(machine.id)}-64411eb2"
    return {"host": "ssh.runpod.io", "port": 22, "username": user, "command": f"ssh {user}@ssh.runpod.io"}


def _runtime(machine: Machine, wish: Wish, now: float) -> Row:
    return {
        "uptime": max(0, int(now - machine.meter.started)),
        "gpus": [{"util": 0, "memoryUtil": 0}],
        "ports": ports_of(machine, wish),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
