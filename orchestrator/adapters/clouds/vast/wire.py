"""
Their JSON as our values. Nothing of pydantic leaves this module; what we say to them is in ``asking``.

Types are taken strictly: a field of another type is an API that we no longer understand. What may be null is null-safe.
Units are theirs until they leave: memory in MB that count 2**20 bytes (a 24 GB card has 24564), networks in Mb/s,
traffic in dollars per 10**9 bytes, storage in dollars per GB and month of 30 days.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel, ValidationError

from orchestrator.adapters.clouds.shapes import read_as
from orchestrator.adapters.clouds.vast.answers import tidy
from orchestrator.adapters.clouds.vast.asking import CAPABILITY_UNIT, SMALLEST_DISK_GB
from orchestrator.adapters.clouds.vast.onstart import plain_key
from orchestrator.adapters.clouds.vast.states import Status, state_of
from orchestrator.domain.errors import CloudProtocolError
from orchestrator.domain.ids import CloudName, CloudRef, HostId, MachineId, OfferId
from orchestrator.domain.instance import Address
from orchestrator.domain.money import micro_usd, micro_usd_per_hour
from orchestrator.domain.offer import Offer, Tariff
from orchestrator.ports.cloud import Account, Rental, RentalState

HOURS_A_MONTH = 720
SSH_PORT = "22/tcp"
GB_PER_GIB = 2**30 / 10**9
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")


Id = Annotated[int, Field(gt=0, lt=2**63)]
Text = Annotated[str, AfterValidator(tidy)]
Label = Annotated[str, AfterValidator(lambda label: label.encode("utf-8", "replace").decode())]
Usd = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Offer(_Row):
    id: Id
    machine_id: Id
    host_id: Id | None = None
    gpu_name: Text
    gpu_ram: Amount
    disk_space: Amount
    dph_base: Usd
    dph_total: Usd | None = None
    storage_cost: Usd | None = None
    inet_down_cost: Usd | None = None
    inet_down: Amount | None = None
    reliability2: Share | None = None
    reliability: Share | None = None
    cuda_max_good: Amount | None = None
    compute_cap: Amount | None = None
    geolocation: Text | None = None


class _Port(_Row):
    HostPort: str | None = None


def _only_mappings(ports: Any) -> Any:
    """Let through what maps ports; the specification also knows a list of numbers, which says nothing to us."""
    return {SSH_PORT: ports.get(SSH_PORT)} if isinstance(ports, dict) else {}


class _Instance(_Row):
    id: Id
    label: Label | None = None
    actual_status: Text | None = None
    intended_status: Text | None = None
    cur_state: Text | None = None
    next_state: Text | None = None
    status_msg: str | None = None
    ports: Annotated[dict[str, list[_Port] | None], BeforeValidator(_only_mappings)] = Field(default_factory=dict)
    public_ipaddr: str | None = None
    ssh_host: str | None = None
    ssh_port: int | None = None
    image_runtype: str | None = None
    gpu_name: Text | None = None
    dph_total: Usd | None = None
    start_date: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)] | None = None


class _Page(_Row):
    total_instances: Annotated[int, Field(ge=0)]
    next_token: str | None
    instances: list[_Instance]


class _Market(_Row):
    offers: list[Any]


def _listed(shown: Any) -> Any:
    return [] if shown is None else [shown] if isinstance(shown, dict) else shown


class _Shown(_Row):
    instances: Annotated[list[_Instance], BeforeValidator(_listed)]


class _Launched(_Row):
    new_contract: Id


class _User(_Row):
    credit: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)] | None = None
    balance: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)] | None = None


class _Key(_Row):
    key: str
    deleted_at: str | None = None


class _Keys(RootModel[list[_Key]]):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    One page of a listing.

    Attributes:
        total: How many machines the account has, by this answer.
        following: Where the next page starts; None on the last one.
    """

    rentals: tuple[Rental, ...]
    total: int
    following: str | None


def read_offers(cloud: CloudName, body: Any, *, disk_gib: int) -> tuple[Offer, ...]:
    """
    Read a search.

    Hosts fill in their own offers, so one that cannot be read is left out.

    Raises:
        CloudProtocolError: It is no list of offers, or not one of them can be read.
    """
    market = read_as(cloud, "search", _Market, body)
    offers: list[Offer] = []
    unreadable: CloudProtocolError | None = None
    for entry in market.offers:
        try:
            offers.append(_offer(cloud, read_as(cloud, "search", _Offer, entry), disk_gib))
        except CloudProtocolError as error:
            unreadable = error
    if unreadable is not None and not offers:
        raise unreadable
    return tuple(offers)


def launched_ref(body: Any) -> CloudRef | None:
    """Find the machine that an answer to an order names, good news or not. The machine's own key stays behind."""
    try:
        return CloudRef(str(_Launched.model_validate(body).new_contract))
    except ValidationError:
        return None


def read_page(cloud: CloudName, body: Any) -> Page:
    page = read_as(cloud, "list", _Page, body)
    return Page(
        rentals=tuple(_rental(cloud, row) for row in page.instances),
        total=page.total_instances,
        following=page.next_token or None,
    )


