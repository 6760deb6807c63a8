"""RunPod's GraphQL: what its own client asks for, and what a pod's own key may do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.machine import Machine, Wanted
from orchestrator.sandbox.runpod.catalog import COMMUNITY, MIB, SECURE, TIERS, Shelf, shelves
from orchestrator.sandbox.runpod.graphql import GraphqlError, Selection, parse, shaped
from orchestrator.sandbox.runpod.pods import Pods, Problem, Row, Wish, pod_id, ports_of
from orchestrator.sandbox.sshd import LOOPBACK

WORDS = {"NONE": None, "LOW": "Low", "MEDIUM": "Medium", "HIGH": "High"}
NOT_AUTHORIZED = "Not authorized to perform this operation."
NO_SUCH_POD = "pod not found to terminate"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphqlApi:
    """
    Attributes:
        pods: The same that REST shows.
    """

    pods: Pods

    def answer(self, query: str, *, owner: Machine | None, has_account: bool) -> Row:
        """
        Answer one operation: errors come as data, with status 200.

        Args:
            owner: Whose key it was, if a pod's.
            has_account: Whether it was the account's key; without any key, prices are told and nothing else.
        """
        try:
            data: dict[str, Any] = {}
            for field in parse(query):
                resolve = self._resolver(field.name, owner=owner, has_account=has_account)
                data[field.name] = shaped(resolve(field), field.fields)
        except GraphqlError as error:
            return {"errors": [{"message": str(error)}], "data": None}
        except Problem as problem:
            return {"errors": [{"message": str(problem)}], "data": None}
        return {"data": data}

    def _resolver(self, name: str, *, owner: Machine | None, has_account: bool) -> Callable[[Selection], Any]:
        for_all = {"gpuTypes": self._gpu_types}
        for_pods = {"podTerminate": self._terminate, "podStop": self._stop}
        for_accounts = {
            "myself": self._myself,
            "pod": self._pod,
            "podFindAndDeployOnDemand": self._deploy,
            "podResume": self._resume,
        }
        if name not in {**for_all, **for_pods, **for_accounts}:
            raise GraphqlError(f'Cannot query field "{name}".')
        if name in for_all:
            return for_all[name]
        if has_account:
            return {**for_pods, **for_accounts}[name]
        if owner is None or name in for_accounts:
            raise GraphqlError(NOT_AUTHORIZED)

        def own(field: Selection) -> Any:
            if _input(field).get("podId") != pod_id(owner.id):
                raise GraphqlError(NOT_AUTHORIZED)
            return for_pods[name](field)

        return own

    def _gpu_types(self, field: Selection) -> list[Row]:
        wanted = _input(field).get("id")
        kinds = shelves(self.pods.cloud)
        return [_gpu_type(gpu, kinds) for gpu in sorted({kind.gpu_id for kind in kinds}) if wanted in {None, gpu}]

    def _myself(self, field: Selection) -> Row:  # noqa: ARG002 - it takes no arguments
        cloud, machines = self.pods.cloud, self.pods.all()
        return {
            "id": "user_sandbox",
            "email": "nobody@example.com",
            "pubKey": "",
            "networkVolumes": [
                {"id": each.id, "name": each.name, "size": 100, "dataCenterId": each.data_center}
                for each in self.pods.volumes.values()
            ],
            "clientBalance": round(cloud.credit_usd, 4),
            "currentSpendPerHr": round(sum(machine.meter.usd_hour for machine in machines), 4),
            "spendLimit": 80,
            "pods": [self._row(machine) for machine in machines],
        }

    def _pod(self, field: Selection) -> Row | None:
        try:
            return self._row(self.pods.find(str(_input(field).get("podId"))))
        except Problem:
            return None

    def _deploy(self, field: Selection) -> Row:
        wanted = _input(field)
        tier = wanted.get("cloudType", "ALL")
        versions = [float(version) for version in wanted.get("allowedCudaVersions") or ()]
        wish = Wish(
            name=str(wanted.get("name") or ""),
            image=str(wanted.get("imageName") or ""),
            gpu=str(wanted.get("gpuTypeId") or ""),
            tiers=TIERS if tier == "ALL" else (str(tier),),
            disk_gb=int(wanted.get("containerDiskInGb") or 10),
            env={pair["key"]: pair["value"] for pair in wanted.get("env") or ()},
            ports=tuple(part for part in str(wanted.get("ports") or "").split(",") if part),
            args=str(wanted.get("dockerArgs") or ""),
            min_cuda=min(versions, default=0.0),
        )
        return self._row(self.pods.create(wish))

    def _terminate(self, field: Selection) -> None:
        try:
            self.pods.end(self.pods.find(str(_input(field).get("podId"))))
        except Problem as problem:
            raise GraphqlError(NO_SUCH_POD) from problem

    def _stop(self, field: Selection) -> Row:
        return self._wanted(field, Wanted.STOPPED)

    def _resume(self, field: Selection) -> Row:
        return self._wanted(field, Wanted.RUNNING)

    def _wanted(self, field: Selection, wanted: Wanted) -> Row:
        machine = self.pods.find(str(_input(field).get("podId")))
        machine.want(wanted)
        return self._row(machine)

    def _row(self, machine: Machine) -> Row:
        """Describe a pod as GraphQL does: its only status is a wish."""
        wish, pods = self.pods.wishes[machine.id], self.pods
        runs = pods.status(machine) == "RUNNING"
        ports = [
            {"ip": LOOPBACK, "isIpPublic": True, "privatePort": 22, "publicPort": port["public"], "type": "tcp"}
            for port in ports_of(machine, wish)
        ]
        return {
            "id": pod_id(machine.id),
            "containerDiskInGb": wish.disk_gb,
            "costPerHr": round(machine.meter.gpu_usd_hour, 6),
            "desiredStatus": "EXITED" if machine.wanted is Wanted.STOPPED else "RUNNING",
            "dockerArgs": wish.args,
            "dockerId": None,
            "env": [f"{name}={value}" for name, value in wish.env.items()],
            "gpuCount": 0 if machine.id in pods.bare else 1,
            "imageName": wish.image,
            "lastStatusChange": "Rented by User",
            "machineId": f"m{machine.rig.id}",
            "memoryInGb": machine.rig.cpu_ram_mb // MIB,
            "name": wish.name,
            "podType": "RESERVED",
            "port": None,
            "ports": ",".join(wish.ports),
            "uptimeSeconds": max(0, int(pods.cloud.now - machine.meter.started)) if runs else 0,
            "vcpuCount": machine.rig.cpu_cores,
            "volumeInGb": 0,
            "volumeMountPath": None,
            "runtime": {"ports": ports} if runs else None,
            "machine": {"gpuDisplayName": machine.rig.gpu.name, "podHostId": f"{pod_id(machine.id)}-64411eb2"},
        }


def _input(field: Selection) -> Mapping[str, Any]:
    given = field.arguments.get("input")
    return given if isinstance(given, dict) else {}


def _gpu_type(gpu_id: str, kinds: list[Shelf]) -> Row:
    own = {kind.tier: kind for kind in kinds if kind.gpu_id == gpu_id}
    some = next(iter(own.values()))
    prices = {tier: own[tier].usd_hour if tier in own else None for tier in TIERS}
    best = max(own.values(), key=lambda kind: len(kind.rigs))
    return {
        "id": gpu_id,
        "displayName": some.name,
        "manufacturer": "Nvidia",
        "memoryInGb": some.memory_gb,
        "cudaCores": 0,
        "maxGpuCount": 1,
        "secureCloud": SECURE in own,
        "communityCloud": COMMUNITY in own,
        "securePrice": prices[SECURE],
        "communityPrice": prices[COMMUNITY],
        "oneMonthPrice": None,
        "threeMonthPrice": None,
        "oneWeekPrice": None,
        "communitySpotPrice": None,
        "secureSpotPrice": None,
        "lowestPrice": {
            "stockStatus": WORDS[best.stock],
            "minimumBidPrice": None,
            "uninterruptablePrice": min(price for price in prices.values() if price is not None),
            "availableGpuCounts": [1],
            "minVcpu": 8,
            "minMemory": 32,
        },
    }
