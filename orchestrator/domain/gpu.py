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

CAPABILITIES = (
    (r"\b(b300|gb300)\b", 10.3),
    (r"\b(b200|gb200)\b", 10.0),
    (r"\brtx pro \d{4}|\bblackwell\b|\brtx 50[5-9]0", 12.0),
    (r"\b(h100|h200|gh200|h800)\b", 9.0),
    (r"\b(l4|l40s?)\b|\b\d{4} (sff )?ada\b|\brtx 40[5-9]0", 8.9),
    (r"\b(a100|a800|a30)\b", 8.0),
    (r"\b(a2|a10g?|a16|a40)\b|\brtx a\d{4}\b|\brtx 30[5-9]0", 8.6),
    (r"\bt4\b|\bquadro rtx\b|\brtx [68]000\b|\brtx 20[6-8]0|\bgtx 16\d\d", 7.5),
    (r"\bv100\b|\btitan v\b", 7.0),
    (r"\bp100\b", 6.0),
    (r"\bp\d0\b|\bgtx 10\d\d", 6.1),
)
"""Compute capabilities by a card's name, the first that fits: developer.nvidia.com/cuda-gpus and its legacy page."""


def capability_of(name: str) -> float:
    """The compute capability of a card, however a cloud spells its name; 0 where the name is new to us."""
    words = " ".join(re.split(r"[^a-z0-9]+", name.lower()))
    return next((capability for pattern, capability in CAPABILITIES if re.search(pattern, words)), 0.0)


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
