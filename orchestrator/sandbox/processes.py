"""Starts and ends the real processes of a machine."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.sandbox import reaper

SHELL = "/bin/sh"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPEN_FILES = 4096
FILE_BLOCKS = 4 * 1024 * 1024
"""Largest file of a process, in the shell's blocks of 512 bytes: 2 GiB."""
FULL_DISK_BLOCKS = 2048
"""The same where the disk is full: 1 MiB."""

# A file that grows beyond its limit is a failed write, as on a full disk, and no deadly signal.
_LIMITED = 'trap "" XFSZ; ulimit -c 0; ulimit -n "$1"; ulimit -f "$2"; shift 2; exec "$@"'


@dataclass(slots=True, kw_only=True)
class Processes:
    """
    The processes of one machine.

    Attributes:
        mark: What each of them carries in its environment, and nothing else on this computer does.
        environment: The whole of what they see; see :func:`make_environment`.
    """

    mark: str
    root: Path
    environment: Mapping[str, str]
    file_blocks: int = FILE_BLOCKS
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def spawn(self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        """
        Start a process in a session of its own, so that a signal to it reaches what it starts.

        A shell sets the limits: the alternative, code between fork and exec, is unsafe in a process with threads.

        Raises:
            OSError: The computer has no process left to give, or the machine's folder is gone.
        """
        self._children = [child for child in self._children if child.poll() is None]
        limits = (str(OPEN_FILES), str(self.file_blocks))
        child = subprocess.Popen(  # noqa: S603  (running what the renter says is what a machine is for)
            [SHELL, "-c", _LIMITED, SHELL, *limits, *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=self.root,
            env=dict(self.environment),
            start_new_session=True,
        )
        self._children.append(child)
        return child

    async def end_all(self) -> None:
        """End every process of the machine, daemons too; returns when none is left."""
        await asyncio.to_thread(reaper.end_marked, self.mark)
        for child in self._children:
            signal_group(child, signal.SIGKILL)  # while it became another program, it had no environment to be known by
            child.wait()
        self._children.clear()


def make_environment(
    *, root: Path, programs: Path, mark: str, of_machine: Mapping[str, str], of_order: Mapping[str, str]
) -> dict[str, str]:
    """
    Build a machine's whole environment from a list of what is allowed: nothing of the sandbox's own gets in.

    What the order brings may not replace what makes the machine a machine; port maps among it are no variables.
    """
    wanted = {name: value for name, value in of_order.items() if NAME.fullmatch(name)}
    return wanted | {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(root),
        "GLOWPLUG_ROOT": str(root),
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
        "USER": "root",
        "SHELL": SHELL,
        "PYTHONDONTWRITEBYTECODE": "1",
        reaper.MARK: mark,
        **of_machine,
    }


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for a child and reap it; gives its status, negative for a signal. Costs no thread."""
    if process.poll() is not None:
        return process.returncode  # reaped already, perhaps by the start of another one; its number may be reused
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    handle = os.pidfd_open(process.pid)
    try:
        loop.add_reader(handle, over.set)
        await over.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return process.wait()


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a child and what it started in its session; silent when it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, number)
