"""
Types and machines as Lambda's API shows them, by its specification, version 1.8.3.

The cards are those of the sandbox's market, named the way that Lambda names types; no type has more than one.
"""

import math
from typing import Any

from orchestrator.sandbox.machine import Machine, Wanted
from orchestrator.sandbox.market import Gpu, Rig
from orchestrator.sandbox.sshd import LOOPBACK

Row = dict[str, Any]

REGIONS = {
    "us-east-1": "Virginia, USA",
    "us-west-1": "California, USA",
    "us-south-1": "Texas, USA",
    "us-midwest-1": "Illinois, USA",
    "europe-central-1": "Germany",
    "us-west-2": "Arizona, USA",
    "asia-south-1": "India",
    "us-east-2": "Washington DC, USA",
    "me-west-1": "Israel",
    "us-south-2": "North Texas, USA",
    "asia-northeast-1": "Osaka, Japan",
    "us-west-3": "Utah, USA",
    "us-south-3": "Central Texas, USA",
    "asia-northeast-2": "Tokyo, Japan",
    "us-east-3": "Washington DC, USA",
    "us-midwest-2": "Illinois, USA",
    "australia-east-1": "Australia",
}
STORAGE_GIB = 200
PORT_TAG = "sandbox-ssh-port"
"""Where a machine's SSH is: on one computer not all can have port 22."""


def type_name(gpu: Gpu) -> str:
    return f"gpu_1x_{gpu.name.lower().replace(' ', '')}"


def cents_an_hour(gpu: Gpu) -> int:
    return math.ceil(gpu.usd_hour * 100)


def region_of(rig: Rig) -> str:
    return tuple(REGIONS)[rig.index % len(REGIONS)]


def region_row(name: str) -> Row:
    return {"name": name, "description": REGIONS[name]}


def type_row(gpu: Gpu) -> Row:
    card = f"{gpu.name} ({round(gpu.ram_mb / 1024)} GB)"
    return {
        "name": type_name(gpu),
        "description": f"1x {card}",
        "gpu_description": card,
        "price_cents_per_hour": cents_an_hour(gpu),
        "specs": {"vcpus": 14, "memory_gib": 64, "storage_gib": STORAGE_GIB, "gpus": 1},
    }


def status_of(machine: Machine) -> str:
    """What the sandbox says of a container, as Lambda would of a virtual machine."""
    if machine.wanted is Wanted.GONE:
        return "terminating"
    match machine.status:
        case "running":
            return "active"
        case "exited" | "offline":
            return "unhealthy"
        case "created" if machine.message:
            return "unhealthy"
        case _:
            return "booting"


def actions_row(status: str) -> Row:
    if status in {"active", "unhealthy"}:
        yes = {"available": True}
        return dict.fromkeys(("migrate", "rebuild", "restart", "cold_reboot", "terminate"), yes)
    code = "vm-is-terminating" if status == "terminating" else "vm-has-not-launched"
    no = {"available": False, "reason_code": code, "reason_description": "Not in its current state."}
    return dict.fromkeys(("migrate", "rebuild", "restart", "cold_reboot", "terminate"), no)


def instance_row(machine: Machine, *, ref: str, order: Row, status: str, has_address: bool) -> Row:
    """Describe a machine: what is not known yet is not there, instead of being null."""
    tags = list(order.get("tags", []))
    row: Row = {
        "id": ref,
        "status": status,
        "ssh_key_names": order["ssh_key_names"],
        "file_system_names": order.get("file_system_names", []),
        "region": region_row(region_of(machine.rig)),
        "instance_type": type_row(machine.rig.gpu),
        "actions": actions_row(status),
    }
    for name in ("name", "hostname"):
        if name in order:
            row[name] = order[name]
    if has_address:
        tags.append({"key": PORT_TAG, "value": str(machine.ssh_port)})
        row |= {
            "ip": LOOPBACK,
            "private_ip": LOOPBACK,
            "jupyter_token": machine.key,
            "jupyter_url": f"https://jupyter-{ref}.lambdaspaces.com/?token={machine.key}",
        }
    return row | ({"tags": tags} if tags else {})
