"""Whether two names mean the same card: clouds and driver spell them differently. And what a driver can run."""

import re

_MODEL = re.compile(r"[a-z]*\d+")
_NO_MODEL = re.compile(r"(sxm|pcie|nvl|hbm)\d*|\d+(x|gb?|gib)|\d*x\d*")
VRAM_TOLERANCE = 0.9
"""Drivers keep a little for themselves, and clouds round."""

CUDA_OF_DRIVERS = (
    (580, 13.0),
    (575, 12.9),
    (570, 12.8),
    (565, 12.7),
    (560, 12.6),
    (555, 12.5),
    (550, 12.4),
    (545, 12.3),
    (535, 12.2),
    (530, 12.1),
    (525, 12.0),
    (520, 11.8),
)
"""Driver branches for Linux and the CUDA each came with, newest first: the CUDA Toolkit's release notes, table 3."""


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


def cuda_of(driver: str) -> float | None:
    """The newest CUDA that a driver such as ``570.172.08`` knows: 0 below the table, None where it does not say."""
    branch = re.match(r"(\d{3})(?=\.|$)", driver)
    if branch is None:
        return None
    return next((cuda for oldest, cuda in CUDA_OF_DRIVERS if int(branch.group(1)) >= oldest), 0.0)


def _models(name: str) -> frozenset[str]:
    words = (word for word in re.split(r"[^a-z0-9]+", name.lower()) if not _NO_MODEL.fullmatch(word))
    return frozenset(match.group() for word in words if (match := _MODEL.match(word)))


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
