"""The names of things. One NewType each, because mixing up our id and the cloud's is the classic bug of this field."""

from typing import NewType

UserId = NewType("UserId", str)
"""A person on one surface, such as ``web:ada``; whatever was linked shares one."""

SessionId = NewType("SessionId", str)
JobId = NewType("JobId", str)
InstanceId = NewType("InstanceId", str)

LaunchKey = NewType("LaunchKey", str)
"""Our own label on an order, written to the store before the order is sent. See :func:`launch_key`."""

CloudName = NewType("CloudName", str)
CloudRef = NewType("CloudRef", str)
"""What the cloud calls a machine that we ordered."""

OfferId = NewType("OfferId", str)
MachineId = NewType("MachineId", str)
"""The cloud's name of the physical machine behind an offer."""

HostId = NewType("HostId", str)
"""The cloud's name of whoever owns that machine: one host may own many."""

ImageKey = NewType("ImageKey", str)
WorkflowName = NewType("WorkflowName", str)
InstallationId = NewType("InstallationId", str)
PromptId = NewType("PromptId", str)
"""The id that we give to ComfyUI for one attempt of a job."""

LABEL_PREFIX = "glowplug"
EPOCH_DIGITS = 12
"""More than any clock shows: whoever wrote a longer number was not us."""


def launch_key(installation: InstallationId, epoch: int, instance: InstanceId) -> LaunchKey:
    """
    Name an order so that any later start can tell whose it is.

    Args:
        epoch: When this life of the installation began; a later one has a higher number.
    """
    return LaunchKey(f"{LABEL_PREFIX}-{installation}-{epoch}-{instance}")


def installation_of(label: str) -> InstallationId | None:
    """Say which installation wrote *label*, or None when it is not one of ours."""
    parts = _parts(label)
    return None if parts is None else InstallationId(parts[1])


def epoch_of(label: str) -> int | None:
    """Say in which life of its installation *label* was written, or None when it is not one of ours."""
    parts = _parts(label)
    return None if parts is None else int(parts[2])


def _parts(label: str) -> list[str] | None:
    parts = label.split("-")
    is_ours = len(parts) == 4 and parts[0] == LABEL_PREFIX and parts[2].isascii() and parts[2].isdecimal()
    return parts if is_ours and len(parts[2]) <= EPOCH_DIGITS else None
