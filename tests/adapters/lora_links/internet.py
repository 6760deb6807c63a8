"""
A small internet on this computer: names, the addresses they have, and https servers behind them.

127.0.0.1 stands for the open internet, 127.0.0.2 for what must not be reached. Both serve the same.
"""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.adapters.lora_links.files import LinkedLoras, LinkLimits, Mirrors

OUTSIDE, INSIDE = "127.0.0.1", "127.0.0.2"
NAME, OTHER = "models.example", "other.example"
LORA = ("unet.0.lora_A.weight", "unet.0.lora_B.weight")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True)
class Internet:
    """
    Attributes:
        port: Of the servers at both addresses.
        answers: What a name has, one answer a look-up; the last one stays.
        looked_up: Every name that was asked for.
        reached: The address and path of everything that came to a server.
        pages: What they serve, by path.
    """

    trusted: ssl.SSLContext
    port: int = 0
    pages: dict[str, Handler] = field(default_factory=dict)
    answers: dict[str, list[tuple[str, ...]]] = field(default_factory=lambda: {NAME: [(OUTSIDE,)], OTHER: [(OUTSIDE,)]})
    looked_up: list[str] = field(default_factory=list)
    reached: list[tuple[str, str]] = field(default_factory=list)

    def files(self, limits: LinkLimits | None = None, mirrors: Mirrors = frozenset()) -> LinkedLoras:
        return LinkedLoras(
            limits=limits,
            mirrors=mirrors,
            look_up=self._look_up,
            is_allowed=lambda address: address == OUTSIDE,
            tls=self.trusted,
        )

    def url(self, path: str, host: str = NAME) -> str:
        return f"https://{host}:{self.port}{path}"

    async def _look_up(self, host: str, _port: int) -> tuple[str, ...]:
        self.looked_up.append(host)
        answers = self.answers.get(host, [(host,)])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.reached.append((request.transport.get_extra_info("sockname")[0], request.path))
        return await self.pages[request.path](request)


def safetensors(*tensors: str, size: int = 4096, header: Mapping[str, object] | None = None) -> bytes:
    """A file of *tensors*, of *size* bytes of data each."""
    described: dict[str, object] = {"__metadata__": {"format": "pt"}}
    for index, name in enumerate(tensors):
        described[name] = {
            "dtype": "BF16",
            "shape": [size // 2],
            "data_offsets": [index * size, (index + 1) * size],
        }
    text = json.dumps(described if header is None else header).encode()
    return len(text).to_bytes(8, "little") + text + b"\7" * size * len(tensors)


def gives(body: bytes, *, status: int = 200, kind: str = "application/octet-stream") -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, content_type=kind)

    return answer


def leads_to(url: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": url})

    return answer


@asynccontextmanager
async def an_internet(certificate: Path) -> AsyncIterator[Internet]:
    """Serve at both addresses, over TLS, with a certificate for :data:`NAME` and :data:`INSIDE`."""
    internet = Internet(trusted=ssl.create_default_context(cafile=str(certificate)))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    app = web.Application()
    app.router.add_get("/{path:.*}", internet.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        outside = web.TCPSite(runner, OUTSIDE, 0, ssl_context=serving)
        await outside.start()
        internet.port = int(runner.addresses[0][1])
        await web.TCPSite(runner, INSIDE, internet.port, ssl_context=serving).start()
        yield internet
    finally:
        await runner.cleanup()


def write_certificate(file: Path) -> None:
    """One that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ip_address(INSIDE))])
    begin = datetime.now(UTC) - timedelta(hours=1)  # noqa: TID251 - TLS asks this computer
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
