"""
The first user's cold start, scaled down: his bytes, his speeds and his seconds, each by a known factor.

Every figure is of shared measurements: his one run that worked (2026-02), and runs of the same files on rented machines
that others published (2026-05), where five connections carried 350 MB/s beside a UNet that crawled at 65.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PROVISION_S = 0.7
SSH_S = 21.6
CLONE_S = 2.4
TORCH_S = 46.4
REQUIREMENTS_S = 20.3
UNET_S = 368.2
GENERATION_S = 14.4
TOTAL_S = 491.6
COMFYUI_S = TOTAL_S - (PROVISION_S + SSH_S + CLONE_S + TORCH_S + REQUIREMENTS_S + UNET_S + GENERATION_S)
"""What his table leaves: until ComfyUI answers. Others measured 16 s."""
PAINT_S = 2.8
"""A warm picture, on a card of the same class; the rest of his generation is loading."""

FILES: Mapping[str, int] = {
    "unet/flux1-schnell.safetensors": 23_782_506_688,
    "clip/t5xxl_fp16.safetensors": 9_787_841_024,
    "loras/b0throps.safetensors": 328_000_000,
    "vae/ae.safetensors": 335_304_388,
    "clip/clip_l.safetensors": 246_144_152,
}
CONNECTION_BPS = FILES["unet/flux1-schnell.safetensors"] / UNET_S
MIRROR_BPS = 250e6
"""Of all connections to one mirror: two are needed to fill the wire."""
WIRE_BPS = 350e6

LINK_SAMPLE = 32 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """
    Attributes:
        time: Seconds that become one. What costs the same on every machine, such as a login, weighs so much more here.
        speed: By how much links are slower, so that two cores carry them with ease.
    """

    time: float
    speed: float

    def seconds(self, true_s: float) -> float:
        return true_s / self.time

    def bps(self, true_bps: float) -> int:
        return round(true_bps / self.speed)

    def size(self, true_bytes: int) -> int:
        return round(true_bytes / (self.time * self.speed))

    @property
    def limit_s(self) -> float:
        """Nothing on such a machine is quicker: boot, then the wire or the installing, then load and paint."""
        wire = sum(FILES.values()) / WIRE_BPS
        install = CLONE_S + TORCH_S + REQUIREMENTS_S + COMFYUI_S
        return self.seconds(PROVISION_S + SSH_S + max(wire, install) + GENERATION_S)
