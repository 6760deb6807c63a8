"""The JSON of our own app on Modal (``deploy/modal_app.py``) <-> our values, and what its machine costs."""

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from orchestrator.domain.money import MicroUsd
from orchestrator.domain.workflows import Graph

GPU_RATES: Mapping[str, float] = {
    "T4": 164,
    "L4": 222,
    "A10": 306,
    "A10G": 306,
    "L40S": 542,
    "A100": 583,
    "A100-40GB": 583,
    "A100-80GB": 694,
    "RTX-PRO-6000": 842,
    "H100": 1_097,
    "H200": 1_261,
    "B200": 1_736,
}
"""
Micro-dollars a second (modal.com/pricing of 2026-07 as third parties keep it; the L40S also on modal.com/blog).

A pinned region costs 1.5 to 1.75 times as much, which nobody tells us: it is not in here.
"""

CORE_RATE, GIB_RATE = 13.1, 2.22
"""Micro-dollars a second of a physical core and of a GiB of memory, from the same list."""


class Machine(BaseModel):
    """
    What the painter has; the list's dearest GPU where its name is not on it.

    Attributes:
        window_s: How long it is kept warm, and billed, when nobody asks.
    """

    gpu: str = "L40S"
    cores: float = Field(2.0, ge=0, le=1_000)
    gib: float = Field(24.0, ge=0, le=10_000)
    window_s: float = Field(120.0, ge=0, le=86_400)

    @property
    def rate(self) -> float:
        """Micro-dollars a second."""
        name, _, count = self.gpu.upper().rstrip("!").partition(":")
        gpus = int(count) if count.isascii() and count.isdecimal() and len(count) < 3 else 1
        gpu = GPU_RATES.get(name, max(GPU_RATES.values()))
        return gpus * gpu + self.cores * CORE_RATE + self.gib * GIB_RATE

    def cost(self, seconds: float) -> MicroUsd:
        return MicroUsd(math.ceil(round(self.rate * seconds, 6)))


class About(BaseModel):
    """What ``GET /`` says."""

    app: str
    machine: Machine
    missing: list[str] = []


class Complaint(BaseModel):
    kind: str
    message: str = ""
    detail: Any = None


class Outcome(BaseModel):
    """What an order came to."""

    pictures: list[str] = []
    error: Complaint | None = None
    seconds: float = Field(0.0, ge=0, le=86_400)
    machine: Machine = Machine()

    @property
    def cost(self) -> MicroUsd:
        return self.machine.cost(self.seconds)

    def decoded(self) -> tuple[bytes, ...]:
        """Raises ValueError: One is not base64."""
        try:
            return tuple(base64.b64decode(each, validate=True) for each in self.pictures)
        except binascii.Error as error:
            raise ValueError("not base64") from error


def order_body(name: str, graph: Graph, images: Mapping[str, bytes]) -> dict[str, Any]:
    encoded = {each: base64.b64encode(content).decode() for each, content in images.items()}
    return {"id": name, "graph": graph, "images": encoded}


def about_of(body: object) -> About | None:
    """What the app says of itself; None when that is not our app."""
    try:
        about = About.model_validate(body)
    except ValidationError:
        return None
    return about if about.app == "glowplug" else None


def outcome_of(body: object) -> Outcome | None:
    """What became of an order; None when that is not what our app says."""
    try:
        outcome = Outcome.model_validate(body)
    except ValidationError:
        return None
    return outcome if isinstance(body, dict) and ("pictures" in body or "error" in body) else None


def lacks_file(detail: object) -> tuple[str, bool]:
    """Name the file that ComfyUI misses, when that is why it refuses the graph; and whether that is a mere LoRA."""
    nodes = detail.get("node_errors") if isinstance(detail, dict) else None
    for node in nodes.values() if isinstance(nodes, dict) else ():
        kind = str(node.get("class_type")) if isinstance(node, dict) else ""
        errors = node.get("errors") if "Load" in kind else ()
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, dict) and error.get("type") == "value_not_in_list":
                extra = error.get("extra_info")
                name = extra.get("received_value") if isinstance(extra, dict) else None
                return name if isinstance(name, str) and name else "a model", "Lora" in kind
    return "", False
