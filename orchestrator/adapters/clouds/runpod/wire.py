"""
RunPod's JSON as our values. Nothing of pydantic leaves this module; what we say to RunPod is in ``asking``.

Types are taken strictly: a field of another type is an API that we no longer understand. What may be null is null-safe.
Units are RunPod's until they leave: memory in GB that count 2**30 bytes, prices in dollars an hour and GPU.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from orchestrator.adapters.clouds.runpod.answers import tidy
from orchestrator.adapters.clouds.runpod.asking import MOUNT, Kind, Tier, disk_gb
from orchestrator.adapters.clouds.shapes import read_as
from orchestrator.domain.errors import CloudProtocolError
from orchestrator.domain.gpu import capability_of, short_name
from orchestrator.domain.ids import CloudName, CloudRef, HostId, MachineId
from orchestrator.domain.instance import Address
from orchestrator.domain.money import MicroUsdPerHour, micro_usd, micro_usd_per_hour
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.ports.cloud import Account, Rental, RentalState

MIB_PER_GB = 1024
HOURS_A_MONTH = 720
DISK_USD_A_MONTH = 0.10
"""Container disk, a GB and month, while a pod runs (docs.runpod.io, pods/pricing); traffic costs nothing."""

RELIABILITY = {Tier.SECURE: 1.0, Tier.COMMUNITY: 0.9}
"""RunPod tells none. At the same price its own data centres come first: they alone always have a public address."""

ENDED = "TERMINATED"
STATES = {
    "PROVISIONING": RentalState.STARTING,
    "STARTING": RentalState.STARTING,
    "RUNNING": RentalState.RUNNING,
    "EXITED": RentalState.FAILED,  # we stop nothing: the account ran dry, or the machine was taken away
    "ERROR": RentalState.FAILED,
}
"""Words of REST v2, PodStatus. A word that is new to us is still starting: the caller's deadline decides."""

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")

Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(tidy)]
Text = Annotated[str, AfterValidator(tidy)]
Label = Annotated[str, AfterValidator(lambda label: label.encode("utf-8", "replace").decode())]
Usd = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Balance = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class _Row(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True, alias_generator=to_camel)


class _Prices(_Row):
    secure: Usd | None = None
    community: Usd | None = None


class _DataCenter(_Row):
    id: Id
    availability: Text


class _Gpu(_Row):
    id: Id
    manufacturer: Text
    memory: Count
    secure: bool
    community: bool
    price: _Prices
    availability: Text | None = None
    data_centers: list[_DataCenter] | None = None


class _Volume(_Row):
    id: Id
    data_center: Id


class _Volumes(_Row):
    network_volumes: list[_Volume]


class _Catalog(_Row):
    gpus: list[Any]


class _Endpoint(_Row):
    host: str
    port: int


class _Ssh(_Row):
    direct: _Endpoint | None = None


class _PodGpu(_Row):
    id: Text


class _Pod(_Row):
    id: Id
    name: Label
    status: Text
    disk: Count | None = None
    gpu: _PodGpu | None = None
    cpu: dict[str, Any] | None = None
    ssh: _Ssh | None = None
    cost: Usd
    created_at: str | None = None
    started_at: str | None = None


class _Pagination(_Row):
    next_cursor: str | None = None
    has_next_page: bool = False


class _Page(_Row):
    pods: list[_Pod]
    pagination: _Pagination | None = None


class _Ordered(_Row):
    id: Id


class _Myself(_Row):
    client_balance: Balance


class _MyselfData(_Row):
    myself: _Myself


