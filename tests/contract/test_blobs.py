"""Pictures as files keep the promises of the port."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from orchestrator.adapters.blobs_local import LocalBlobs
from tests.contract.blobs_suite import BlobsContract, Subject


class TestLocalBlobs(BlobsContract):
    @pytest.fixture
    def subject(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
        """Of a disk that is full only the operating system's answers are made up."""
        is_full = False
        usage, sync = shutil.disk_usage, os.fsync

        def set_full(full: bool) -> None:
            nonlocal is_full
            is_full = full

        def disk_usage(path: Path) -> object:
            return usage(path)._replace(free=0) if is_full else usage(path)

        def fsync(descriptor: int) -> None:
            if is_full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(descriptor)

        monkeypatch.setattr(shutil, "disk_usage", disk_usage)
        monkeypatch.setattr(os, "fsync", fsync)
        return Subject(blobs=LocalBlobs(tmp_path / "pictures", spare=1), set_full=set_full)
