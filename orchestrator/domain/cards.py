"""How much memory a card has, by its name alone, where nobody says more."""

import re

_MAKERS_WORDS = re.compile(r"\b(nvidia|geforce|quadro|tesla)\b|[^a-z0-9]+")

VRAM_GIB = {
    "gtx1080ti": 11,
    "p40": 24,
    "p100": 12,
    "v100": 16,
    "t4": 16,
    "rtx2080ti": 11,
    "titanrtx": 24,
    "rtx6000": 24,
    "rtx8000": 48,
    "rtx3060": 12,
    "rtx3080": 10,
    "rtx3080ti": 12,
    "rtx3090": 24,
    "rtx3090ti": 24,
    "rtxa4000": 16,
    "rtxa5000": 24,
    "rtxa6000": 48,
    "a6000": 48,
    "a10": 24,
    "a40": 48,
    "a100": 40,
    "rtx4060ti": 8,
    "rtx4070": 12,
    "rtx4070ti": 12,
    "rtx4070tisuper": 16,
    "rtx4080": 16,
    "rtx4080super": 16,
    "rtx4090": 24,
    "rtx6000ada": 48,
    "l4": 24,
    "l40": 48,
    "l40s": 48,
    "h100": 80,
    "h200": 141,
    "b200": 180,
    "b300": 270,
    "rtx5060ti": 8,
    "rtx5070": 12,
    "rtx5070ti": 16,
    "rtx5080": 16,
    "rtx5090": 32,
    "rtxpro6000": 96,
}
"""The smallest memory that each is sold with: NVIDIA's data sheets."""


def vram_gib_of(name: str) -> int | None:
    """Find a card by its name as people, clouds or drivers write it; None when it is none that is known here."""
    return VRAM_GIB.get(_MAKERS_WORDS.sub("", name.lower()))
