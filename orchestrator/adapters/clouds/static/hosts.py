"""The machines that somebody owns, as one line of the settings names them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.domain.cards import vram_gib_of
from orchestrator.domain.instance import Address

SETTING = "GLOWPLUG_STATIC_HOSTS"
SSH_PORT = 22
_ENTRY = re.compile(
    r"(?:(?P<user>[A-Za-z_][A-Za-z0-9_.-]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)"
    r"(?::(?P<port>\d{1,5}))?"
    r"=(?P<gpu>[A-Za-z0-9][A-Za-z0-9 ._-]*?)(?: +(?P<gib>\d{1,4}) ?Gi?B)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticHost:
    """
    One machine.

    Attributes:
        name: Address and port: what it is called here and in its lease.
        gpu: The card as its owner calls it.
    """

    name: str
    address: Address
    gpu: str
    vram_mib: int


def parse_hosts(text: str) -> Mapping[str, StaticHost]:
    """
    Read the setting: ``user@host:port=card``, several with commas; user and port may be left out (root, 22).

    Raises:
        ValueError: An entry cannot be read; one sentence says which, and how it should look.
    """
    hosts: dict[str, StaticHost] = {}
    for entry in _entries(text):
        host = _host(entry)
        if host.name in hosts:
            raise ValueError(f"{SETTING}: {host.name} is there twice; a machine works for one session at a time")
        hosts[host.name] = host
    if not hosts:
        raise ValueError(f"{SETTING} names no machine; write one such as root@10.0.0.5:22=RTX 3090")
    return hosts


def _entries(text: str) -> Iterable[str]:
    return filter(None, (entry.strip() for entry in text.split(",")))


def _host(entry: str) -> StaticHost:
    parts = _ENTRY.fullmatch(entry)
    port = int(parts["port"] or SSH_PORT) if parts else 0
    if parts is None or not 0 < port < 2**16:
        raise ValueError(f"{SETTING}: {entry!r} cannot be read; write it such as root@10.0.0.5:22=RTX 3090")
    gpu = parts["gpu"].strip()
    gib = int(parts["gib"]) if parts["gib"] else vram_gib_of(gpu)
    if not gib:
        raise ValueError(
            f"{SETTING}: how much memory {gpu!r} has is not known here; write it behind the name, such as {gpu} 24GB"
        )
    address = Address(host=parts["host"].strip("[]"), port=port, user=parts["user"] or "root")
    return StaticHost(name=f"{parts['host']}:{port}", address=address, gpu=gpu, vram_mib=gib * 1024)
