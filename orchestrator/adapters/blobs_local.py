"""Pictures as files of a folder, named by what they hold."""

import asyncio
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orchestrator.domain.errors import DiskFull, StoreError
from orchestrator.domain.ids import ImageKey
from orchestrator.ports.blobs import Blobs

KEY_DIGITS = 32
"""How much of the SHA-256 names a picture: 128 bits, so that no two pictures ever share a name."""

SPARE_BYTES = 64 * 2**20
"""Some thirty large pictures, and the books' own growth meanwhile."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

_KEY = re.compile(rf"[0-9a-f]{{{KEY_DIGITS}}}")


class LocalBlobs(Blobs):
    """Files ``ab/abcd...`` below *folder*, readable by us alone. File work happens in threads."""

    def __init__(self, folder: Path, *, spare: int = SPARE_BYTES) -> None:
        """
        Keep pictures in *folder*.

        Args:
            spare: Bytes of its disk that are left for what is under way.
        """
        self._folder = folder
        self._spare = spare

    async def put(self, picture: bytes) -> ImageKey:
        """
        See the port.

        Raises:
            StoreError: The folder is not ours.
        """
        return await asyncio.to_thread(self._put, picture)

    async def check_room(self) -> None:
        """See the port; what is under way may use what is spared here, and so may the books."""
        free = self._free()  # one system call, which waits for no disk
        if free < self._spare:
            raise DiskFull(f"{self._folder} has {free // 2**20} MiB of room left, less than {self._spare // 2**20}")

    async def get(self, key: ImageKey) -> bytes | None:
        """See the port; a *key* that no put can have given is nobody's, and never becomes a path."""
        if not _KEY.fullmatch(key):
            return None
        return await asyncio.to_thread(self._get, key)

    async def remove(self, key: ImageKey) -> None:
        """
        See the port.

        Raises:
            StoreError: The folder is not ours.
        """
        if _KEY.fullmatch(key):
            await asyncio.to_thread(self._remove, key)

    def _free(self) -> int:
        folder = next(path for path in (self._folder, *self._folder.absolute().parents) if path.exists())
        return shutil.disk_usage(folder).free

    async def sizes(self) -> Mapping[ImageKey, int]:
        """
        See the port.

        Raises:
            StoreError: The folder is not ours.
        """
        return await asyncio.to_thread(self._sizes)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _put(self, picture: bytes) -> ImageKey:
        key = hashlib.sha256(picture).hexdigest()[:KEY_DIGITS]
        path = self._path(key)
        try:
            if not (path.exists() and path.stat().st_size == len(picture)):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                _write_durably(path, picture)
        except OSError as error:
            kind = DiskFull if error.errno in NO_ROOM else StoreError
            raise kind(f"a picture cannot be kept in {self._folder}: {error.strerror}") from error
        return ImageKey(key)

    def _get(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"a picture cannot be read from {self._folder}: {error.strerror}") from error

    def _remove(self, key: str) -> None:
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"a picture cannot be removed from {self._folder}: {error.strerror}") from error

    def _sizes(self) -> dict[ImageKey, int]:
        sizes: dict[ImageKey, int] = {}
        try:
            for folder in self._folder.iterdir() if self._folder.is_dir() else ():
                with os.scandir(folder) as files:
                    sizes |= {ImageKey(file.name): file.stat().st_size for file in files if _KEY.fullmatch(file.name)}
        except FileNotFoundError:  # removed meanwhile: the next look is whole again
            return sizes
        except OSError as error:
            raise StoreError(f"the pictures in {self._folder} cannot be listed: {error.strerror}") from error
        return sizes


def _write_durably(path: Path, content: bytes) -> None:
    """Write the whole file or none: under another name (mode 0600), to the disk, then renamed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    _sync_folder(path.parent.parent)


def _sync_folder(folder: Path) -> None:
    """Make the names in *folder* last, not only what they name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
