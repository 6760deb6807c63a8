"""Whether two names mean the same card: every cloud, and the driver itself, spells them differently."""

import re

_MODEL = re.compile(r"[a-z]*\d+")
_NO_MODEL = re.compile(r"(sxm|pcie|nvl|hbm)\d*|\d+(x|gb?|gib)|\d*x\d*")
VRAM_TOLERANCE = 0.9
"""Drivers keep a little for themselves, and clouds round."""


def is_same_gpu(ordered: str, found: str) -> bool:
    """
    Whether *found*, the driver's name, can be the card that was *ordered* under a cloud's name.

    Models are compared (``4090``, ``a100``), not how they are built in; ``RTX 4070S Ti`` and
    ``NVIDIA GeForce RTX 4070 Ti SUPER`` are told apart by their memory only. See :func:`has_vram`.
    """
    wanted = _models(ordered)
    if not wanted:
        return _squeezed(ordered) in _squeezed(found)
    return wanted <= _models(found)


def has_vram(ordered_mib: int, found_mib: int) -> bool:
    return found_mib >= ordered_mib * VRAM_TOLERANCE


def _models(name: str) -> frozenset[str]:
    words = (word for word in re.split(r"[^a-z0-9]+", name.lower()) if not _NO_MODEL.fullmatch(word))
    return frozenset(match.group() for word in words if (match := _MODEL.match(word)))


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
