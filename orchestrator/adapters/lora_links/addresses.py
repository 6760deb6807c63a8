"""
Which network addresses a stranger's link may lead us to, and a connection to just those.

A name can be looked up twice with two answers (DNS rebinding): so it is looked up once, every address of the answer is
checked, and the connection goes to those addresses whatever the name says by then.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

from aiohttp.abc import AbstractResolver, ResolveResult

LookUp = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""The addresses of a host at a port, as text."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: the last four bytes are an IPv4 address, to which a gateway leads."""

SITE_LOCAL = ipaddress.ip_network("fec0::/10")
"""RFC 3879: no longer used, and never public."""

COMPATIBLE = ipaddress.ip_network("::/96")
"""RFC 4291, 2.5.5.1: an IPv4 address in the old form."""


async def look_up(host: str, port: int) -> tuple[str, ...]:
    """
    Ask the system's resolver.

    Raises:
        OSError: It knows no such host.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether *address* is one of the open internet: not ours, not our network's, not a cloud's own service."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64:
            return is_public(str(ipaddress.IPv4Address(ip.packed[12:])))
        wraps_another = ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip in COMPATIBLE or ip in SITE_LOCAL
        if wraps_another or ip.scope_id:
            return False
    return ip.is_global and not ip.is_multicast


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class Pinned(AbstractResolver):
    """Answers every question with the addresses that were checked."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - each address has its own
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""
