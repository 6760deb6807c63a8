"""Moon's JSON <-> our values. There is no such cloud: ``docs/add-a-cloud.md`` tells how it would be added."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.domain.ids import CloudName, CloudRef, HostId, MachineId, OfferId
from orchestrator.domain.instance import Address
from orchestrator.domain.money import micro_usd_per_hour
from orchestrator.domain.offer import Offer, Requirements, Tariff
from orchestrator.domain.policy.placement import VRAM_SLACK
from orchestrator.ports.cloud import Rental, RentalState

STATES = {"booting": RentalState.STARTING, "up": RentalState.RUNNING, "broken": RentalState.FAILED}


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Stock(_Wire):
    """One machine that can be rented. Attributes: disk_usd_hour: For each GiB of disk."""

    id: int
    gpu: str
    vram_mib: int
    disk_gib: int
    down_mbps: float
    usd_hour: float
    disk_usd_hour: float

    def meets(self, needs: Requirements) -> bool:
        return (
            self.vram_mib >= needs.vram_mib * VRAM_SLACK
            and self.disk_gib >= needs.disk_gib
            and self.down_mbps >= needs.inet_down_mbps
        )

    def offer(self, cloud: CloudName, needs: Requirements) -> Offer:
        tariff = Tariff(
            running=micro_usd_per_hour(self.usd_hour),
            always=micro_usd_per_hour(self.disk_usd_hour * needs.disk_gib),
        )
        return Offer(
            cloud=cloud,
            id=OfferId(str(self.id)),
            machine=MachineId(str(self.id)),
            host=HostId(str(self.id)),
            gpu=self.gpu,
            vram_mib=self.vram_mib,
            disk_gib=self.disk_gib,
            tariff=tariff,
            reliability=1.0,
            inet_down_mbps=self.down_mbps,
            location="Moon",
        )


class Market(_Wire):
    stock: list[Stock]


class Machine(_Wire):
    id: int
    label: str
    state: str
    gpu: str
    usd_hour: float
    since: datetime
    host: str | None = None
    port: int | None = None

    def rental(self, cloud: CloudName) -> Rental:
        return Rental(
            cloud=cloud,
            ref=CloudRef(str(self.id)),
            label=self.label,
            state=STATES.get(self.state, RentalState.LOST),
            address=Address(host=self.host, port=self.port) if self.host and self.port else None,
            gpu=self.gpu,
            price=micro_usd_per_hour(self.usd_hour),
            started_at=self.since,
            detail=self.state,
        )


class Page(_Wire):
    """Attributes: total: Of all pages."""

    machines: list[Machine]
    total: int
    next_page: str | None = Field(alias="next")


class Launched(_Wire):
    id: int


class Ended(_Wire):
    """Nothing is told."""


class Account(_Wire):
    balance_usd: float
