"""What is known of a card by its name alone, where nobody says more: its memory, and what it can compute."""

import re
from dataclasses import dataclass

_MAKERS_WORDS = re.compile(r"\b(nvidia|geforce|quadro|tesla)\b|[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """
    One model of card.

    Attributes:
        vram_gib: The smallest memory that it is sold with.
        compute_capability: As NVIDIA numbers generations, such as 8.6; bf16 needs 8.0.
    """

    vram_gib: int
    compute_capability: float


# Memory: NVIDIA's data sheets. Compute capability: developer.nvidia.com/cuda-gpus and, of older ones, cuda-legacy-gpus.
_CARDS = {
    "gtx1080ti": (11, 6.1),
    "p40": (24, 6.1),
    "p100": (12, 6.0),
    "v100": (16, 7.0),
    "t4": (16, 7.5),
    "rtx2080ti": (11, 7.5),
    "titanrtx": (24, 7.5),
    "rtx6000": (24, 7.5),
    "rtx8000": (48, 7.5),
    "rtx3060": (12, 8.6),
    "rtx3080": (10, 8.6),
    "rtx3080ti": (12, 8.6),
    "rtx3090": (24, 8.6),
    "rtx3090ti": (24, 8.6),
    "rtxa4000": (16, 8.6),
    "rtxa5000": (24, 8.6),
    "rtxa6000": (48, 8.6),
    "a6000": (48, 8.6),
    "a10": (24, 8.6),
    "a40": (48, 8.6),
    "a100": (40, 8.0),
    "rtx4060ti": (8, 8.9),
    "rtx4070": (12, 8.9),
    "rtx4070ti": (12, 8.9),
    "rtx4070tisuper": (16, 8.9),
    "rtx4080": (16, 8.9),
    "rtx4080super": (16, 8.9),
    "rtx4090": (24, 8.9),
    "rtx6000ada": (48, 8.9),
    "l4": (24, 8.9),
    "l40": (48, 8.9),
    "l40s": (48, 8.9),
    "h100": (80, 9.0),
    "h200": (141, 9.0),
    "gh200": (96, 9.0),
    "b200": (180, 10.0),
    "b300": (270, 10.3),
    "rtx5070ti": (16, 12.0),
    "rtx5080": (16, 12.0),
    "rtx5090": (32, 12.0),
    "rtxpro6000": (96, 12.0),
}


def card_of(name: str) -> Card | None:
    """Find a card by its name as people, clouds or drivers write it; None when it is none that is known here."""
    known = _CARDS.get(_MAKERS_WORDS.sub("", name.lower()))
    return None if known is None else Card(vram_gib=known[0], compute_capability=known[1])