def read_rental(cloud: CloudName, body: Any, ref: CloudRef) -> Rental | None:
    """Read one machine: an object, or a list of few, or null when it is gone; the key is a plural in each case."""
    rentals = [_rental(cloud, row) for row in read_as(cloud, "show", _Shown, body).instances]
    asked = [rental for rental in rentals if rental.ref == ref]
    if rentals and not asked:
        raise CloudProtocolError(cloud, f"show: instances.id: asked for {tidy(ref)}, told about {rentals[0].ref}")
    return asked[0] if asked else None


def read_account(cloud: CloudName, body: Any) -> Account:
    """Read the balance: prepaid money is `credit` in the guides and in practice, `balance` in the specification."""
    user = read_as(cloud, "account", _User, body)
    if not user.model_fields_set:
        raise CloudProtocolError(cloud, "account: credit: missing, and so is balance")
    usd = user.credit if user.credit is not None else user.balance
    return Account(balance=None if usd is None else micro_usd(usd))


def read_keys(cloud: CloudName, body: Any) -> frozenset[str]:
    """Read which SSH keys the account has, each as :func:`plain_key` writes it."""
    return frozenset(_plain_keys(read_as(cloud, "list keys", _Keys, body).root))


def _plain_keys(keys: Iterable[_Key]) -> Iterator[str]:
    for entry in keys:
        if entry.deleted_at is None:
            try:
                yield plain_key(entry.key)
            except ValueError:
                continue  # whatever else people keep there


def _offer(cloud: CloudName, row: _Offer, disk_gib: int) -> Offer:
    reliability = row.reliability2 if row.reliability2 is not None else row.reliability
    return Offer(
        cloud=cloud,
        id=OfferId(str(row.id)),
        machine=MachineId(str(row.machine_id)),
        # An unnamed host owns this machine and, for all we know, no other.
        host=HostId(str(row.host_id) if row.host_id is not None else f"of-{row.machine_id}"),
        gpu=row.gpu_name,
        vram_mib=int(row.gpu_ram),
        disk_gib=int(row.disk_space),
        tariff=_tariff(row, disk_gib),
        reliability=reliability or 0.0,
        inet_down_mbps=row.inet_down or 0.0,
        location=row.geolocation or "",
        cuda=row.cuda_max_good or 0.0,
        compute_capability=(row.compute_cap or 0.0) / CAPABILITY_UNIT,
    )


def _tariff(row: _Offer, disk_gib: int) -> Tariff:
    """
    Split the price: the GPU is billed while it runs, the disk from the order on, traffic by the byte.

    `dph_total` holds the disk that the search named. Loading is not billed as running (vast-ai/docs, billing).
    """
    if row.dph_total is not None:
        disk = max(row.dph_total - row.dph_base, 0.0)
    else:
        disk = max(disk_gib, SMALLEST_DISK_GB) * (row.storage_cost or 0.0) / HOURS_A_MONTH
    return Tariff(
        running=micro_usd_per_hour(row.dph_base),
        always=micro_usd_per_hour(disk),
        per_gib_down=micro_usd((row.inet_down_cost or 0.0) * GB_PER_GIB),
        bills_boot=False,
    )


def _rental(cloud: CloudName, row: _Instance) -> Rental:
    state = state_of(_status(row))
    return Rental(
        cloud=cloud,
        ref=CloudRef(str(row.id)),
        label=row.label or "",
        state=state,
        address=_address(row) if state is RentalState.RUNNING else None,
        gpu=row.gpu_name or "",
        price=micro_usd_per_hour(row.dph_total or 0.0),
        started_at=datetime.fromtimestamp(row.start_date, UTC) if row.start_date else None,
        detail=tidy(f"{row.actual_status or 'provisioning'}: {row.status_msg or ''}"),
    )


def _status(row: _Instance) -> Status:
    return Status(
        actual=row.actual_status or "",
        intended=row.intended_status or "",
        current=row.cur_state or "",
        following=row.next_state or "",
        message=row.status_msg or "",
        has_ports=bool(row.ports.get(SSH_PORT)),
    )


def _address(row: _Instance) -> Address | None:
    """
    Find SSH: directly where the machine maps port 22, else through the cloud's proxy.

    The rules are those of `vastai ssh-url`, with the proxy's port one higher for images that start Jupyter.
    """
    direct = _host(row.public_ipaddr)
    for port in row.ports.get(SSH_PORT) or ():
        if direct and (number := _port(port.HostPort)):
            return Address(host=direct, port=number)
    proxy = _host(row.ssh_host)
    further = 1 if "jupyter" in (row.image_runtype or "") else 0
    number = _port(row.ssh_port and row.ssh_port + further)
    return Address(host=proxy, port=number) if proxy and number else None


def _host(said: str | None) -> str | None:
    """Strip it, for it can end in a newline, and take nothing that is no name or number of a host."""
    host = (said or "").strip()
    return host if _HOST.fullmatch(host) else None


def _port(said: str | int | None) -> int | None:
    text = str(said)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0
    return number if 0 < number < 2**16 else None
