"""
Who has which machine: one small file a lease, in the bot's own folder.

Nothing else would remember: a machine of one's own does not know for whom it works. All of it blocks on the disk.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
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
        host, between, _ = ref.partition(BETWEEN)
        file = self._file(host)
        if not between or file.parent != self._folder or not file.exists():
            return None
        lease = _read(file)
        return lease if lease is not None and lease.ref == ref else None

    def give_up(self, ref: CloudRef) -> bool:
        """End the lease that is called *ref*; False when it was none."""
        lease = self.of(ref)
        if lease is None:
            return False
        with suppress(FileNotFoundError):
            self._file(lease.host).unlink()
        return True

    def _leases(self) -> Iterator[Lease]:
        files = sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder.exists() else ()
        for file in files:
            if (lease := _read(file)) is not None:
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
