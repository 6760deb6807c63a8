"""The cloud behind the API: account, market, machines and bill of one sandbox."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.faults import Fault
from orchestrator.sandbox.bill import Bill, Meter, storage_usd_hour
from orchestrator.sandbox.machine import VAST, Ground, Machine, Order, Wanted
from orchestrator.sandbox.market import Market, Rig
from orchestrator.sandbox.query import check_filters, matches, ordered
from orchestrator.sandbox.troubles import Troubles
from orchestrator.sandbox.wire import Row, instance_row, offer_row

MOST_OFFERS = 64
USUAL_STORAGE_GB = 8.0
SEVERAL_S = (2.0, 4.0)
NO_FILTERS = frozenset({"order", "limit", "type", "allocated_storage", "disable_bundling"})


class Refusal(Exception):
    """An answer other than success, as the real cloud words it."""

    def __init__(self, status: int, error: str | None, msg: str, **more: object) -> None:
        super().__init__(msg)
        self.status = status
        self.body: dict[str, object] = {"success": False, **({"error": error} if error else {}), "msg": msg, **more}


@dataclass(slots=True, kw_only=True)
class SshKey:
    id: int
    text: str
    created: float


@dataclass(slots=True, kw_only=True)
class Cloud:
    """
    What one sandbox knows.

    Attributes:
        tasks: Machines live in it, longer than the request that ordered them.
        first_contract: Contracts are numbered from here; a later sandbox must not hand out the same numbers.
    """

    ground: Ground
    market: Market
    troubles: Troubles
    balance_usd: float
    first_contract: int
    tasks: asyncio.TaskGroup
    dice: random.Random
    bill: Bill = field(default_factory=Bill)
    machines: dict[int, Machine] = field(default_factory=dict)
    ssh_keys: dict[int, SshKey] = field(default_factory=dict)
    frozen_rows: list[Row] = field(default_factory=list)
    _numbers: int = 0
    _refusals: int = 0

    @property
    def now(self) -> float:
        return self.ground.now()

    @property
    def credit_usd(self) -> float:
        return self.balance_usd - self.bill.total_usd(self.now)

    def search(self, query: Mapping[str, Any]) -> list[Row]:
        """List the free rigs that pass the query's filters, priced with the disk that it names."""
        storage = float(query.get("allocated_storage") or USUAL_STORAGE_GB)
        is_bid = query.get("type") in {"bid", "interruptible"}
        offers = [offer_row(rig, storage_gb=storage, now=self.now, is_bid=is_bid) for rig in self.market.free()]
        filters = {column: tests for column, tests in query.items() if column not in NO_FILTERS}
        check_filters(filters)
        order = [(str(column), str(direction)) for column, direction in query.get("order") or [("score", "desc")]]
        found = ordered([row for row in offers if matches(row | _searchable(row), filters)], order)
        return found[: min(MOST_OFFERS, int(query.get("limit") or MOST_OFFERS))]

    def create(self, ask_id: int, order: Order) -> Machine:
        """
        Make a machine of an offer; it bills its disk from now on.

        Raises:
            Refusal: The offer is taken or never was, or there is no money.
        """
        rig = self.market.find(ask_id)
        if self.credit_usd <= 0 or self.troubles.take(Fault.NO_MONEY):
            raise Refusal(400, "insufficient_credit", "Your account lacks credit; see the billing page.")
        if rig is None or not rig.is_free or self.troubles.take(Fault.CREATE_NO_SUCH_ASK, host=rig.host_id):
            if rig is None or order.is_dropped_if_taken:
                raise self._no_such_ask(ask_id)
            order = replace(order, starts=False)
        if order.disk_gb > rig.disk_gb:
            raise Refusal(400, "invalid_args", f"Invalid args: disk {order.disk_gb} exceeds {rig.disk_gb} GB")
        machine = self._machine(rig, order)
        self._occupy(rig, machine)
        self.machines[machine.id] = machine
        self.bill.meters[machine.id] = machine.meter
        self.tasks.create_task(self._keep(machine))
        return machine

    def find(self, contract: int) -> Machine | None:
        """Find a machine that the cloud admits to have."""
        machine = self.machines.get(contract)
        return machine if machine is not None and machine.is_listed else None

    def destroy(self, machine: Machine) -> None:
        """Begin to end a machine; it stays listed until nothing of it is left, a fraction of a second."""
        if not self.troubles.take(Fault.DESTROY_IGNORED, machine=machine.id, host=machine.rig.host_id):
            machine.want(Wanted.GONE)

    def rows(self) -> list[Row]:
        """List the machines of the account at Vast, as it sees them at the moment."""
        credit = round(self.credit_usd, 4)
        listed = [each for each in self.machines.values() if each.is_listed and each.order.seller == VAST]
        return [instance_row(machine, now=self.now, credit=credit) for machine in listed]

    def freeze_rows(self) -> None:
        """Remember what is true now, for listings that will go on saying it."""
        self.frozen_rows = self.rows()

    def add_key(self, text: str) -> SshKey:
        key = SshKey(id=self.number(), text=text.strip(), created=self.now)
        self.ssh_keys[key.id] = key
        return key

    def number(self) -> int:
        """Give a number that nothing else of this sandbox has."""
        self._numbers += 1
        return self.first_contract + self._numbers

    def turn_up_later(self, machine: Machine) -> None:
        """Hide a machine for some seconds."""
        machine.is_listed = False
        self.tasks.create_task(self._turn_up(machine))

    async def end_all(self) -> None:
        """End every machine; returns when none is left."""
        for machine in self.machines.values():
            machine.want(Wanted.GONE)
        while self.machines:  # noqa: ASYNC110  (each ends by itself; this is the end of the sandbox)
            await asyncio.sleep(0.01)

    def _machine(self, rig: Rig, order: Order) -> Machine:
        faults = self.troubles.take_for_new_machine(host=rig.host, host_id=rig.host_id)
        factor = 2.0 if Fault.DEARER_THAN_OFFERED in faults else 1.0
        if rig.contracts:
            faults.add(Fault.OFFER_SOLD_TWICE)
        meter = Meter(
            gpu_usd_hour=(rig.dph_base if order.usd_hour is None else order.usd_hour) * factor,
            disk_usd_hour=storage_usd_hour(
                order.disk_gb, rig.storage_cost if order.storage_cost is None else order.storage_cost
            )
            * factor,
            started=self.now,
        )
        number = self.number()
        return Machine(
            id=number,
            rig=rig,
            order=order,
            meter=meter,
            ground=self.ground,
            dice=random.Random(self.dice.getrandbits(64)),
            account_keys=() if order.has_own_keys else tuple(key.text for key in self.ssh_keys.values()),
            faults=faults,
            wanted=Wanted.RUNNING if order.starts else Wanted.STOPPED,
        )

    def _occupy(self, rig: Rig, machine: Machine) -> None:
        rig.is_sold_twice = not rig.contracts and self.troubles.take(Fault.OFFER_SOLD_TWICE, host=rig.host_id)
        self.market.occupy(rig, machine.id)

    async def _keep(self, machine: Machine) -> None:
        try:
            await machine.live()
        finally:
            machine.meter.close(self.now)
            self.machines.pop(machine.id, None)
            self.market.release(machine.rig, machine.id)

    async def _turn_up(self, machine: Machine) -> None:
        await machine.wait(*SEVERAL_S)
        machine.is_listed = machine.wanted is not Wanted.GONE

    def _no_such_ask(self, ask_id: int) -> Refusal:
        """Word it in turn in each of the ways that have been seen."""
        self._refusals += 1
        gone = f"no_such_ask Instance type {ask_id} is no longer available."
        never = f"no_such_ask Instance type by id {ask_id} is not available."
        return (
            Refusal(404, "invalid_args", f"error 404/3603: {never}", ask_id=ask_id),
            Refusal(410, "no_such_ask", f"error 410/3907: {gone}", ask_id=ask_id),
            Refusal(400, "no_such_ask", f"error 400/3603: {never}", ask_id=ask_id),
        )[(self._refusals - 1) % 3]


def _searchable(row: Row) -> Row:
    """Add what can be searched for under another name or in another form than it is shown."""
    return {
        "id": None,  # seen on the real cloud: a filter on `id` finds nothing, `ask_contract_id` does
        "verified": row["verification"] == "verified",
        "external": bool(row["external"]),
        "datacenter": row["hosting_type"] == 1,
        "geolocation": str(row["geolocation"]).rpartition(", ")[2],
        "driver_version": row["driver_vers"],
        "cuda_vers": row["cuda_max_good"],
        "ubuntu_version": row["os_version"],
    }
