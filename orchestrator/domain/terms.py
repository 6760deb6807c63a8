"""What things cost and take in a replay of a log."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    Attributes:
        bridge_usd: For a picture; None: there is no bridge.
        bridge_s: Until the bridge's picture is there.
        cold_start_s: From the order until the machine is ready; the first user measured 491.6.
        generate_s: For a picture on a machine.
        images_per_request: Pictures of one request.
    """

    gpu_usd_hour: float = 0.30
    bridge_usd: float | None = 0.003
    bridge_s: float = 4.0
    cold_start_s: float = 491.6
    generate_s: float = 14.4
    images_per_request: int = 1

    @property
    def gpu_usd_s(self) -> float:
        return self.gpu_usd_hour / 3600

    @property
    def paint_s(self) -> float:
        """For one request on a machine."""
        return self.generate_s * self.images_per_request
