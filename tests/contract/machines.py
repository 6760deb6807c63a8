"""Machines on loopback that let us in over SSH: OpenSSH's own server, and the sandbox's."""

import asyncio
import getpass
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from orchestrator.adapters.ssh import SshConnector, SshLimits
from orchestrator.domain.instance import Address
from orchestrator.sandbox.image import install_programs
from orchestrator.sandbox.processes import Processes, make_environment
from orchestrator.sandbox.sshd import SshService, reserve_port, serving_ssh
from tests.contract.host_suite import Subject

SSHD = "/usr/sbin/sshd"
PRIVILEGE_SEPARATION = Path("/run/sshd")
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """
    One of the sandbox's machines without its cloud.

    Attributes:
        root: All that its processes should write to.
        programs: First on their PATH.
    """

    subject: Subject
    processes: Processes
    service: SshService
    root: Path
    programs: Path


@asynccontextmanager
async def sandbox_machine(
    folder: Path, *, environment: Mapping[str, str] | None = None, limits: SshLimits | None = None
) -> AsyncIterator[Machine]:
    """Run a machine below *folder*; its processes end with the block."""
    root, programs = folder / "root", folder / "programs"
    (root / "tmp").mkdir(parents=True)
    install_programs(programs, gpu="RTX 4090", memory_mb=24564, driver="550.54.15", cuda=12.4)
    mark = f"test.{os.getpid()}.{id(folder)}."
    seen = make_environment(root=root, programs=programs, mark=mark, of_machine=environment or {}, of_order={})
    key = asyncssh.generate_private_key("ssh-ed25519")
    processes = Processes(mark=mark, root=root, environment=seen)
    service = SshService(
        host_key=asyncssh.generate_private_key("ssh-ed25519"),
        processes=processes,
        is_welcome=lambda offered: offered == key.public_data,
    )
    bound = reserve_port()
    address = Address(host="127.0.0.1", port=bound.getsockname()[1])

    async def cut() -> None:
        service.cut()

    try:
        async with serving_ssh(service, bound):
            subject = Subject(connector=SshConnector(key, limits), address=address, cut=cut)
            yield Machine(subject=subject, processes=processes, service=service, root=root, programs=programs)
    finally:
        await processes.end_all()


@asynccontextmanager
async def openssh(folder: Path, *, options: str = "", known: asyncssh.SSHKey | None = None) -> AsyncIterator[Subject]:
    """
    Run OpenSSH's server as an ordinary process that lets in whoever runs the test. Its log is ``sshd.log``.

    Args:
        options: Further lines of its configuration; the first of two that disagree counts, and these come first.
        known: The key that is let in; ours unless given.
    """
    key = asyncssh.generate_private_key("ssh-ed25519")
    host_key = folder / "host_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(host_key)
    host_key.chmod(0o600)
    (folder / "authorized_keys").write_bytes((known or key).export_public_key())
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(options + CONFIG.format(port=port, folder=folder))
    if os.geteuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)  # where the package is installed and never ran
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stdout=log, stderr=log)

    async def cut() -> None:
        for child in _children(server.pid):
            with suppress(ProcessLookupError):  # its connection ended by itself meanwhile
                os.kill(child, signal.SIGKILL)

    address = Address(host="127.0.0.1", port=port, user=getpass.getuser())
    try:
        await _listens(port)
        yield Subject(connector=SshConnector(key), address=address, cut=cut)
        await cut()
    finally:
        server.terminate()
        server.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _listens(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
