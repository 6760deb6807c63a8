"""What machines cost here: GPU per second while they run, disk from the order until they are destroyed."""

from dataclasses import dataclass, field

HOURS_PER_MONTH = 720
HOUR_S = 3600


def storage_usd_hour(disk_gb: float, storage_cost: float) -> float:
    """Turn a price per GB and month into one per hour."""
    return disk_gb * storage_cost / HOURS_PER_MONTH


@dataclass(slots=True, kw_only=True)
class Meter:
    """One machine's costs; times are seconds since the epoch."""

    gpu_usd_hour: float
    disk_usd_hour: float
    started: float
    ended: float | None = None
    _running_since: float | None = None
    _ran_s: float = 0.0

    @property
    def usd_hour(self) -> float:
        return self.gpu_usd_hour + self.disk_usd_hour

    def run(self, now: float) -> None:
        """Bill the GPU from now on."""
        if self._running_since is None and self.ended is None:
            self._running_since = now

    def rest(self, now: float) -> None:
        """Bill the disk alone from now on."""
        if self._running_since is not None:
            self._ran_s += now - self._running_since
            self._running_since = None

    def close(self, now: float) -> None:
        """End the bill; silent when it is ended."""
        self.rest(now)
        if self.ended is None:
            self.ended = now

    def usd(self, now: float) -> float:
        ran_s = self._ran_s + (now - self._running_since if self._running_since is not None else 0.0)
        lived_s = (self.ended if self.ended is not None else now) - self.started
        return (self.gpu_usd_hour * ran_s + self.disk_usd_hour * lived_s) / HOUR_S


@dataclass(slots=True)
class Bill:
    """All meters of one sandbox, those of ended machines too."""

    meters: dict[int, Meter] = field(default_factory=dict)

    def total_usd(self, now: float) -> float:
        return sum(meter.usd(now) for meter in self.meters.values())

    def as_json(self, now: float) -> dict[str, object]:
        machines = [
            {"id": machine, "usd": round(meter.usd(now), 8), "from": meter.started, "to": meter.ended}
            for machine, meter in self.meters.items()
        ]
        return {"machines": machines, "total_usd": round(self.total_usd(now), 8)}
