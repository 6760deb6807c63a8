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


def launch_key(installation: InstallationId, epoch: int, instance: InstanceId) -> LaunchKey:
    """
    Name an order so that any later start can tell whose it is.

    Args:
        epoch: How many times this installation has been started; a copy restored from a backup starts lower.
    """
    return LaunchKey(f"{LABEL_PREFIX}-{installation}-{epoch}-{instance}")


def installation_of(label: str) -> InstallationId | None:
    """Say which installation wrote *label*, or None when it is not one of ours."""
    parts = label.split("-")
    if len(parts) != 4 or parts[0] != LABEL_PREFIX or not parts[2].isdecimal():
        return None
    return InstallationId(parts[1])
