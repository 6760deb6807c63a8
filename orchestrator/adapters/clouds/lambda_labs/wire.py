"""
Their JSON as our values. Nothing of pydantic leaves this module; what we say to them is in ``asking``.

Shapes: Lambda's API specification, version 1.8.3. Types are taken strictly: a field of another type is an API that we
no longer understand. What is not known of a machine yet is a key that is not there.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from orchestrator.adapters.clouds.lambda_labs.answers import tidy
from orchestrator.adapters.clouds.lambda_labs.asking import LABEL_TAG
from orchestrator.adapters.clouds.shapes import read_as
from orchestrator.domain.errors import CloudProtocolError
from orchestrator.domain.gpu import capability_of
from orchestrator.domain.ids import CloudName, CloudRef, HostId, MachineId, OfferId
from orchestrator.domain.instance import Address
from orchestrator.domain.money import micro_usd_per_hour
from orchestrator.domain.offer import Offer, Tariff
from orchestrator.ports.cloud import Rental, RentalState

USER = "ubuntu"
SSH_PORT = 22
SANDBOX_PORT_TAG = "sandbox-ssh-port"
"""Machines of a sandbox are on one computer and cannot all have port 22."""

INET_DOWN_MBPS = 1_000.0
"""
Nobody says what one machine gets; regions have 20 Gb/s to the internet (Lambda's FAQ on its on-demand cloud).

What it really is gets measured before a machine is taken.
"""
RELIABILITY = 0.99
"""No figure is given either; this one only decides between offers of the same price."""

ARM = re.compile(r"\bG[BH]\d{3}\b")
"""NVIDIA's cards that sit beside an ARM processor. Newer servers name the architecture; 1.8.3 does not."""

_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?GB\b")
_PATH_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Name = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, AfterValidator(tidy)]
Label = Annotated[str, AfterValidator(lambda label: label.encode("utf-8", "replace").decode())]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Cents = Annotated[int, Field(ge=0, le=10_000_000)]


class _Row(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Region(_Row):
    name: Name


class _Specs(_Row):
    gpus: Count
    storage_gib: Count


class _Type(_Row):
    name: Name
    gpu_description: Text
    price_cents_per_hour: Cents
    specs: _Specs
    architecture: str | None = None


class _Item(_Row):
    instance_type: _Type
    regions_with_capacity_available: list[_Region]


class _Types(_Row):
    data: dict[str, Any]


class _Tag(_Row):
    key: str
    value: str


class _Instance(_Row):
    id: Annotated[str, Field(min_length=1, max_length=128)]
    status: Annotated[Text, Field(min_length=1)]
    instance_type: _Type
    region: _Region
    name: Label | None = None
    ip: str | None = None
    tags: list[_Tag] | None = None

    def tag(self, key: str) -> str | None:
        return next((tag.value for tag in self.tags or () if tag.key == key), None)


class _Page(_Row):
    data: list[_Instance]
    page_token: str | None = None


class _Shown(_Row):
    data: _Instance


class _Ids(_Row):
    instance_ids: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class _Launched(_Row):
    data: _Ids


class _Named(_Row):
    id: str


class _Ended(_Row):
    terminated_instances: list[_Named]


class _Terminated(_Row):
    data: _Ended


class _FileSystem(_Row):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    mount_point: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_-]+){1,16}$", max_length=256)]
    region: _Region


class _FileSystems(_Row):
    data: list[_FileSystem]


class _Key(_Row):
    name: str
    public_key: str


