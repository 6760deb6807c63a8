"""One orchestrator a data folder."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.domain.errors import StoreError

MACHINE_ID = Path("/etc/machine-id")
"""Differs between computers, copies of one included (freedesktop.org, machine-id(5)); containers often have none."""


@contextmanager
def data_lock(folder: Path) -> Iterator[None]:
    """
    Hold *folder* for this process; the system lets go of it when the process ends, however it ends.

    Raises:
        StoreError: Another process holds it, or the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"the data folder {folder} cannot be written: {error.strerror}") from error
    try:
        _lock(lock, folder)
        yield
    finally:
        os.close(lock)


def home_of(folder: Path) -> str:
    """
    Say where *folder* lies, in a word that changes when it is copied, restored or moved to another disk.

    A file of ours that nobody touches keeps the number and the time of change that its disk gave it. No copy has
    both, whatever tool makes it. Changing its owner or mode looks like a copy, too, which is safe.

    Raises:
        StoreError: The folder cannot be written.
    """
    path = folder / "home"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
        there = path.stat()
        computer = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else ""
    except OSError as error:
        raise StoreError(f"the data folder {folder} cannot be used: {error.strerror}") from error
    return hashlib.sha256(f"{computer} {there.st_ino} {there.st_ctime_ns}".encode()).hexdigest()[:16]


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise StoreError(
            f"another glowplug runs on this data folder (pid {pid}): stop it first, or set GLOWPLUG_DATA to "
            f"another folder than {folder}"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