class _Graphql(_Row):
    data: _MyselfData


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkVolume:
    """A folder in one data centre that pods of RunPod's own have there, and that outlives them."""

    id: str
    data_center: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    One page of a listing.

    Attributes:
        following: Where the next page starts; None on the last one.
    """

    rentals: tuple[Rental, ...]
    following: str | None


def read_offers(
    cloud: CloudName, body: Any, tier: Tier, requirements: Requirements, volume: NetworkVolume | None = None
) -> tuple[Offer, ...]:
    """
    Read the catalogue of one tier: what meets *requirements* and is said to be in stock.

    A type that cannot be read is left out. One that is in stock where *volume* is comes with it, from there alone.

    Raises:
        CloudProtocolError: It is no catalogue, or not one of its types can be read.
    """
    offers: list[Offer] = []
    has_read, unreadable = False, None
    for entry in read_as(cloud, "catalogue", _Catalog, body).gpus:
        try:
            gpu = read_as(cloud, "catalogue", _Gpu, entry)
        except CloudProtocolError as error:
            unreadable = error
            continue
        has_read = True
        offer = _offer(cloud, gpu, tier, requirements, volume)
        if offer is not None and _meets(offer, requirements):
            offers.append(offer)
    if unreadable is not None and not has_read:
        raise unreadable
    return tuple(offers)


def with_volume_first(offers: Iterable[Offer]) -> list[Offer]:
    """Leave out what another offer has as well, with the volume: with the models at hand it is ready sooner."""
    all_offers = list(offers)
    at_hand = {offer.gpu for offer in all_offers if offer.volume}
    return [offer for offer in all_offers if offer.volume or offer.gpu not in at_hand]


def read_volumes(cloud: CloudName, body: Any) -> tuple[NetworkVolume, ...]:
    rows = read_as(cloud, "list volumes", _Volumes, body).network_volumes
    return tuple(NetworkVolume(id=row.id, data_center=row.data_center) for row in rows)


def ordered_ref(body: Any) -> CloudRef | None:
    """Find the pod that an answer to an order names."""
    try:
        return CloudRef(_Ordered.model_validate(body).id)
    except ValidationError:
        return None


def read_page(cloud: CloudName, body: Any) -> Page:
    """Read pods; those that have ended are left out: they cost nothing and never come back."""
    page = read_as(cloud, "list", _Page, body)
    pagination = page.pagination or _Pagination()
    if pagination.has_next_page and not pagination.next_cursor:
        raise CloudProtocolError(cloud, "list: pagination.nextCursor: missing, and there are more pages")
    return Page(
        rentals=tuple(_rental(cloud, pod) for pod in page.pods if pod.status != ENDED),
        following=pagination.next_cursor if pagination.has_next_page else None,
    )


def read_rental(cloud: CloudName, body: Any, ref: CloudRef) -> Rental | None:
    pod = read_as(cloud, "show", _Pod, body)
    if pod.id != ref:
        raise CloudProtocolError(cloud, f"show: id: asked for {tidy(ref)}, told about {pod.id}")
    return None if pod.status == ENDED else _rental(cloud, pod)


def read_account(cloud: CloudName, body: Any) -> Account:
    return Account(balance=micro_usd(read_as(cloud, "account", _Graphql, body).data.myself.client_balance))


def _offer(
    cloud: CloudName, gpu: _Gpu, tier: Tier, requirements: Requirements, volume: NetworkVolume | None
) -> Offer | None:
    """
    Read one type; None where it is not sold in this tier, not by NVIDIA, or out of stock.

    A kind is machine and host in one: which computer it will be is not told. Neither is its network: what is asked for
    is taken for granted, and measured on the machine before anything is fetched. *cuda* is what the order insists on.
    When billing starts is not told, so a pod is taken to be billed from the order on.
    """
    price = gpu.price.secure if tier is Tier.SECURE else gpu.price.community
    is_sold = gpu.secure if tier is Tier.SECURE else gpu.community
    if not is_sold or not price or gpu.manufacturer != "NVIDIA" or gpu.availability in {None, "NONE"}:
        return None
    at_hand = volume if volume is not None and _is_sold_at(gpu, tier, volume.data_center) else None
    kind = Kind(tier=tier, gpu=gpu.id, volume=at_hand.id if at_hand else "")
    return Offer(
        cloud=cloud,
        id=kind.id,
        machine=MachineId(kind.id),
        host=HostId(kind.id),
        gpu=short_name(gpu.id),
        vram_mib=gpu.memory * MIB_PER_GB,
        disk_gib=disk_gb(requirements.disk_gib),
        tariff=Tariff(running=micro_usd_per_hour(price), always=_disk_price(disk_gb(requirements.disk_gib))),
        reliability=RELIABILITY[tier],
        inet_down_mbps=float(requirements.inet_down_mbps),
        location=at_hand.data_center if at_hand else tier.lower(),
        cuda=requirements.cuda,
        compute_capability=capability_of(gpu.id),
        is_kind=True,
        volume=MOUNT if at_hand else "",
    )


def _is_sold_at(gpu: _Gpu, tier: Tier, data_center: str) -> bool:
    """Whether one is left there. Only RunPod's own data centres have network volumes (docs.runpod.io, storage)."""
    there = (each.availability for each in gpu.data_centers or () if each.id == data_center)
    return tier is Tier.SECURE and any(availability != "NONE" for availability in there)


def _meets(offer: Offer, requirements: Requirements) -> bool:
    return offer.vram_mib >= requirements.vram_mib * VRAM_SLACK and (
        offer.compute_capability == 0 or offer.compute_capability >= requirements.compute_capability
    )


def _disk_price(disk: int) -> MicroUsdPerHour:
    return micro_usd_per_hour(disk * DISK_USD_A_MONTH / HOURS_A_MONTH)


def _rental(cloud: CloudName, pod: _Pod) -> Rental:
    state = STATES.get(pod.status, RentalState.STARTING)
    detail = pod.status
    if state is RentalState.RUNNING and pod.gpu is None and pod.cpu is None:
        state, detail = RentalState.FAILED, f"{pod.status} without a GPU"  # docs.runpod.io, pods: zero GPU pods
    return Rental(
        cloud=cloud,
        ref=CloudRef(pod.id),
        label=pod.name,
        state=state,
        address=_address(pod) if state is RentalState.RUNNING else None,
        gpu=short_name(pod.gpu.id) if pod.gpu is not None else "",
        price=MicroUsdPerHour(micro_usd_per_hour(pod.cost) + _disk_price(pod.disk or 0)),
        started_at=_time(pod.started_at) or _time(pod.created_at),
        detail=detail,
    )


def _address(pod: _Pod) -> Address | None:
    """Directly or not at all: the proxy lets neither commands nor tunnels through. Null until port 22 is mapped."""
    direct = pod.ssh.direct if pod.ssh is not None else None
    if direct is None:
        return None
    host = direct.host.strip()
    return Address(host=host, port=direct.port) if _HOST.fullmatch(host) and 0 < direct.port < 2**16 else None


def _time(said: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(said or "")
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
