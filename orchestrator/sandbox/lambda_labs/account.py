"""One account at Lambda Cloud: its SSH keys, its orders and its machines."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.faults import Fault
from orchestrator.sandbox.cloud import Cloud, Refusal
from orchestrator.sandbox.lambda_labs.troubles import Trouble
from orchestrator.sandbox.lambda_labs.wire import (
    STORAGE_GIB,
    Row,
    cents_an_hour,
    instance_row,
    region_of,
    region_row,
    status_of,
    type_name,
    type_row,
)
from orchestrator.sandbox.machine import Machine, Order
from orchestrator.sandbox.market import Rig
from orchestrator.sandbox.struck import Struck

USER = "ubuntu"
ORDER = Order(
    image="lambda-stack-22-04",
    disk_gb=STORAGE_GIB,
    label=None,
    env={},
    onstart="",
    runtype="ssh",
    user=USER,
    seller="lambda",
)
"""The same for every machine: what else was ordered is only told again."""


CREATOR = {"id": "0" * 32, "email": "operator@example.com", "status": "active"}
FIRST_FILE_SYSTEM = ("models", "us-east-1")
"""Name and region of the one that every account begins with."""


class SoldOut(Exception):
    """That type has no capacity in that region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey:
    id: str
    name: str
    public_key: str

    def as_json(self) -> Row:
        return {"id": self.id, "name": self.name, "public_key": self.public_key}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """
    A folder that outlives machines; those of its region alone can have it.

    Attributes:
        folder: Where it is on this computer.
        created: Seconds since the epoch.
    """

    id: str
    name: str
    region: str
    folder: Path
    created: float

    @property
    def mount_point(self) -> str:
        return f"/lambda/nfs/{self.name}"


@dataclass(slots=True, kw_only=True)
class Account:
    """
    One account. Its machines carry no label that the sandbox's other clouds would show.

    Attributes:
        arrived: How many orders have come, refused ones included.
        ordered: What was ordered, by the machine's id.
        file_systems: By name.
    """

    cloud: Cloud
    troubles: Struck[Trouble] = field(default_factory=lambda: Struck(Trouble))
    keys: dict[str, SshKey] = field(default_factory=dict)
    arrived: int = 0
    ordered: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    file_systems: dict[str, FileSystem] = field(default_factory=dict)
    _unhealthy: set[str] = field(default_factory=set)

    def types(self) -> Row:
        """Every type, with the regions that have one left."""
        rows: Row = {}
        for rig in self.cloud.market.rigs:
            rows.setdefault(
                type_name(rig.gpu), {"instance_type": type_row(rig.gpu), "regions_with_capacity_available": []}
            )
        for rig in self.cloud.market.free():
            regions, here = (
                rows[type_name(rig.gpu)]["regions_with_capacity_available"],
                region_row(region_of(rig)),
            )
            if here not in regions:
                regions.append(here)
        return rows

    def knows_type(self, name: object) -> bool:
        return any(type_name(rig.gpu) == name for rig in self.cloud.market.rigs)

    def key(self, name: str) -> SshKey | None:
        return next((key for key in self.keys.values() if key.name == name), None)

    def add_key(self, name: str, public_key: str) -> SshKey:
        key = SshKey(id=secrets.token_hex(16), name=name, public_key=public_key)
        self.keys[key.id] = key
        return key

    def add_file_system(self, name: str, region: str) -> FileSystem:
        number = secrets.token_hex(16)
        folder = self.cloud.ground.folder / f"file-system-{number}"
        made = FileSystem(id=number, name=name, region=region, folder=folder, created=self.cloud.now)
        self.file_systems[name] = made
        return made

    def file_system_row(self, file_system: FileSystem) -> Row:
        used = [ref for ref, order in self.ordered.items() if file_system.name in order.get("file_system_names", [])]
        files = file_system.folder.rglob("*") if file_system.folder.exists() else ()
        return {
            "id": file_system.id,
            "name": file_system.name,
            "mount_point": file_system.mount_point,
            "created": datetime.fromtimestamp(file_system.created, UTC).isoformat(),
            "created_by": CREATOR,
            "is_in_use": any(self.machine(ref) is not None for ref in used),
            "region": region_row(file_system.region),
            "bytes_used": sum(file.stat().st_size for file in files if file.is_file()),
        }

    def launch(self, order: Mapping[str, Any], key: SshKey) -> str:
        """
        Boot a machine, billed from now on.

        Raises:
            SoldOut: Somebody else was faster.
        """
        rig = next(self._free(order["instance_type_name"], order["region_name"]), None)
        if rig is None:
            raise SoldOut
        try:
            mounted = [self.file_systems[name] for name in order.get("file_system_names", [])]
            mounts = {each.mount_point: each.folder for each in mounted}
            machine = self.cloud.create(rig.ask_id, replace(ORDER, mounts=mounts))
        except Refusal as refusal:
            raise SoldOut from refusal
        machine.account_keys = (key.public_key,)
        machine.meter.gpu_usd_hour, machine.meter.disk_usd_hour = 0.0, cents_an_hour(rig.gpu) / 100
        ref = f"{machine.id:032x}"
        self.ordered[ref] = order
        if self.troubles.take(Trouble.UNHEALTHY):
            self._unhealthy.add(ref)
        if self.troubles.take(Trouble.BAD_GPU):
            machine.suffer(Fault.COMFYUI_DIES)
        return ref

    def machine(self, ref: str) -> Machine | None:
        """Find a machine of this account that is still there."""
        return self.cloud.find(int(ref, 16)) if ref in self.ordered else None

    def end(self, machine: Machine) -> None:
        if not self.troubles.take(Trouble.END_IGNORED):
            self.cloud.destroy(machine)

    def row(self, ref: str, machine: Machine) -> Row:
        status = status_of(machine)
        if status == "active" and ref in self._unhealthy:
            status = "unhealthy"
        has_address = status == "active" and not self.troubles.take(Trouble.IP_LATE)
        return instance_row(machine, ref=ref, order=dict(self.ordered[ref]), status=status, has_address=has_address)

    def rows(self) -> list[Row]:
        found = ((ref, self.machine(ref)) for ref in self.ordered)
        return [self.row(ref, machine) for ref, machine in found if machine is not None]

    def _free(self, wanted_type: str, region: str) -> Iterator[Rig]:
        for rig in self.cloud.market.free():
            if type_name(rig.gpu) == wanted_type and region_of(rig) == region:
                yield rig
