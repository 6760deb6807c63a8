"""The money model once more, as plainly as can be: what somebody pays who does what they are told at each request."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from orchestrator.domain.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """At one request: whether to have a machine, and for how long to keep one after it."""

    at: float
    rents: bool
    keep_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """
    Attributes:
        rush_usd: Of the sum, what the bridge took for requests that came while a machine was starting.
    """

    usd: float
    rush_usd: float


def paid(told: Iterable[Told], terms: Terms) -> Paid:
    """One person's dollars with a bridge, until their last machine is given back."""
    machine_s, bridged, rushed = 0.0, 0, 0
    ordered, ends, free = 0.0, -inf, 0.0
    for request in told:
        if ends <= request.at and ends > -inf:
            machine_s, ends = machine_s + ends - ordered, -inf
        is_new = ends == -inf and request.rents
        if is_new:
            ordered = free = request.at
        if ends > -inf and request.at >= ordered + terms.cold_start_s:
            free = max(free, request.at) + terms.paint_s
        else:
            bridged += 1
            rushed += ends > -inf
        if is_new or ends > -inf:
            ends = max(request.at + request.keep_s, free)
    if ends > -inf:
        machine_s += ends - ordered
    price = (terms.bridge_usd or 0.0) * terms.images_per_request
    return Paid(usd=terms.gpu_usd_s * machine_s + bridged * price, rush_usd=rushed * price)
