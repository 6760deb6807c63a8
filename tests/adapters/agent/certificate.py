"""A certificate of our own for servers on loopback, and how the agent comes to trust it."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM form."""

    file: Path
    key: Path

    @property
    def environment(self) -> dict[str, str]:
        """Makes a program that uses OpenSSL's defaults trust it, and nobody else."""
        return {"SSL_CERT_FILE": str(self.file)}

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


def make_certificate(folder: Path) -> Certificate:
    """For 127.0.0.1, good for a day."""
    made = Certificate(file=folder / "certificate.pem", key=folder / "key.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "1"]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(made.key), "-out", str(made.file)]
    subprocess.run(["openssl", "req", "-x509", *curve, *name, *files], check=True, capture_output=True, timeout=30)
    return made
