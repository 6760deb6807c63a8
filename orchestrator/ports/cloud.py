"""One GPU cloud."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from orchestrator.domain.ids import CloudName, CloudRef, LaunchKey
from orchestrator.domain.instance import Address
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour
from orchestrator.domain.offer import Offer, Requirements


class RentalState(StrEnum):
    """What a cloud says about a machine, in our words."""

    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"  # it will never run: end it and go elsewhere
    LOST = "lost"  # it has run and the cloud lost touch with it; it may come back


@dataclass(frozen=True, slots=True, kw_only=True)
class Rental:
    """
    What the cloud says about one machine of this account.

    Attributes:
        label: Whatever label it carries; not every machine of an account is ours.
        address: Where SSH is to be found; None until the cloud has told.
        detail: The cloud's own words on its state, for logs.
    """

    cloud: CloudName
    ref: CloudRef
    label: str
    state: RentalState
    address: Address | None
    gpu: str
    price: MicroUsdPerHour
    started_at: datetime | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """
    What the cloud says about our account.

    Attributes:
        balance: Prepaid money left; None where the cloud does not tell.
    """

    balance: MicroUsd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMan:
    """
    When a machine that hears nothing from us destroys itself.

    Attributes:
        first: Counted from its start, while there was no heartbeat yet.
        silent: Counted from the last heartbeat.
    """

    first: timedelta
    silent: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOrder:
    """
    What to boot.

    Attributes:
        image: The container image.
        disk_gib: Disk to reserve, in GiB.
        ssh_public_key: The one key that may log in, in OpenSSH's format.
        dead_man: To be armed by the order itself, with a key that can end this machine alone; a cloud that has no
            such key leaves it out.
    """

    image: str
    disk_gib: int
    ssh_public_key: str
    dead_man: DeadMan | None = None


class CloudProvider(Protocol):
    """
    One GPU cloud.

    Implementations keep no state about machines: the store remembers, the cloud tells.
    Every method may be called again after a failure, and may be cancelled at any await.
    None of them retries; each has a limit on time.
    """

    @property
    def name(self) -> CloudName: ...

    async def offers(self, requirements: Requirements) -> tuple[Offer, ...]:
        """
        List what can be rented now and meets *requirements*, prices including the disk that they ask for.

        Raises:
            CloudError: An empty tuple means that the cloud has nothing, never that it could not be asked.
        """
        ...

    async def launch(self, offer: Offer, key: LaunchKey, order: LaunchOrder) -> CloudRef:
        """
        Rent the machine behind *offer* and label it with *key*.

        Returns as soon as the cloud has accepted the order; the machine is neither booted nor reachable yet.
        Billing starts here, so the caller records *key* before it calls.

        Raises:
            OfferGone: Someone else took it. Try the next offer.
            LaunchUncertain:
                The answer was lost. The machine may exist and cost money:
                look for *key* in :meth:`rentals` before ordering again.
            AccountProblem: Key refused or no money: no other offer of this cloud will do.
        """
        ...

    async def rentals(self) -> tuple[Rental, ...]:
        """
        List every machine of the account, complete: all pages, well formed, with a key that the cloud accepts.

        Raises:
            CloudError: Anything short of a complete listing. An absence is believed only from a returned one.
        """
        ...

    async def rental(self, ref: CloudRef) -> Rental | None:
        """
        Ask about one machine; None when the cloud says that it has no such machine.

        None alone proves nothing: only :meth:`rentals` does, twice.
        """
        ...

    async def terminate(self, ref: CloudRef) -> bool:
        """
        End one machine for good, disk included; returns before it is gone. False when it already was.

        Raises:
            CloudError: Not accepted; it may still cost money. Call again.
        """
        ...

    async def account(self) -> Account:
        """
        Ask how the account is doing.

        Raises:
            AccountProblem: The key is refused.
            VolumeMissing: It lacks a volume that the settings name; machines can be had all the same.
        """
        ...
