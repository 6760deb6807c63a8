"""
Who has which machine: one small file a lease, in the bot's own folder.

Nothing else would remember: a machine of one's own does not know for whom it works. All of it blocks on the disk.
"""

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.domain.ids import CloudRef

SUFFIX = ".json"
BETWEEN = "#"


class Damaged(Exception):
    """A lease that cannot be read: somebody has the machine, and nobody knows who."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """
    One lease.

    Attributes:
        host: The machine's name.
        since: When it was taken, aware, in UTC.
    """

    host: str
    label: str
    since: datetime

    @property
    def ref(self) -> CloudRef:
        """Of this lease and of no other of the same machine: an old one's end must not end a new one."""
        return CloudRef(f"{self.host}{BETWEEN}{self.label}")


class Leases:
    """The leases below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._giving_up = threading.Lock()

    def take(self, lease: Lease) -> bool:
        """
        Take a machine; False when somebody has it.

        The file appears whole or not at all, and never replaces another.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as target:
                json.dump({"label": lease.label, "since": lease.since.isoformat()}, target)
                target.flush()
                os.fsync(target.fileno())
            self._file(lease.host).hardlink_to(unfinished)
        except FileExistsError:
            return False
        finally:
            Path(unfinished).unlink()
        return True

    def all(self) -> tuple[Lease, ...]:
        """
        List every lease, by the machine's name.

        Raises:
            Damaged: One of them cannot be read.
        """
        return tuple(self._leases())

    def of(self, ref: CloudRef) -> Lease | None:
        """
        Find the lease that is called *ref*; None when there is none, or its machine has another one by now.

        Raises:
            Damaged: The machine's lease cannot be read.
        """
        file = self._file(ref.partition(BETWEEN)[0])
        lease = _read(file) if file.parent == self._folder else None
        return lease if lease is not None and lease.ref == ref else None

    def give_up(self, ref: CloudRef) -> bool:
        """End the lease that is called *ref*; False when it was none."""
        with self._giving_up:  # or the slower of two would end what was taken in between
            lease = self.of(ref)
            if lease is not None:
                self._file(lease.host).unlink()
        return lease is not None

    def _leases(self) -> Iterator[Lease]:
        try:
            files = sorted(self._folder.iterdir())
        except FileNotFoundError:  # nobody has taken any yet
            return
        for file in files:
            lease = _read(file) if file.name.endswith(SUFFIX) else None
            if lease is not None:
                yield lease

    def _file(self, host: str) -> Path:
        return self._folder / f"{host}{SUFFIX}"


def _read(file: Path) -> Lease | None:
    """Read one; None when it has just been given up."""
    try:
        said = json.loads(file.read_bytes())
        since = datetime.fromisoformat(said["since"])
        if not isinstance(said["label"], str) or since.tzinfo is None:
            raise ValueError("not a lease")  # noqa: TRY301 - told as every other damage is
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"{file} is damaged; remove it if no session uses that machine") from error
    return Lease(host=file.name.removesuffix(SUFFIX), label=said["label"], since=since)
