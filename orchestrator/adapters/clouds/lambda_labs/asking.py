"""What we say to the cloud, in its words."""

import hashlib
from typing import Any

from orchestrator.domain.ids import LaunchKey, OfferId
from orchestrator.ports.cloud import LaunchOrder

LABEL_TAG = "glowplug"
LONGEST_NAME = 64
"""Of a machine and of an SSH key, in characters."""

# Shared memory of a person's is thrown away when their last login ends (logind's RemoveIPC), also while ComfyUI runs
# on without a login of ours. It is not while they linger.
USER_DATA = """\
#cloud-config
runcmd:
- [loginctl, enable-linger, ubuntu]
"""


def place_of(offer: OfferId) -> tuple[str, str, list[str]]:
    """
    Say which type and region an offer of ours is for, and with which file systems.

    Raises:
        ValueError: It is none of ours.
    """
    type_name, region, *file_systems = offer.split("/")
    return type_name, region, file_systems


def order_body(offer: OfferId, key: LaunchKey, ssh_key_name: str) -> dict[str, Any]:
    """
    Order one machine.

    The label is in two places: people may rename a machine on Lambda's page, and tags are new there. No image is
    named: the default has the driver, Python and git, and a container's would say nothing to a virtual machine.
    """
    type_name, region, file_systems = place_of(offer)
    return {
        "region_name": region,
        "instance_type_name": type_name,
        "ssh_key_names": [ssh_key_name],
        "name": key[:LONGEST_NAME],
        "tags": [{"key": LABEL_TAG, "value": key}],
        "user_data": USER_DATA,
        **({"file_system_names": file_systems} if file_systems else {}),
    }


def plain_key(order: LaunchOrder) -> str:
    """
    Reduce the order's key to its type and its data: comments differ from place to place.

    Raises:
        ValueError: It is no public key.
    """
    parts = order.ssh_public_key.split()
    if len(parts) < 2 or not parts[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise ValueError("not a public key in OpenSSH's format")
    return f"{parts[0]} {parts[1]}"


def key_body(ssh_key: str) -> dict[str, Any]:
    """Name a key after what is in it: two installations of one account have two keys, and neither is in the way."""
    return {"name": f"glowplug-{hashlib.sha256(ssh_key.encode()).hexdigest()[:16]}", "public_key": ssh_key}