class _Keys(_Row):
    data: list[_Key]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """
    A folder that outlives machines, and that those of its region alone can have.

    Attributes:
        mount_point: Where machines have it, absolute.
    """

    name: str
    region: str
    mount_point: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    One page of a listing.

    Attributes:
        following: What asks for the next page; None on the last one, and where listings have no pages.
    """

    rentals: tuple[Rental, ...]
    following: str | None


def read_offers(
    cloud: CloudName,
    body: Any,
    *,
    vram_mib: int,
    disk_gib: int,
    compute_capability: float,
    file_systems: Iterable[FileSystem] = (),
) -> tuple[Offer, ...]:
    """
    Read the types that have one card, a processor that our programs run on, and capacity somewhere.

    Lambda sells types in regions, not machines: an offer stands for all that are left there. A type that is left in a
    region with one of *file_systems* is offered there alone: with the models at hand it is ready sooner.
    """
    by_region = {each.region: each for each in reversed(tuple(file_systems))}
    offers: list[Offer] = []
    unreadable: CloudProtocolError | None = None
    for entry in read_as(cloud, "list types", _Types, body).data.values():
        try:
            item = read_as(cloud, "list types", _Item, entry)
        except CloudProtocolError as error:
            unreadable = error
            continue
        offers += _offers(cloud, item, by_region)
    if unreadable is not None and not offers:
        raise unreadable
    return tuple(
        offer
        for offer in offers
        if offer.vram_mib >= vram_mib
        and offer.disk_gib >= disk_gib
        and not 0 < offer.compute_capability < compute_capability
    )


def check_types(cloud: CloudName, body: Any) -> None:
    """
    See that it is a list of types.

    Raises:
        CloudProtocolError: It is none, so that nobody knows whether the key was taken.
    """
    read_as(cloud, "account", _Types, body)


def launched_ref(body: Any) -> CloudRef | None:
    """Find the machine that an answer to an order names."""
    try:
        return CloudRef(_Launched.model_validate(body).data.instance_ids[0])
    except ValidationError:
        return None


def read_page(cloud: CloudName, body: Any) -> Page:
    """Read a listing; a machine that is said to be terminated is none any more."""
    page = read_as(cloud, "list", _Page, body)
    rows = [row for row in page.data if row.status != "terminated"]
    return Page(
        rentals=tuple(_rental(cloud, row) for row in rows),
        following=page.page_token or None,
    )


def read_rental(cloud: CloudName, body: Any, ref: CloudRef) -> Rental | None:
    row = read_as(cloud, "show", _Shown, body).data
    if row.id != ref:
        raise CloudProtocolError(cloud, f"show: data.id: asked for {tidy(ref)}, told about another")
    return None if row.status == "terminated" else _rental(cloud, row)


def read_terminated(cloud: CloudName, body: Any) -> frozenset[CloudRef]:
    ended = read_as(cloud, "terminate", _Terminated, body).data.terminated_instances
    return frozenset(CloudRef(row.id) for row in ended)


def read_file_systems(cloud: CloudName, body: Any) -> tuple[FileSystem, ...]:
    rows = read_as(cloud, "list file systems", _FileSystems, body).data
    return tuple(FileSystem(name=row.name, region=row.region.name, mount_point=row.mount_point) for row in rows)


def read_keys(cloud: CloudName, body: Any) -> Mapping[str, str]:
    """Read the names of the account's SSH keys, by type and data of each."""
    return dict(_plain_keys(read_as(cloud, "list keys", _Keys, body).data))


def _plain_keys(keys: Iterable[_Key]) -> Iterator[tuple[str, str]]:
    for key in keys:
        parts = key.public_key.split()
        if len(parts) > 1:
            yield f"{parts[0]} {parts[1]}", key.name


def _offers(cloud: CloudName, item: _Item, file_systems: Mapping[str, FileSystem]) -> Iterator[Offer]:
    sold = item.instance_type
    memory = _MEMORY.search(sold.gpu_description)
    if sold.specs.gpus != 1 or memory is None or _is_arm(sold) or not _PATH_SAFE.fullmatch(sold.name):
        return
    gpu = _gpu(sold)
    regions = item.regions_with_capacity_available
    for region in [region for region in regions if region.name in file_systems] or regions:
        place = f"{sold.name}/{tidy(region.name)}"
        at_hand = file_systems.get(region.name)
        yield Offer(
            cloud=cloud,
            id=OfferId(f"{place}/{at_hand.name}" if at_hand else place),
            machine=MachineId(place),
            host=HostId(place),
            gpu=gpu,
            vram_mib=int(float(memory[1]) * 1024),
            disk_gib=sold.specs.storage_gib,
            tariff=Tariff(running=micro_usd_per_hour(sold.price_cents_per_hour / 100)),
            reliability=RELIABILITY,
            inet_down_mbps=INET_DOWN_MBPS,
            location=tidy(region.name),
            compute_capability=capability_of(gpu),
            is_kind=True,
            volume=at_hand.mount_point if at_hand else "",
        )


def _is_arm(sold: _Type) -> bool:
    return sold.architecture not in {None, "x86_64"} or ARM.search(sold.gpu_description) is not None


def _gpu(sold: _Type) -> str:
    """The card alone: "A10 (24 GB PCIe)" is an A10."""
    return sold.gpu_description.partition(" (")[0].strip()


def _rental(cloud: CloudName, row: _Instance) -> Rental:
    address = _address(row)
    return Rental(
        cloud=cloud,
        ref=CloudRef(row.id),
        label=row.tag(LABEL_TAG) or row.name or "",
        state=_state(row.status, has_address=address is not None),
        address=address if row.status == "active" else None,
        gpu=_gpu(row.instance_type),
        price=micro_usd_per_hour(row.instance_type.price_cents_per_hour / 100),
        started_at=None,  # 1.8.3 tells no time at all
        detail=f"{row.status} in {tidy(row.region.name)}",
    )


def _state(status: str, *, has_address: bool) -> RentalState:
    """
    Read *status*; whatever is new to us is still starting, and the caller's deadline decides.

    An unhealthy machine is given up: it was seen to be so from birth, is billed and lets nobody in (third parties'
    reports of 2026); Lambda offers no way to mend it but another machine.
    """
    match status:
        case "active" if has_address:
            return RentalState.RUNNING
        case "unhealthy" | "preempted" | "terminating":
            return RentalState.FAILED
        case _:
            return RentalState.STARTING


def _address(row: _Instance) -> Address | None:
    """Where SSH is; the address comes late in a boot."""
    try:
        ip = ipaddress.ip_address((row.ip or "").strip())
    except ValueError:
        return None
    port = row.tag(SANDBOX_PORT_TAG) or ""
    is_port = ip.is_loopback and port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 2**16
    return Address(host=str(ip), port=int(port) if is_port else SSH_PORT, user=USER)
